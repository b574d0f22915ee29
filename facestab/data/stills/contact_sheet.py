"""Pictures of a data set on one page: as they are, with their labels, and as training sees them."""

import cv2
import numpy as np

from facestab.data.images import ImageSplit
from facestab.data.transforms import Augmentation
from facestab.errors import FacestabError
from facestab.labels import LabelSet
from facestab.video.overlay import overlay, side_by_side

CAPTIONS = ("image", "labels", "as trained on", "as trained on")


def contact_sheet(split: ImageSplit, labels: LabelSet, augment: Augmentation, number: int, seed: int) -> np.ndarray:
    """uint8 RGB: a row for each of some images, and the classes' colours below.

    A row shows the image, its labels, and two draws of the augmentation with theirs.

    Args:
        split: the images.
        labels: for colours and names.
        augment: gives the size, too.
        number: of images, taken at even distances; those that cannot be read are left out, unless all are.
        seed: of the augmentation.
    """
    rows: list[np.ndarray] = []
    wanted = dict.fromkeys(np.linspace(0, len(split) - 1, number).round().astype(int).tolist())
    for index in {**wanted, **dict.fromkeys(range(len(split)))}:
        if rows and index not in wanted:
            break
        try:
            image = split[index]
        except FacestabError:
            continue
        planes = image.image_HWC[None], image.labels_HW[None]
        views = [augment.evaluate(*planes), *(augment.train(*planes, seed + 2 * index + turn) for turn in (0, 1))]
        seen = [overlay(frames[0], shown[0], labels) for frames, shown in views]
        rows.append(side_by_side([views[0][0][0], *seen], None if rows else CAPTIONS))
    if not rows:
        raise FacestabError("contact sheet: no image can be read")
    return np.concatenate([*rows, _legend(labels, rows[0].shape[1])])


def _legend(labels: LabelSet, width: int) -> np.ndarray:
    """The classes' colours and names in lines of a width."""
    line, box, places = 22, 14, []
    x = y = 0
    for name in labels.names:
        (needed, _), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)
        needed += box + 18
        if x and x + needed > width:
            x, y = 0, y + line
        places.append((x, y, name))
        x += needed
    canvas = np.full((y + line, width, 3), 255, np.uint8)
    for colour, (x, y, name) in zip(labels.palette, places, strict=True):
        corners = (x + 4, y + 4), (x + 4 + box, y + 4 + box)
        cv2.rectangle(canvas, *corners, colour, -1)
        cv2.rectangle(canvas, *corners, (128, 128, 128), 1)
        origin = (x + box + 10, y + 16)
        cv2.putText(canvas, name, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas
