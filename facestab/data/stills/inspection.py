"""What one labelled image says of its data set."""

import hashlib
from dataclasses import dataclass

import numpy as np

from facestab.data.images import ImageSplit
from facestab.errors import FacestabError
from facestab.labels import LabelSet


@dataclass(frozen=True)
class Inspection:
    """One image and its labels.

    Attributes:
        name: what a person finds the image by.
        error: why it cannot be used, None when it can; then nothing else is known.
        size: height and width in pixels.
        pixels: of each class, (K,).
        ignored: pixels without a class.
        sides: of each left/right pair of the label set that the image shows whole: whether left lies left.
        digest: of the picture, the same for the same pixels.
    """

    name: str
    error: str | None = None
    size: tuple[int, int] = (0, 0)
    pixels: tuple[int, ...] = ()
    ignored: int = 0
    sides: tuple[tuple[int, bool], ...] = ()
    digest: str = ""


class Inspector:
    """Inspects images by position. It can be sent to another process.

    Args:
        split: the images.
        labels: their label set.
    """

    def __init__(self, split: ImageSplit, labels: LabelSet) -> None:
        self.split = split
        self.labels = labels

    def __call__(self, index: int) -> Inspection:
        """The image at a position."""
        name = self.split.name(index)
        try:
            image = self.split[index]
        except FacestabError as error:
            return Inspection(name, error=" ".join(str(error).split()))
        counts = np.bincount(image.labels_HW.ravel(), minlength=256)
        num_classes = self.labels.num_classes
        return Inspection(
            name,
            size=(image.labels_HW.shape[0], image.labels_HW.shape[1]),
            pixels=tuple(counts[:num_classes].tolist()),
            ignored=int(counts[num_classes:].sum()),
            sides=tuple(self._sides(image.labels_HW)),
            digest=hashlib.sha256(image.image_HWC.tobytes()).hexdigest(),
        )

    def _sides(self, labels_HW: np.ndarray) -> list[tuple[int, bool]]:
        found = []
        for place, pair in enumerate(self.labels.pairs):
            left, right = (np.nonzero(labels_HW == id)[1] for id in pair)
            if len(left) and len(right):
                found.append((place, bool(left.mean() < right.mean())))
        return found
