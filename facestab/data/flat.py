"""A folder of images beside a folder of label maps."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facestab.data.images import ImageData
from facestab.errors import FacestabError
from facestab.labels import IGNORE_ID, LabelSet
from facestab.video.source import IMAGE_SUFFIXES


class FlatImages:
    """`root/images/NAME.jpg` with `root/labels/NAME.png`, whose pixel values are class ids (255 is ignore).

    The split of an image follows from a hash of its name, so that it stays where it is when images are added.

    Args:
        root: the folder.
        labels: the label set that the ids must belong to.
        val_share: share of the images that validate.
        test_share: share of the images that test.

    Raises:
        ValueError: when the shares leave nothing to train on.
        FacestabError: when folders or files are missing.
    """

    def __init__(self, root: str, labels: LabelSet, val_share: float = 0.1, test_share: float = 0.1) -> None:
        if min(val_share, test_share) < 0 or val_share + test_share >= 1:
            raise ValueError(f"data.val_share + data.test_share must be below 1, got {val_share} + {test_share}")
        self.root = Path(root)
        self.labels = labels
        self.shares = (test_share, test_share + val_share)
        self.pairs = self._pairs()

    def _pairs(self) -> list[tuple[Path, Path]]:
        for name in ("images", "labels"):
            if not (self.root / name).is_dir():
                raise FacestabError(f"{self.root}: has no folder '{name}'; a flat data set has images/ and labels/")
        images = sorted(p for p in (self.root / "images").iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        pairs = [(path, self.root / "labels" / f"{path.stem}.png") for path in images]
        missing = [label for _, label in pairs if not label.is_file()]
        if missing:
            raise FacestabError(f"{missing[0]}: no such label map ({len(missing)} of {len(pairs)} are missing)")
        if not pairs:
            raise FacestabError(f"{self.root / 'images'}: holds no images")
        return pairs

    def prepare(self) -> None:
        """Nothing has to be made."""

    def split(self, name: str) -> "FlatSplit":
        """The images whose names fall into a split.

        Raises:
            FacestabError: when none does.
        """
        pairs = [pair for pair in self.pairs if self._split_of(pair[0].stem) == name]
        if not pairs:
            raise FacestabError(f"{self.root}: no image falls into the split '{name}'; add images or change the shares")
        return FlatSplit(pairs, self.labels.num_classes)

    def _split_of(self, stem: str) -> str:
        place = int.from_bytes(hashlib.sha256(stem.encode()).digest()[:8], "big") / 2**64
        return "test" if place < self.shares[0] else "val" if place < self.shares[1] else "train"


class FlatSplit:
    """Image and label files of one split, read when asked for."""

    def __init__(self, pairs: list[tuple[Path, Path]], num_classes: int) -> None:
        self.pairs = pairs
        self.num_classes = num_classes

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        image_path, label_path = self.pairs[index]
        image_HWC, labels_HW = _read(image_path, "RGB"), _read(label_path, None)
        if labels_HW.ndim != 2 or labels_HW.shape != image_HWC.shape[:2]:
            raise FacestabError(f"{label_path}: {labels_HW.shape} does not fit the image's {image_HWC.shape[:2]}")
        wrong = (labels_HW >= self.num_classes) & (labels_HW != IGNORE_ID)
        if wrong.any():
            raise FacestabError(
                f"{label_path}: holds the id {labels_HW[wrong][0]}, ids go from 0 to {self.num_classes - 1}"
            )
        return image_HWC, labels_HW


def _read(path: Path, mode: str | None) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image if mode is None else image.convert(mode)).astype(np.uint8)
    except OSError as error:
        raise FacestabError(f"{path}: not a readable image ({error})") from None


def flat_data(root: str, labels: LabelSet, val_share: float, test_share: float, **loading: Any) -> ImageData:
    """Loaders over a flat folder.

    Args:
        root: see `FlatImages`.
        labels: see `FlatImages`.
        val_share: see `FlatImages`.
        test_share: see `FlatImages`.
        loading: further arguments of `ImageData`.
    """
    return ImageData(FlatImages(root, labels, val_share, test_share), **loading)
