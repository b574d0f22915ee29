"""scikit-image's cascade of local binary patterns: needs no download, sees frontal faces only."""

from functools import cache
from typing import Any

import cv2
import numpy as np
from skimage import data
from skimage.feature import Cascade

from facestab.video.faces import Face

# the cascade was trained on faces of 24 pixels; frames are brought to a size in which small faces have that and large
# ones take no seconds
_SHORTER_SIDES_PX = (256, 480)
# places that the cascade must hit beside one another, and how certain that makes a face: one that moves is often hit
# once only, and so is much that is no face
_CERTAINTY = {4: 1.0, 1: 0.25}


@cache
def _cascade() -> Cascade:
    return Cascade(data.lbp_frontal_face_cascade_filename())


class LbpDetector:
    """Frontal faces; a head that is turned or tilted is often missed, and sometimes a face is seen where none is.

    Args:
        smallest: least side of a face's box, as a share of the frame's shorter side.

    Raises:
        ValueError: for a share outside 0..1.
    """

    def __init__(self, smallest: float = 0.1) -> None:
        if not 0 < smallest <= 1:
            raise ValueError(f"detector.smallest: a share above 0 and up to 1 is needed, got {smallest}")
        self.smallest = smallest

    def settings(self) -> dict[str, Any]:
        """What decides the result."""
        return {"detector": "lbp", "smallest": self.smallest}

    def __call__(self, frame_HWC: np.ndarray, index: int) -> list[Face]:
        """The faces of a frame."""
        height, width = frame_HWC.shape[:2]
        shorter = min(height, width)
        scale = min(max(shorter, _SHORTER_SIDES_PX[0]), _SHORTER_SIDES_PX[1]) / shorter
        seen_HWC = frame_HWC
        if scale != 1:
            size = round(width * scale), round(height * scale)
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            seen_HWC = cv2.resize(frame_HWC, size, interpolation=method)
        # noise moves a box more than anything else does
        seen_HWC = cv2.GaussianBlur(seen_HWC, (0, 0), 1.0)
        least = max(24, round(self.smallest * min(seen_HWC.shape[:2])))
        most = min(seen_HWC.shape[:2])
        x, y = seen_HWC.shape[1] / width, seen_HWC.shape[0] / height
        found = []
        for neighbours, score in _CERTAINTY.items():
            boxes = _cascade().detect_multi_scale(
                img=seen_HWC,
                scale_factor=1.1,
                step_ratio=1,
                min_size=(least, least),
                max_size=(most, most),
                min_neighbor_number=neighbours,
            )
            for box in boxes:
                right, bottom = box["c"] + box["width"], box["r"] + box["height"]
                found.append(Face(box["c"] / x, box["r"] / y, right / x, bottom / y, score))
        return found
