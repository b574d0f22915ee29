"""scikit-image's cascade of local binary patterns: needs no download, sees frontal faces only."""

from collections.abc import Mapping, Sequence
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
# as many hits beside one another make a face a certain one; one that moves is often hit once only, and so is much that
# is no face
_CERTAIN_HITS = 4
_CERTAIN, _UNCERTAIN = 1.0, 0.25
# hits of one face have more than this share of the smaller one in common
_TOGETHER = 0.5


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
        # above 1, nothing is brought together: every hit is wanted, certain or not, from one search
        hits = _cascade().detect_multi_scale(
            img=seen_HWC,
            scale_factor=1.1,
            step_ratio=1,
            min_size=(least, least),
            max_size=(most, most),
            min_neighbor_number=1,
            intersection_score_threshold=1.1,
        )
        x, y = seen_HWC.shape[1] / width, seen_HWC.shape[0] / height
        return [
            Face(left / x, top / y, (left + side) / x, (top + side) / y, score)
            for left, top, side, score in _group(hits)
        ]


def _group(hits: Sequence[Mapping[str, int]]) -> list[tuple[int, int, int, float]]:
    """Left, top, side and certainty of the faces that are hit.

    A hit belongs to the group whose mean square it shares most with, as scikit-image's cascade does it.
    """
    groups: list[list[np.ndarray]] = []
    for hit in hits:
        square_3 = np.array([hit["c"], hit["r"], hit["width"]])
        shares = [_shared(square_3, np.mean(group, axis=0)) for group in groups]
        if max(shares, default=0.0) > _TOGETHER:
            groups[int(np.argmax(shares))].append(square_3)
        else:
            groups.append([square_3])
    found = []
    for group in groups:
        left, top, side = (int(value) for value in np.mean(group, axis=0))
        found.append((left, top, side, _CERTAIN if len(group) >= _CERTAIN_HITS else _UNCERTAIN))
    return found


def _shared(one_3: np.ndarray, other_3: np.ndarray) -> float:
    """What two squares (left, top, side) have in common, as a share of the smaller one."""
    start_2, stop_2 = np.maximum(one_3[:2], other_3[:2]), np.minimum(one_3[:2] + one_3[2], other_3[:2] + other_3[2])
    return float(np.prod(np.maximum(stop_2 - start_2, 0)) / min(one_3[2], other_3[2]) ** 2)
