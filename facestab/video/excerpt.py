"""A part of a video in time and space as a source of its own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import cv2
import numpy as np

from facestab.errors import VideoError
from facestab.types import VideoInfo
from facestab.video.base import Source
from facestab.video.source import VideoSource
from facestab.video.timing import Timing


@dataclass(frozen=True)
class Excerpt:
    """Which part.

    Attributes:
        start: the first frame.
        stop: the frame after the last, None for the end of the video.
        box: left, top, right and bottom in pixels, the same for all frames; it may reach over the picture's edge, whose
            pixels are then repeated. None: the whole picture.
    """

    start: int = 0
    stop: int | None = None
    box: tuple[int, int, int, int] | None = None

    def info(self, whole: VideoInfo) -> VideoInfo:
        """What is known of the part.

        Raises:
            VideoError: when it holds no frame, or its box no pixel of the picture.
        """
        num_frames = len(range(whole.num_frames)[self.start : self.stop])
        if num_frames < 1:
            raise VideoError(f"{whole.path}: frames {self.start} to {self.stop} of {whole.num_frames} hold nothing")
        if self.box is None:
            return replace(whole, num_frames=num_frames)
        left, top, right, bottom = self.box
        if right <= max(left, 0) or bottom <= max(top, 0) or left >= whole.width or top >= whole.height:
            raise VideoError(
                f"{whole.path}: the box {self.box} (left, top, right, bottom) lies outside the picture of "
                f"{whole.width}x{whole.height}"
            )
        return replace(whole, num_frames=num_frames, height=bottom - top, width=right - left)


class ExcerptSource(Source):
    """The frames of a part of a video.

    Args:
        source: the whole video; closed with the part.
        excerpt: the part.
    """

    def __init__(self, source: VideoSource, excerpt: Excerpt) -> None:
        self.source = source
        self.excerpt = excerpt

    @property
    def info(self) -> VideoInfo:
        """Of the part."""
        return self.excerpt.info(self.source.info)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames start .. stop - 1 of the part as a slice takes them, uint8 (H, W, 3) RGB."""
        numbers = range(self.source.info.num_frames)[self.excerpt.start : self.excerpt.stop][start:stop]
        return (self._cut(frame_HWC) for frame_HWC in self.source.frames(numbers.start, numbers.stop))

    def pair(self, index: int) -> np.ndarray:
        """Frames index and index + 1 of the part, uint8 (2, H, W, 3) RGB."""
        self.check_pair(index)
        return np.stack([self._cut(frame_HWC) for frame_HWC in self.source.pair(self.excerpt.start + index)])

    def timing(self) -> Timing:
        """When the frames are shown; the sound of a whole file that is only cut in its pictures."""
        whole, info = self.source.timing(), self.source.info
        times = whole.times[self.excerpt.start : self.excerpt.stop]
        start = times[0] if times else Fraction(0)
        is_all = self.info.num_frames == info.num_frames
        return Timing(whole.fps, tuple(time - start for time in times), whole.audio if is_all else None)

    def close(self) -> None:
        """Let go of what the source holds."""
        self.source.close()

    def _cut(self, frame_HWC: np.ndarray) -> np.ndarray:
        if self.excerpt.box is None:
            return frame_HWC
        left, top, right, bottom = self.excerpt.box
        height, width = frame_HWC.shape[:2]
        inside_HWC = frame_HWC[max(top, 0) : bottom, max(left, 0) : right]
        over = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
        return cv2.copyMakeBorder(inside_HWC, *over, cv2.BORDER_REPLICATE) if any(over) else inside_HWC
