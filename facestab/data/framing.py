"""From the faces of a video to the squares that the network sees."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.ndimage import median_filter

from facestab.video.crop import Square
from facestab.video.crop_path import OneEuro, still_path
from facestab.video.faces import Face, FaceDetector, Track, follow, largest_only

PATHS = ("still", "one_euro", "raw")
# a face that is seen in fewer frames is taken for a mistake
_MIN_FRAMES = 3
# detections of so many seconds are believed together; a face changes its size more slowly than its place
PLACE_WINDOW_S, SIDE_WINDOW_S = 1.0, 2.0
# detections before and after one that say how large the face is, and the log of the factor by which it may differ
_AROUND, _LARGEST_JUMP = 7, 0.3


class Framer:
    """Finds faces, follows them, and frames each as the training images frame theirs.

    Args:
        detector: finds the faces of a frame.
        scale: side of the square, in longer sides of the face's box.
        shift: how far the square's centre lies below the box's, in heights of the box; negative is above.
        faces: "largest" for one face at a time, or "all".
        path: "still" moves the square as little as the face allows, looking ahead; "one_euro" is for streams and looks
            back only; "raw" follows every box.
        tolerance: how far the square may be from where the boxes would have it, in its sides, before it moves.
        hold_s: seconds for which the last place holds when the face is lost; then the whole frame is seen.
        every: frames from one detection to the next; between them places are interpolated.
        compare_fixed: whether prediction also measures the network in one square that does not move, so that one sees
            which part of the flicker is the crop's.

    Raises:
        ValueError: for a setting outside its range.
    """

    def __init__(
        self,
        detector: FaceDetector,
        scale: float,
        shift: float = 0.0,
        faces: str = "largest",
        path: str = "still",
        tolerance: float = 0.05,
        hold_s: float = 1.0,
        every: int = 1,
        compare_fixed: bool = False,
    ) -> None:
        if not scale > 0:
            raise ValueError(f"detector.scale must be above 0, got {scale}")
        if faces not in ("largest", "all"):
            raise ValueError(f"detector.faces is largest or all, got {faces}")
        if path not in PATHS:
            raise ValueError(f"detector.path is one of {', '.join(PATHS)}, got {path}")
        for name, value in (("tolerance", tolerance), ("hold_s", hold_s)):
            if not value >= 0:
                raise ValueError(f"detector.{name} must not be negative, got {value}")
        if every < 1:
            raise ValueError(f"detector.every must be at least 1, got {every}")
        self.detector = detector
        self.scale = scale
        self.shift = shift
        self.faces = faces
        self.path = path
        self.tolerance = tolerance
        self.hold_s = hold_s
        self.every = every
        self.compare_fixed = compare_fixed

    def settings(self) -> dict[str, Any]:
        """What decides the result, as primitives."""
        own = {
            name: getattr(self, name) for name in ("scale", "shift", "faces", "path", "tolerance", "hold_s", "every")
        }
        return {**own, **self.detector.settings()}

    def fixed(self, found: Sequence[Sequence[Face]], fps: Fraction) -> Square | None:
        """One square for all frames, as the training pairs have it: around the largest face wherever it goes.

        None when there is no face.
        """
        places = [self.place(face) for track in largest_only(self._tracks(found, fps)) for face in track.faces.values()]
        if not places:
            return None
        # a few detections may be wrong, and a face that dashes aside once may be cut
        places_N3 = np.array(places)
        side = places_N3[:, 2]
        low, high = (np.percentile(places_N3[:, :2], share, axis=0) for share in (2, 98))
        x, y = map(float, (low + high) / 2)
        return Square(x, y, float(np.median(side) + (high - low).max()))

    def find(self, frames: Iterable[np.ndarray]) -> list[list[Face]]:
        """The faces of every frame; frames between detections have none."""
        return [[] if n % self.every else self.detector(frame_HWC, n) for n, frame_HWC in enumerate(frames)]

    def squares(self, found: Sequence[Sequence[Face]], fps: Fraction) -> list[list[Square]]:
        """The squares of every frame; none where no face is near, and the whole frame counts."""
        tracks = self._tracks(found, fps)
        if self.faces == "largest":
            tracks = largest_only(tracks)
        framed: list[list[tuple[int, Square]]] = [[] for _ in found]
        for track in tracks:
            seen = min(track.faces), max(track.faces)
            first, squares = self._path(track, len(found), float(fps))
            for number, square in enumerate(squares, start=first):
                framed[number].append((max(seen[0] - number, number - seen[1], 0), square))
        if self.faces == "largest":
            # one face is held while the next is seen already: the one that was seen last, or will be soonest, counts
            framed = [sorted(own, key=lambda one: one[0])[:1] for own in framed]
        return [[square for _, square in own] for own in framed]

    def _tracks(self, found: Sequence[Sequence[Face]], fps: Fraction) -> list[Track]:
        return follow(found, self.hold(float(fps)), _MIN_FRAMES)

    def hold(self, fps: float) -> int:
        """Frames for which the last place holds."""
        return max(self.every - 1, round(self.hold_s * fps))

    def place(self, face: Face) -> tuple[float, float, float]:
        """Centre and side of the square of a face, before anything is smoothed."""
        width, height = face.right - face.left, face.bottom - face.top
        # a box's edges count pixels from 0, centres of pixels from 0.5
        x, y = (face.left + face.right - 1) / 2, (face.top + face.bottom - 1) / 2
        return x, y + self.shift * height, self.scale * max(width, height)

    def _path(self, track: Track, num_frames: int, fps: float) -> tuple[int, list[Square]]:
        """The first frame and the squares from there on: as long as the face is seen, and a little beyond."""
        numbers = sorted(track.faces)
        hold = self.hold(fps)
        first, last = max(0, numbers[0] - hold), min(num_frames - 1, numbers[-1] + hold)
        measured = np.array([self.place(track.faces[number]) for number in numbers])
        trusted = _of_steady_size(measured[:, 2])
        numbers, measured = np.array(numbers)[trusted], measured[trusted]
        times = np.arange(first, last + 1)
        # between detections in a straight line, beyond the first and the last as they are
        path = np.stack([np.interp(times, numbers, values) for values in measured.T])
        unit = float(np.median(path[2]))
        x, y = (unit * self._smooth(values / unit, self.tolerance, fps, PLACE_WINDOW_S) for values in path[:2])
        sides = np.exp(self._smooth(np.log(path[2]), 2 * self.tolerance, fps, SIDE_WINDOW_S))
        return first, [Square(*map(float, place)) for place in zip(x, y, sides, strict=True)]

    def _smooth(self, path_T: np.ndarray, tolerance: float, fps: float, window_s: float) -> np.ndarray:
        window = median_window(window_s, fps)
        if self.path == "still":
            return still_path(path_T, tolerance, window)
        if self.path == "one_euro":
            smooth = OneEuro(fps, tolerance, window)
            return np.array([smooth(value) for value in path_T])
        return path_T


def median_window(seconds: float, fps: float) -> int:
    """Frames whose detections are believed together, an odd number."""
    return 2 * round(seconds * fps / 2) + 1


def _of_steady_size(side_N: np.ndarray) -> np.ndarray:
    """Which detections, bool (N,), have about the size of those around: a face does not jump towards the camera."""
    usual_N = median_filter(side_N, 2 * _AROUND + 1, mode="reflect")
    return np.asarray(np.abs(np.log(side_N / usual_N)) < _LARGEST_JUMP)


def no_framer() -> None:
    """The network sees whole frames."""
