"""A folder of images beside a folder of label maps, with any classes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from facestab.data.stills.files import (
    ImageFile,
    LabelMapImages,
    check_shares,
    hashed_split,
    list_images,
)
from facestab.errors import FacestabError
from facestab.labels import IGNORE_ID, LabelSet
from facestab.types import SPLITS

KINDS = ("images", "labels")


class FlatImages(LabelMapImages):
    """`root/images/NAME.jpg` with `root/labels/NAME.png`, whose pixel values are ids (255 is ignore).

    Where the folder holds `train/`, `val/` and `test/`, each with images/ and labels/, these are the splits (`test/`
    may be missing: then `val/` tests, too). Else the split of an image follows from a hash of its name.

    Args:
        root: the folder.
        labels: the label set.
        val_share: share of the images that validate.
        test_share: share of the images that test.
        classes: id in the files to the name of a class, or to None to ignore it; None: they are the ids of `labels`.

    Raises:
        ValueError: when the shares leave nothing to train on, or `classes` names what the label set does not have.
        FacestabError: when folders are missing or empty.
    """

    def __init__(
        self,
        root: str,
        labels: LabelSet,
        val_share: float = 0.1,
        test_share: float = 0.1,
        classes: Mapping[int, str | None] | None = None,
    ) -> None:
        check_shares(val_share, test_share)
        lut = flat_lut(classes, labels)
        super().__init__(root, lut, range(labels.num_classes) if classes is None else frozenset(map(int, classes)))
        self.shares = (val_share, test_share)
        self.listed = self._by_folder() if (self.root / "train").is_dir() else self._by_name()

    def _by_folder(self) -> dict[str, list[ImageFile]]:
        found = {name: _pairs(self.root / name) for name in SPLITS if (self.root / name).is_dir()}
        if "val" not in found:
            raise FacestabError(f"{self.root}: has train/ but no val/; give it a part of the images")
        return {"test": found["val"], **found}

    def _by_name(self) -> dict[str, list[ImageFile]]:
        found: dict[str, list[ImageFile]] = {name: [] for name in SPLITS}
        for file in _pairs(self.root):
            found[hashed_split(file.id, *self.shares)].append(file)
        return found


def _pairs(folder: Path) -> list[ImageFile]:
    for name in KINDS:
        if not (folder / name).is_dir():
            raise FacestabError(f"{folder}: has no folder '{name}'; a flat data set has images/ and labels/")
    images = list_images(folder / "images")
    if not images:
        raise FacestabError(f"{folder / 'images'}: holds no images")
    named: dict[str, str] = {}
    for path in images:
        if path.stem in named:
            both = f"{named[path.stem]} and {path.name}"
            raise FacestabError(f"{folder / 'images'}: {both} would have the same label map; give one another name")
        named[path.stem] = path.name
    return [ImageFile(path.stem, path, folder / "labels" / f"{path.stem}.png") for path in images]


def flat_lut(classes: Mapping[int, str | None] | None, labels: LabelSet) -> np.ndarray:
    """uint8 (256,): an id in the files to a class.

    Raises:
        ValueError: for an id outside 0..254, or a name that the label set does not have.
    """
    if classes is None:
        return np.arange(256, dtype=np.uint8)
    lut = np.full(256, IGNORE_ID, np.uint8)
    for own, name in classes.items():
        if not 0 <= int(own) < IGNORE_ID:
            raise ValueError(f"data.classes: ids go from 0 to {IGNORE_ID - 1}, got {own}")
        found = IGNORE_ID if name is None else labels.find(name)
        if found is None:
            raise ValueError(f"data.classes: no class is called {name}; there are {', '.join(labels.names)}")
        lut[int(own)] = found
    return lut
