"""Does what moves still move, and in time: T frames, H W pixels, K classes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from facestab.functional.segmentation import class_areas, is_known
from facestab.functional.signals import moving, response
from facestab.labels import IGNORE_ID
from facestab.metrics.classes import checked_names, keyed
from facestab.metrics.signals import SignalMetric


class Dynamics(SignalMetric):
    """How the areas of classes follow those of a reference: amplitude, correlation and lag, by class.

    The guard of every stability metric: labels that are frozen have amplitude 0, a smoother that trades flicker for lag
    shows its lag, one that swallows blinks a lower amplitude. Areas are compared without their slow part, a moving
    average of one second, for classes that move in the reference; see `moving` and `Response`. Each video for itself,
    then the mean over videos; in a video shorter than a second nothing moves.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.
        fps: frames per second.
        max_lag_s: the largest lag either way, in seconds.

    Raises:
        ValueError: when names are missing or stand twice, fps is not above 0, or max_lag_s is negative.
    """

    higher_is_better = None

    def __init__(self, class_names: Sequence[str], fps: float, max_lag_s: float = 0.4, **kwargs: Any) -> None:
        # areas of an hour of video stay in memory: half as much so
        super().__init__(num_columns=2 * len(checked_names(class_names)), dtype=torch.int32, **kwargs)
        self.class_names = tuple(class_names)
        if fps <= 0:
            raise ValueError(f"fps: more than 0 is needed, got {fps}")
        if max_lag_s < 0:
            raise ValueError(f"max_lag_s: 0 or more is needed, got {max_lag_s}")
        self.fps = fps
        self.max_lag_s = max_lag_s

    def update(self, labels_THW: Tensor, reference_THW: Tensor, first: bool = True) -> None:
        """Add frames.

        Args:
            labels_THW: integer ids, 255 belongs to no class.
            reference_THW: integer ids; a pixel with 255 is left out on both sides.
            first: whether they begin a video.
        """
        if labels_THW.shape != reference_THW.shape:
            needed, got = tuple(reference_THW.shape), tuple(labels_THW.shape)
            raise ValueError(f"labels: the shape of the reference {needed} is needed, got {got}")
        num_classes = len(self.class_names)
        known_THW = is_known(reference_THW)
        if not known_THW.all():
            labels_THW = labels_THW.masked_fill(~known_THW, IGNORE_ID)
        areas = class_areas(labels_THW, num_classes), class_areas(reference_THW, num_classes, "reference")
        self.add_frames(torch.cat(areas, dim=1), first)

    def compute(self) -> dict[str, Tensor]:
        """`dynamics/amplitude`, `dynamics/correlation`, `dynamics/lag` [frames], each with `/<class>`.

        Each is the mean over the classes that move; the others are nan.
        """
        nothing = torch.full((3, len(self.class_names) + 1), torch.nan)
        videos = [self._values(areas_TC.long()) for areas_TC in self.signals()] or [nothing]
        keys = ("dynamics/amplitude", "dynamics/correlation", "dynamics/lag")
        values = zip(keys, self.mean_over_videos(videos), strict=True)
        return {name: v for key, row in values for name, v in keyed(key, row[0], row[1:], self.class_names).items()}

    def _values(self, areas_TC: Tensor) -> Tensor:
        """One video's amplitude, correlation and lag, (3, 1 + K): overall, then by class."""
        labels_TK, reference_TK = areas_TC.chunk(2, dim=1)
        num_frames = 2 * round(float(self.fps) / 2) + 1
        max_lag = round(self.max_lag_s * float(self.fps))
        values_3K = torch.stack(response(labels_TK, reference_TK, num_frames, max_lag))
        values_3K = values_3K.masked_fill(~moving(reference_TK, num_frames), torch.nan)
        return torch.cat([values_3K.nanmean(1, keepdim=True), values_3K], dim=1)
