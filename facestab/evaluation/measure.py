"""Large frames at the size at which they are measured."""

from collections.abc import Sequence

import numpy as np

from facestab.baselines.resize import resize_frame
from facestab.nets.inference import resize_labels
from facestab.video.crop import Region
from facestab.video.flow import VideoFrame


class Measure:
    """Brings frames and masks to the measured size; those of a video that is no larger stay as they are.

    Masks are sampled, not voted on: a share of pixels, such as ABA flicker, is the same in the mean. Distances are in
    pixels of the measured size.

    Args:
        size: height and width of the video.
        largest: pixels of the shorter side above which it is reduced to that; None measures it as it is.
    """

    def __init__(self, size: tuple[int, int], largest: int | None) -> None:
        factor = 1.0 if largest is None else min(1.0, largest / min(size))
        self.factor = factor
        self.size = size if factor == 1 else (round(factor * size[0]), round(factor * size[1]))

    def labels(self, labels_NHW: np.ndarray) -> np.ndarray:
        """uint8 ids (N, h, w)."""
        return resize_labels(labels_NHW, *self.size)

    def frames(self, frames: Sequence[VideoFrame] | None) -> list[VideoFrame] | None:
        """The frames with pixels uint8 (h, w, 3)."""
        return None if frames is None else [resize_frame(frame, *self.size) for frame in frames]

    def region(self, region: Region | None) -> Region | None:
        """Where a region of the frame lies."""
        if region is None or self.factor == 1:
            return region
        height, width = self.size
        left, top = int(self.factor * region.left), int(self.factor * region.top)
        right, bottom = round(self.factor * region.right), round(self.factor * region.bottom)
        return Region(left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height))
