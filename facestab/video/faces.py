"""Faces that a detector finds in frames, and which of them are the same one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

# boxes of one face in two frames share at least this much
_LEAST_IOU = 0.3


@dataclass(frozen=True)
class Face:
    """The box of a face in a frame, in pixels from the frame's upper left corner.

    Attributes:
        left: of the box.
        top: of the box.
        right: of the box.
        bottom: of the box.
        score: how certain the detector is, in its own unit.
    """

    left: float
    top: float
    right: float
    bottom: float
    score: float = 1.0

    @property
    def area(self) -> float:
        """In pixels."""
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)

    def iou(self, other: "Face") -> float:
        """Intersection over union."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(0.0, width) * max(0.0, height)
        whole = self.area + other.area - shared
        return shared / whole if whole else 0.0


class FaceDetector(Protocol):
    """Finds faces in frames of one video."""

    def __call__(self, frame_HWC: np.ndarray, index: int) -> list[Face]:
        """The faces of a frame, uint8 (H, W, 3) RGB, with its number."""
        ...

    def settings(self) -> dict[str, Any]:
        """What decides the result, as primitives."""
        ...


@dataclass
class Track:
    """One face through a video: frame number to box."""

    faces: dict[int, Face] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The last frame in which it was seen."""
        return max(self.faces)

    @property
    def weight(self) -> float:
        """Sides of the boxes, summed over the frames: a near passer-by counts less than whom the video shows."""
        return sum(math.sqrt(face.area) for face in self.faces.values())


def follow(found: Sequence[Sequence[Face]], hold: int, min_frames: int = 1, new_score: float = 0.5) -> list[Track]:
    """Which faces of successive frames are the same one, the largest first.

    A face is the one of an earlier frame whose box it overlaps most, taken over all faces of the frame together. One
    that the detector is not certain of is believed where an earlier one was, and begins no track: after Zhang et al.,
    "ByteTrack" (ECCV 2022).

    Args:
        found: the faces of every frame.
        hold: frames for which a face may be out of sight and still be the same one.
        min_frames: tracks with fewer certain faces are left out: what is seen once is rarely one.
        new_score: certainty that a new track needs.
    """
    tracks: list[Track] = []
    for number, faces in enumerate(found):
        active = [track for track in tracks if number - track.last <= hold + 1]
        ious = np.array([[track.faces[track.last].iou(face) for face in faces] for track in active])
        # a certain box counts for more than a doubtful one that lies a little better
        scores = np.array([0.5 + min(face.score, new_score) for face in faces])
        taken = set()
        if ious.size:
            for row, column in zip(*linear_sum_assignment(-ious * scores), strict=True):
                if ious[row, column] >= _LEAST_IOU:
                    active[row].faces[number] = faces[column]
                    taken.add(int(column))
        seen = [active_track.faces[number] for active_track in active if number in active_track.faces]
        for column, face in enumerate(faces):
            # the same face may have been found twice
            is_new = column not in taken and face.score >= new_score
            if is_new and all(face.iou(other) < _LEAST_IOU for other in seen):
                tracks.append(Track({number: face}))
                seen.append(face)
    least = min(min_frames, sum(bool(faces) for faces in found))
    long_enough = [track for track in tracks if sum(f.score >= new_score for f in track.faces.values()) >= least]
    return sorted(long_enough, key=lambda track: -track.weight)


def largest_only(tracks: Sequence[Track]) -> list[Track]:
    """Of tracks at the same time the one with more weight, so that there is one face at a time."""
    kept: list[Track] = []
    for track in sorted(tracks, key=lambda track: -track.weight):
        span = min(track.faces), track.last
        if all(span[1] < min(other.faces) or other.last < span[0] for other in kept):
            kept.append(track)
    return kept
