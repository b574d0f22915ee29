"""The square of a face in a stream, which nobody can look ahead in."""

import math

import numpy as np

from facestab.data.framing import PLACE_WINDOW_S, SIDE_WINDOW_S, Framer, median_window
from facestab.video.crop import Square
from facestab.video.crop_path import OneEuro
from facestab.video.faces import Face

# boxes of one face in two frames share at least this much
_LEAST_IOU = 0.3
# certainty that a face needs to be followed from now on
_NEW_SCORE = 0.5


class LiveFramer:
    """Follows one face, the largest when it is first seen, with One-Euro filters; called for every frame in order.

    Args:
        framer: its detector, framing, tolerance, hold and pace count; its path looks ahead and does not.
        fps: frames a second.
    """

    def __init__(self, framer: Framer, fps: float) -> None:
        self.framer = framer
        self.fps = fps
        self._number = -1
        self._face: Face | None = None
        self._last = 0
        self._unit = 1.0
        self._filters: list[OneEuro] = []

    def __call__(self, frame_HWC: np.ndarray) -> Square | None:
        """The square in a frame, uint8 (H, W, 3) RGB; None while no face is near, and the whole frame counts."""
        self._number += 1
        if self._face is not None and self._number - self._last > self.framer.hold(self.fps):
            self._face = None
        if self._number % self.framer.every == 0:
            self._look(self.framer.detector(frame_HWC, self._number))
        if self._face is None:
            return None
        x, y, side = self.framer.place(self._face)
        values = (x / self._unit, y / self._unit, math.log(side / self._unit))
        x, y, log_side = (smooth(value) for smooth, value in zip(self._filters, values, strict=True))
        return Square(self._unit * x, self._unit * y, self._unit * math.exp(log_side))

    def _look(self, faces: list[Face]) -> None:
        if self._face is None:
            certain = [face for face in faces if face.score >= _NEW_SCORE]
            if certain:
                self._begin(max(certain, key=lambda face: face.area))
            return
        known = self._face
        nearest = max(faces, key=known.iou, default=None)
        if nearest is not None and known.iou(nearest) >= _LEAST_IOU:
            self._face, self._last = nearest, self._number

    def _begin(self, face: Face) -> None:
        self._face, self._last = face, self._number
        # tolerances are in sides of the square
        self._unit = self.framer.place(face)[2]
        tolerance = self.framer.tolerance
        place, side = (median_window(seconds, self.fps) for seconds in (PLACE_WINDOW_S, SIDE_WINDOW_S))
        self._filters = [OneEuro(self.fps, tolerance, place) for _ in range(2)]
        self._filters.append(OneEuro(self.fps, 2 * tolerance, side))
