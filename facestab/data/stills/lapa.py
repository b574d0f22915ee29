"""LaPa: 22,176 faces in the wild with label maps (Liu et al., AAAI 2020)."""

from facestab.data.stills.files import ImageFile, LabelMapImages, list_images
from facestab.data.stills.helen import CLASSES
from facestab.errors import FacestabError
from facestab.labels import LabelSet, class_lut
from facestab.types import SPLITS


class LaPa(LabelMapImages):
    """`root/{train,val,test}/images/NAME.jpg` with `labels/NAME.png`; the ids are those of Helen, sides the viewer's.

    Skin includes the ears here, and sunglasses are background.

    Args:
        root: the data set's folder.
        labels: the label set.

    Raises:
        ValueError: for a label set of other things.
        FacestabError: when a folder is missing or empty.
    """

    def __init__(self, root: str, labels: LabelSet) -> None:
        super().__init__(root, class_lut(CLASSES, labels), range(len(CLASSES)))
        self.listed = {split: self._found(split) for split in SPLITS}

    def _found(self, split: str) -> list[ImageFile]:
        folder = self.root / split
        for name in ("images", "labels"):
            if not (folder / name).is_dir():
                raise FacestabError(f"{folder}: has no folder '{name}'; is {self.root} the folder of LaPa?")
        return [ImageFile(p.stem, p, folder / "labels" / f"{p.stem}.png") for p in list_images(folder / "images")]
