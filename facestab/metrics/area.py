"""Stability of the areas of classes: T frames, H W pixels, K classes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from facestab.functional.segmentation import class_areas
from facestab.functional.signals import area_volatility, dropouts
from facestab.metrics.classes import checked_names, keyed
from facestab.metrics.signals import SignalMetric


class AreaVolatility(SignalMetric):
    """How the areas of classes shake, and how often a class drops out; without truth and without flow.

    Volatility is the standard deviation of the second difference of log area [log area / frame^2]. A dropout is a class
    that vanishes for one or two frames and comes back [1/s]. Both are taken of each video, then averaged over videos.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.
        fps: frames per second.
        min_area_px: only frames where a class has more pixels count for its volatility, and a class must have had more
            in the frame before it drops out.

    Raises:
        ValueError: when names are missing or stand twice, fps is not above 0, or min_area_px is negative.
    """

    higher_is_better = False

    def __init__(self, class_names: Sequence[str], fps: float, min_area_px: int = 16, **kwargs: Any) -> None:
        # areas of an hour of video stay in memory: half as much so
        super().__init__(num_columns=len(checked_names(class_names)), dtype=torch.int32, **kwargs)
        self.class_names = tuple(class_names)
        if fps <= 0:
            raise ValueError(f"fps: more than 0 is needed, got {fps}")
        if min_area_px < 0:
            raise ValueError(f"min_area_px: 0 or more is needed, got {min_area_px}")
        self.fps = fps
        self.min_area_px = min_area_px

    def update(self, labels_THW: Tensor, first: bool = True) -> None:
        """Add frames.

        Args:
            labels_THW: integer ids, 255 belongs to no class.
            first: whether they begin a video.
        """
        self.add_frames(class_areas(labels_THW, self.num_columns), first)

    def compute(self) -> dict[str, Tensor]:
        """`flicker/area_volatility` (mean over classes), `flicker/dropouts` (their sum), each with `/<class>`.

        Both leave out the background, and classes that are never large enough, which are nan.
        """
        nothing = torch.full((2, self.num_columns + 1), torch.nan)
        videos = [self._values(areas_TK.long()) for areas_TK in self.signals()] or [nothing]
        (volatility, *by_class), (rate, *rate_by_class) = self.mean_over_videos(videos)
        return {
            **keyed("flicker/area_volatility", volatility, torch.stack(by_class), self.class_names),
            **keyed("flicker/dropouts", rate, torch.stack(rate_by_class), self.class_names),
        }

    def _values(self, areas_TK: Tensor) -> Tensor:
        """One video's volatility and dropouts per second, (2, 1 + K): overall, then by class."""
        volatility_K = area_volatility(areas_TK, self.min_area_px)
        rate_K = dropouts(areas_TK, self.min_area_px) * float(self.fps) / len(areas_TK)
        # the sum of nothing is nan, not 0
        total = rate_K[1:].nanmean() * rate_K[1:].isfinite().sum()
        overall = torch.stack([volatility_K[1:].nanmean(), total])
        return torch.cat([overall[:, None], torch.stack([volatility_K, rate_K])], dim=1)
