"""CelebAMask-HQ: 30,000 faces with a mask for each part (Lee et al., "MaskGAN", CVPR 2020)."""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock
from PIL import Image

from facestab.data.images import LabelledImage
from facestab.data.parallel import run_all
from facestab.data.stills.celeba_lists import split_of_originals
from facestab.data.stills.files import FileImages, ImageFile, read_ids, read_mask, read_rgb
from facestab.errors import FacestabError
from facestab.labels import LabelSet, class_lut
from facestab.types import SPLITS

log = logging.getLogger(__name__)

PARTS = (
    *("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip"),
    *("hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)
"""The parts by file name, in the authors' order: the id is the place + 1, and a later part covers an earlier one."""

# the data set says left and right of the person, facestab of the picture; l_lip is the lower lip, ear_r the earring
CLASSES = (
    *("background", "skin", "nose", "glasses", "right_eye", "left_eye", "right_brow", "left_brow"),
    *("right_ear", "left_ear", "inner_mouth", "upper_lip", "lower_lip", "hair", "hat", "earring", "necklace"),
    *("neck", "cloth"),
)

IMAGES, MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
IMAGES_PER_FOLDER = 2000


class CelebAMaskHQ(FileImages):
    """`root/CelebA-HQ-img/N.jpg` with `root/CelebAMask-HQ-mask-anno/F/NNNNN_PART.png`, F = N // 2000.

    The parts of an image become one label map in the authors' order, once: the maps are kept in `cache`, as PNG files
    of the official ids, under a name that changes when a file comes into a mask folder or leaves it. Masks are 512
    pixels, and images are brought to that size. Splits are those of CelebA, see `celeba_lists`.

    Args:
        root: the data set's folder.
        labels: the label set.
        cache: where the label maps are kept.
        stands_for: class name of a class that the label set does not know, such as glasses or left_ear, to the name of
            another, or to None to ignore it.
        exclude: numbers of images to leave out, such as those with known faults.

    Raises:
        ValueError: for a label set of other things.
        FacestabError: when folders are missing or empty.
    """

    def __init__(
        self,
        root: str,
        labels: LabelSet,
        cache: str,
        stands_for: Mapping[str, str | None] | None = None,
        exclude: Sequence[int] = (),
    ) -> None:
        super().__init__(root, class_lut(CLASSES, labels, stands_for), range(len(CLASSES)))
        for name in (IMAGES, MASKS):
            if not (self.root / name).is_dir():
                raise FacestabError(f"{self.root}: has no folder '{name}'; is it the folder of CelebAMask-HQ?")
        self.exclude = frozenset(exclude)
        self.cache = Path(cache) / "celebamask_hq" / self._mask_state()

    @cached_property
    def _by_split(self) -> dict[str, list[ImageFile]]:
        numbers = sorted(int(path.stem) for path in (self.root / IMAGES).glob("*.jpg") if path.stem.isdecimal())
        if not numbers:
            raise FacestabError(f"{self.root / IMAGES}: holds no images named by their number, such as 0.jpg")
        split_of = split_of_originals(self.root)
        found: dict[str, list[ImageFile]] = {name: [] for name in SPLITS}
        for number in numbers:
            if number not in self.exclude:
                image = self.root / IMAGES / f"{number}.jpg"
                found[split_of(number)].append(ImageFile(str(number), image, self._composed(number)))
        return found

    def files(self, split: str) -> list[ImageFile]:
        """The images of a split by their number."""
        return self._by_split[split]

    def prepare(self) -> None:
        """Make the label maps that are not there yet, on all cores.

        Raises:
            FacestabError: when an image has no parts, or one cannot be read.
        """
        self.cache.mkdir(parents=True, exist_ok=True)
        with FileLock(self.cache / ".lock"):
            # one listing is faster than a question for each of 30,000 files
            there = {entry.name for entry in os.scandir(self.cache)}
            files = [file for split in SPLITS for file in self.files(split)]
            wanted = [int(file.id) for file in files if file.labels.name not in there]
            if wanted:
                run_all(partial(_compose_into, self.root / MASKS, self.cache), wanted, "label maps", "images")

    def read(self, file: ImageFile) -> LabelledImage:
        """One image at the size of its masks, and its label map."""
        is_made = file.labels.exists()
        labels_HW = read_ids(file.labels) if is_made else compose(self.root / MASKS, int(file.id))
        height, width = labels_HW.shape
        image_HWC = cv2.resize(read_rgb(file.image), (width, height), interpolation=cv2.INTER_AREA)
        return LabelledImage(image_HWC, labels_HW)

    def _composed(self, number: int) -> Path:
        return self.cache / f"{number}.png"

    def _mask_state(self) -> str:
        """16 hex digits of where the masks lie and when their folders changed."""
        folders = sorted(path for path in (self.root / MASKS).iterdir() if path.is_dir())
        state = [str(self.root.resolve()), *(f"{path.name} {path.stat().st_mtime_ns}" for path in folders)]
        return hashlib.sha256("\n".join(state).encode()).hexdigest()[:16]


def compose(masks: Path, number: int) -> np.ndarray:
    """uint8 (H, W), the official ids 0..18 of an image.

    Args:
        masks: the folder of the mask folders.
        number: of the image.

    Raises:
        FacestabError: when it has no parts, one cannot be read, or their sizes differ.
    """
    folder = masks / str(number // IMAGES_PER_FOLDER)
    # a part that is not in the picture has no file
    paths = {id: folder / f"{number:05d}_{part}.png" for id, part in enumerate(PARTS, start=1)}
    there = {id: path for id, path in paths.items() if path.exists()}
    if not there:
        raise FacestabError(f"{folder}: has no {number:05d}_*.png, the parts of image {number}; add or exclude it")
    labels_HW: np.ndarray | None = None
    for id, path in there.items():
        mask_HW = read_mask(path)
        if labels_HW is None:
            labels_HW = np.zeros(mask_HW.shape, np.uint8)
        if mask_HW.shape != labels_HW.shape:
            raise FacestabError(f"{path}: is {mask_HW.shape}, the other parts are {labels_HW.shape}")
        labels_HW[mask_HW] = id
    assert labels_HW is not None
    return labels_HW


def _compose_into(masks: Path, cache: Path, number: int) -> None:
    path = cache / f"{number}.png"
    part = path.with_suffix(f".{os.getpid()}.part")
    Image.fromarray(compose(masks, number)).save(part, format="PNG")
    part.replace(path)
