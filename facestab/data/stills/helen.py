"""Helen with the labels of Smith et al. ("Exemplar-Based Face Parsing", CVPR 2013): 2,330 faces, soft maps."""

import numpy as np

from facestab.data.folder_name import folder_name
from facestab.data.images import LabelledImage
from facestab.data.stills.files import FileImages, ImageFile, read_grey, read_lines, read_rgb
from facestab.errors import FacestabError
from facestab.labels import LabelSet, class_lut
from facestab.types import SPLITS

CLASSES = (
    *("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "nose"),
    *("upper_lip", "inner_mouth", "lower_lip", "hair"),
)
LISTS = {"train": "exemplars.txt", "val": "tuning.txt", "test": "testing.txt"}
HAIR = CLASSES.index("hair")


class Helen(FileImages):
    """`root/images/NAME.jpg` with `root/labels/NAME/NAME_lbl00.png` to `_lbl10.png`, how probable each class is.

    Splits are the lists exemplars.txt, tuning.txt and testing.txt. One face of a picture is labelled, however many
    there are, so that the picture is cut to a square around it.

    Args:
        root: the data set's folder, such as SmithCVPR2013_dataset_resized.
        labels: the label set.
        target: hard, the most probable class; or soft, its runner-up and the share between the two as well.
        crop: side of the square, in longer sides of the box around the labelled face without its hair; 0 keeps the
            whole picture.

    Raises:
        ValueError: for another target, a negative crop or a label set of other things.
        FacestabError: when a folder or list is missing.
    """

    def __init__(self, root: str, labels: LabelSet, target: str = "hard", crop: float = 1.5) -> None:
        if target not in ("hard", "soft"):
            raise ValueError(f"data.target is hard or soft, got {target}")
        if crop < 0:
            raise ValueError(f"data.crop must not be negative, got {crop}")
        super().__init__(root, class_lut(CLASSES, labels), range(len(CLASSES)))
        self.soft = target == "soft"
        self.crop = crop
        self._files = {split: [self._file(name) for name in self._names(split)] for split in SPLITS}

    def files(self, split: str) -> list[ImageFile]:
        """The images of a split in the order of its list."""
        return self._files[split]

    def read(self, file: ImageFile) -> LabelledImage:
        """The face of one image."""
        image_HWC = read_rgb(file.image)
        maps_KHW = np.stack([self._map(file, id, image_HWC.shape[:2]) for id in range(len(CLASSES))])
        labels_HW = maps_KHW.argmax(0).astype(np.uint8)
        rows, columns = self._window(labels_HW)
        image_HWC, labels_HW, maps_KHW = image_HWC[rows, columns], labels_HW[rows, columns], maps_KHW[:, rows, columns]
        if not self.soft:
            return LabelledImage(image_HWC, labels_HW)
        return LabelledImage(image_HWC, labels_HW, *_runner_up(maps_KHW, labels_HW))

    def _names(self, split: str) -> list[str]:
        path = self.root / LISTS[split]
        if not path.is_file():
            raise FacestabError(f"{path}: no such list; is {self.root} the folder of Helen?")
        # a line has the number and the name
        lines = [line.split(",")[-1].strip() for line in read_lines(path)]
        strange = next((name for name in lines if name and folder_name(name) != name), None)
        if strange is not None:
            raise FacestabError(f"{path}: '{strange}' is not the name of an image; copy the list again")
        return [name for name in lines if name]

    def _file(self, name: str) -> ImageFile:
        return ImageFile(name, self.root / "images" / f"{name}.jpg", self.root / "labels" / name)

    def _map(self, file: ImageFile, id: int, size: tuple[int, ...]) -> np.ndarray:
        path = file.labels / f"{file.id}_lbl{id:02d}.png"
        map_HW = read_grey(path)
        if map_HW.shape != size:
            sizes = [f"{shape[1]}x{shape[0]}" for shape in (map_HW.shape, size)]
            raise FacestabError(f"{path}: is {sizes[0]}, the image is {sizes[1]}; labels need the image's size")
        return map_HW

    def _window(self, labels_HW: np.ndarray) -> tuple[slice, slice]:
        """Rows and columns of the square around the face, inside the picture."""
        face_HW = (labels_HW > 0) & (labels_HW != HAIR)
        if not self.crop or not face_HW.any():
            return slice(None), slice(None)
        places = [np.flatnonzero(face_HW.any(axis)) for axis in (1, 0)]
        longer = max(int(place[-1] - place[0]) + 1 for place in places)
        side = min(round(self.crop * longer), *labels_HW.shape)
        starts = [
            min(max(round((place[0] + place[-1] + 1 - side) / 2), 0), length - side)
            for place, length in zip(places, labels_HW.shape, strict=True)
        ]
        return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def _runner_up(maps_KHW: np.ndarray, labels_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The second class and the first one's share of the two; where nothing is probable, background has all."""
    first_HW = np.take_along_axis(maps_KHW, labels_HW[None].astype(np.intp), 0)[0].astype(np.float32)
    others_KHW = maps_KHW.astype(np.int16)
    np.put_along_axis(others_KHW, labels_HW[None].astype(np.intp), -1, 0)
    runner_up_HW = others_KHW.argmax(0).astype(np.uint8)
    total_HW = first_HW + others_KHW.max(0)
    share_HW = np.divide(first_HW, total_HW, out=np.ones_like(first_HW), where=total_HW > 0)
    return runner_up_HW, share_HW
