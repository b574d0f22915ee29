"""Flicker where the picture stands still: what a viewer sees at once. T frames, H W pixels, K classes."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from facestab.functional.consistency import static_counts
from facestab.functional.flicker import switch_counts
from facestab.metrics.classes import checked_names
from facestab.metrics.counts import VideoMetric
from facestab.metrics.flicker import shares


class StaticFlicker(VideoMetric):
    """Share of pixels whose label changes though the picture there does not [fraction/frame].

    Args:
        class_names: one per id, the first is the background; at least 2, all different.

    Raises:
        ValueError: when names are missing or stand twice.
    """

    context = 1
    higher_is_better = False
    static_switches: Tensor

    def __init__(self, class_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.class_names = checked_names(class_names)
        self.add_count("static_switches", len(self.class_names), 2)

    def update(self, labels_THW: Tensor, static_THW: Tensor) -> None:
        """Add a window of one video.

        Args:
            labels_THW: integer ids, 255 is ignore.
            static_THW: bool, where frame t is like frame t+1, one frame less; see `static_mask`.
        """
        self.static_switches += switch_counts(labels_THW, len(self.class_names), static_THW)

    def compute(self) -> dict[str, Tensor]:
        """`flicker/static`, and `flicker/static/<class>` by the class that is left; nan without static pixels."""
        return shares("flicker/static", self.static_switches, self.class_names)


class StaticConsistency(VideoMetric):
    """Share of the pixels that keep one label over a window in which the picture stands still.

    The video consistency of VSPW without true labels: what does not move should not change. All windows of the length
    count, also the last; their pixels are added up and divided once, and a pixel that is ignored in a frame of a window
    is left out of it. A frozen output is wholly consistent.

    Args:
        num_frames: length of the windows, at least 2.
        key: under which the value stands, such as "vc/static_second".

    Raises:
        ValueError: for windows of fewer than 2 frames.
    """

    higher_is_better = True

    def __init__(self, num_frames: int, key: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_frames < 2:
            raise ValueError(f"num_frames: at least 2 are needed, got {num_frames}")
        self.num_frames = num_frames
        self.context = num_frames - 1
        self.key = key
        self._state = f"static_kept_{num_frames}"
        self.add_count(self._state, 2)

    def update(self, labels_THW: Tensor, static_THW: Tensor) -> None:
        """Add a window of one video.

        Args:
            labels_THW: integer ids, 255 is ignore.
            static_THW: bool, where frame t is like frame t+1, one frame less; see `static_mask`.
        """
        self.add_to(self._state, static_counts(labels_THW, static_THW, self.num_frames))

    def compute(self) -> dict[str, Tensor]:
        """The share, 0..1; nan without a static pixel."""
        kept, pixels = getattr(self, self._state).double()
        return {self.key: (kept / pixels).float()}
