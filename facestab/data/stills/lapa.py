"""LaPa: 22,176 faces in the wild with label maps (Liu et al., AAAI 2020)."""

from facestab.data.images import LabelledImage
from facestab.data.stills.files import SPLITS, FileImages, ImageFile, list_images, read_ids, read_rgb, stray_labels
from facestab.data.stills.helen import CLASSES
from facestab.errors import FacestabError
from facestab.labels import LabelSet, class_lut


class LaPa(FileImages):
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
        self._files = {split: self._found(split) for split in SPLITS}

    def files(self, split: str) -> list[ImageFile]:
        """The images of a split by name."""
        return self._files[split]

    def without_images(self) -> list[str]:
        """Label maps that belong to no image."""
        return stray_labels(file for files in self._files.values() for file in files)

    def read(self, file: ImageFile) -> LabelledImage:
        """One image and its label map."""
        return LabelledImage(read_rgb(file.image), read_ids(file.labels))

    def _found(self, split: str) -> list[ImageFile]:
        folder = self.root / split
        for name in ("images", "labels"):
            if not (folder / name).is_dir():
                raise FacestabError(f"{folder}: has no folder '{name}'; is {self.root} the folder of LaPa?")
        return [ImageFile(p.stem, p, folder / "labels" / f"{p.stem}.png") for p in list_images(folder / "images")]
