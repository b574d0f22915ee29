"""Labelled images that lie in files: what every such data set shares."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from facestab.data.images import ImageSplit, LabelledImage
from facestab.errors import FacestabError
from facestab.labels import IGNORE_ID
from facestab.types import SPLITS
from facestab.video.frame_folder import open_image
from facestab.video.picture import is_turned, to_rgb
from facestab.video.source import IMAGE_SUFFIXES


@dataclass(frozen=True)
class ImageFile:
    """Where one labelled image lies.

    Attributes:
        id: unique in its data set.
        image: the image.
        labels: the label map, or the folder of its parts.
    """

    id: str
    image: Path
    labels: Path


class FileImages(ABC):
    """A data set of files. A subclass finds them and reads the labels of one.

    Args:
        root: the data set's folder.
        lut: uint8 (256,), an id in the files to a class; 255 to ignore what is no class.
        own_ids: what may stand in the files besides 255.

    Raises:
        FacestabError: when the folder does not exist.
    """

    soft = False

    def __init__(self, root: str, lut: np.ndarray, own_ids: range | frozenset[int]) -> None:
        self.root = Path(root)
        self.lut = lut
        self.own_ids = own_ids
        if not self.root.is_dir():
            raise FacestabError(f"{self.root}: no such folder; give the data set's folder as data.root")

    @abstractmethod
    def files(self, split: str) -> list[ImageFile]:
        """The images of a split, in an order that does not change."""

    @abstractmethod
    def read(self, file: ImageFile) -> LabelledImage:
        """One image with its labels, as ids of the files.

        Raises:
            FacestabError: when a file is missing, unreadable or does not fit.
        """

    def without_images(self) -> list[str]:
        """Label maps that belong to no image; none where a set is made of lists."""
        return []

    def prepare(self) -> None:
        """Refuse a set in which an image has no labels.

        Raises:
            FacestabError: naming the first, and how many there are.
        """
        files = [file for split in SPLITS for file in self.files(split)]
        missing = [file for file in files if not file.labels.exists()]
        if missing:
            raise FacestabError(f"{missing[0].labels}: no such label map ({len(missing)} of {len(files)} are missing)")

    def split(self, name: str) -> "FileSplit":
        """The images of one split.

        Raises:
            FacestabError: when there are none.
        """
        files = self.files(name)
        if not files:
            raise FacestabError(f"{self.root}: the split '{name}' has no image; add some or change how it is split")
        return FileSplit(self, files)

    def __getitem__(self, file: ImageFile) -> LabelledImage:
        """One image with its labels, as classes.

        Raises:
            FacestabError: see `read`; and for an id that the data set does not have.
        """
        read = self.read(file)
        ids = np.unique(read.labels_HW)
        wrong = [int(i) for i in ids if i != IGNORE_ID and i not in self.own_ids]
        if wrong:
            noun, verb = ("ids", "stand") if len(wrong) > 1 else ("id", "stands")
            held = f"holds the {noun} {', '.join(map(str, wrong[:5]))}, which {verb} for no class"
            raise FacestabError(f"{file.labels}: {held}; {_have(self.own_ids)}")
        if read.image_HWC.shape[:2] != read.labels_HW.shape:
            sizes = [f"{shape[1]}x{shape[0]}" for shape in (read.labels_HW.shape, read.image_HWC.shape)]
            turned = " upright, as its EXIF says" if _is_turned(file.image) else ""
            held = f"is {sizes[0]}, the image is {sizes[1]}{turned}"
            raise FacestabError(f"{file.labels}: {held}; labels need the image's size")
        return _renamed(read, self.lut)


class LabelMapImages(FileImages):
    """A data set in which every image has its label map in one file. A subclass fills `listed`, by split."""

    listed: Mapping[str, list[ImageFile]]

    def files(self, split: str) -> list[ImageFile]:
        """The images of a split by name."""
        return self.listed[split]

    def without_images(self) -> list[str]:
        """Label maps that belong to no image."""
        return stray_labels(file for files in self.listed.values() for file in files)

    def read(self, file: ImageFile) -> LabelledImage:
        """One image and its label map."""
        return LabelledImage(read_rgb(file.image), read_ids(file.labels))


def _have(ids: range | frozenset[int]) -> str:
    ordered = sorted(ids)
    if ordered == list(range(len(ordered))):
        return f"ids go from 0 to {len(ordered) - 1}"
    return f"there are {', '.join(map(str, ordered))}"


def _renamed(image: LabelledImage, lut: np.ndarray) -> LabelledImage:
    labels_HW = lut[image.labels_HW]
    if image.runner_up_HW is None or image.share_HW is None:
        return image._replace(labels_HW=labels_HW)
    runner_up_HW = lut[image.runner_up_HW]
    # two classes may have become one, and one of them nothing
    certain_HW = (labels_HW == runner_up_HW) | (runner_up_HW == IGNORE_ID) | (labels_HW == IGNORE_ID)
    return LabelledImage(
        image.image_HWC,
        labels_HW,
        np.where(certain_HW, labels_HW, runner_up_HW),
        np.where(certain_HW, np.float32(1), image.share_HW),
    )


class FileSplit(ImageSplit):
    """Images of one split, read when asked for."""

    def __init__(self, images: FileImages, files: list[ImageFile]) -> None:
        self.images = images
        self.files = files
        self.soft = images.soft

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> LabelledImage:
        return self.images[self.files[index]]

    def name(self, index: int) -> str:
        """The image's path."""
        return str(self.files[index].image)


def list_images(folder: Path) -> list[Path]:
    """The image files of a folder by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def read_lines(path: Path) -> list[str]:
    """The lines of a list of a data set.

    Raises:
        FacestabError: when it is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise FacestabError(f"{path}: is no text ({error}); download it again") from None


def stray_labels(files: Iterable[ImageFile]) -> list[str]:
    """PNG files beside the label maps of some images that are none of these."""
    files = list(files)
    known = {file.labels for file in files}
    folders = sorted({file.labels.parent for file in files})
    return [str(path) for folder in folders for path in sorted(folder.glob("*.png")) if path not in known]


def hashed_split(name: str, val_share: float, test_share: float) -> str:
    """The split that an image falls into by its name, so that it stays there when others come."""
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return "test" if place < test_share else "val" if place < test_share + val_share else "train"


def check_shares(val_share: float, test_share: float) -> None:
    """Refuse shares that leave nothing to train on.

    Raises:
        ValueError: then.
    """
    if min(val_share, test_share) < 0 or val_share + test_share >= 1:
        raise ValueError(f"data.val_share + data.test_share must be below 1, got {val_share} + {test_share}")


def read_rgb(path: Path) -> np.ndarray:
    """uint8 (H, W, 3), upright as the file's EXIF says, see `picture.to_rgb`.

    Raises:
        FacestabError: when it is no readable image.
    """
    with _opened(path) as image:
        try:
            return to_rgb(image)
        except ValueError as error:
            raise FacestabError(f"{path}: not a usable image, {error}") from None


def _is_turned(path: Path) -> bool:
    with _opened(path) as image:
        return is_turned(image)


def read_ids(path: Path) -> np.ndarray:
    """uint8 (H, W): the values of a grey image, or the indices of one with a palette.

    Raises:
        FacestabError: when it is no readable image, or has colours or more than 8 bits.
    """
    with _opened(path) as image:
        if image.mode not in ("L", "P", "1"):
            remedy = "a label map is an 8-bit grey or palette image whose values are class ids"
            raise FacestabError(f"{path}: has the mode {image.mode}; {remedy}")
        return np.asarray(image).astype(np.uint8)


def read_grey(path: Path) -> np.ndarray:
    """uint8 (H, W): how bright an image of any mode is.

    Raises:
        FacestabError: when it is no readable image.
    """
    with _opened(path) as image:
        return np.asarray(image.convert("L"))


def read_mask(path: Path) -> np.ndarray:
    """Bool (H, W): where an image of any mode is more than half bright.

    Raises:
        FacestabError: when it is no readable image.
    """
    return read_grey(path) > 127


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image whose pixels are read already."""
    try:
        with path.open("rb") as stream:
            image = open_image(stream)
            image.load()
    except FileNotFoundError:
        raise FacestabError(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise FacestabError(f"{path}: not a readable image (of no known format); replace it or take it out") from None
    # Pillow raises SyntaxError for some damaged PNG files
    except (OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError) as error:
        reason = str(getattr(error, "strerror", None) or error or type(error).__name__).lower().rstrip(".")
        raise FacestabError(f"{path}: not a readable image ({reason}); replace it or take it out") from None
    yield image
