"""Stability measured against true labels: T frames, H W pixels, K classes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from facestab.functional.consistency import FIXED_ONE, correct_counts, derivative_errors, interval_counts
from facestab.metrics.classes import checked_names, keyed
from facestab.metrics.counts import VideoMetric
from facestab.metrics.signals import SignalMetric


class VideoConsistency(VideoMetric):
    """Of the pixels whose true label does not change over a window of frames, the share that is right in all of them.

    The video consistency of VSPW (Miao et al., CVPR 2021) with its gaps closed: the prediction must be right, not only
    keep its label; all windows of the length count, also the last; what the truth ignores is left out; and the pixels
    of all windows of all videos are added up and divided once, so that a window counts by what stands still in it. A
    pixel that the prediction leaves open (255) is wrong.

    Args:
        num_frames: length of the windows, at least 2.

    Raises:
        ValueError: for windows of fewer than 2 frames.
    """

    higher_is_better = True

    def __init__(self, num_frames: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_frames < 2:
            raise ValueError(f"num_frames: at least 2 are needed, got {num_frames}")
        self.num_frames = num_frames
        self.context = num_frames - 1
        self._state = f"kept_right_{num_frames}"
        self.add_count(self._state, 2)

    def update(self, pred_THW: Tensor, truth_THW: Tensor) -> None:
        """Add a window of one video: integer ids of equal shapes; where the truth is 255 nothing counts."""
        self.add_to(self._state, correct_counts(pred_THW, truth_THW, self.num_frames))

    def compute(self) -> dict[str, Tensor]:
        """`vc/correct<num_frames>`, 0..1; nan without a pixel that stands still."""
        right, pixels = getattr(self, self._state).double()
        return {f"vc/correct{self.num_frames}": (right / pixels).float()}


class IntervalConsistency(VideoMetric):
    """1 less the share of pixels that change their label where the truth does not, from a frame to the next.

    Rebol and Knoebelreiter, "Frame-To-Frame Consistent Semantic Segmentation" (2020). Pixels of all pairs are added up.
    Whether the label is right does not matter: a frozen output is wholly consistent.
    """

    context = 1
    higher_is_better = True
    interval_kept: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_count("interval_kept", 2)

    def update(self, pred_THW: Tensor, truth_THW: Tensor) -> None:
        """Add a window of one video: integer ids of equal shapes; where the truth is 255 nothing counts."""
        self.interval_kept += interval_counts(pred_THW, truth_THW)

    def compute(self) -> dict[str, Tensor]:
        """`vc/interval`, 0..1; nan without a pixel that stands still."""
        kept, pixels = self.interval_kept.double()
        return {"vc/interval": (kept / pixels).float()}


class DtSsd(SignalMetric):
    """How far the change of the probabilities from frame to frame is from the change of the truth, times 100.

    dtSSD of video matting (Erofeev et al., BMVC 2015): 100 times the root over pixels of the mean square of
    (p[t] - p[t-1]) - (g[t] - g[t-1]), g the truth as 0 and 1, for each class. As usual, the first frame counts as 0 in
    the mean over the frames. The value is the mean over all K classes, and over the videos. Unlike the other measures
    of stability it charges a frozen output for every motion of the truth.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.

    Raises:
        ValueError: when names are missing or stand twice.
    """

    context = 1
    higher_is_better = False
    plot_upper_bound = 200.0

    def __init__(self, class_names: Sequence[str], **kwargs: Any) -> None:
        self.class_names = checked_names(class_names)
        # for each pair of frames: squared errors and true pixels by class, and the pixels that count
        super().__init__(num_columns=2 * len(self.class_names) + 1, **kwargs)

    def update(self, probs_TKHW: Tensor, target_THW: Tensor, first: bool = True) -> None:
        """Add a window of one video.

        Args:
            probs_TKHW: float, 0..1.
            target_THW: integer ids; a pixel that is 255 (ignore) in either frame of a pair is left out.
            first: whether the window begins a video.
        """
        if probs_TKHW.shape[1] != len(self.class_names):
            raise ValueError(f"probs: {len(self.class_names)} classes are needed, got {probs_TKHW.shape[1]}")
        squares_TK, areas_TK, pixels_T = derivative_errors(probs_TKHW, target_THW)
        lines = torch.cat([squares_TK, areas_TK, pixels_T[:, None]], dim=1)
        self.add_frames(lines, first)

    def compute(self) -> dict[str, Tensor]:
        """`flicker/dtssd`, and `flicker/dtssd/<class>` for the classes that the truth holds, the others are nan."""
        num_classes = len(self.class_names)
        nothing = torch.full((num_classes + 1,), torch.nan, device=self.device)
        videos = [_dtssd(signal_TC, num_classes) for signal_TC in self.signals()] or [nothing]
        values = self.mean_over_videos(videos)
        return keyed("flicker/dtssd", values[0], values[1:], self.class_names)


def _dtssd(signal_TC: Tensor, num_classes: int) -> Tensor:
    """The mean over classes, then the classes, of one video."""
    squares_TK, areas_TK, pixels_T = signal_TC.double().tensor_split([num_classes, 2 * num_classes], dim=1)
    errors_TK = 100 * (squares_TK / FIXED_ONE / pixels_T).sqrt()
    # frame 0 has no error and counts; a frame without a pixel that counts does not
    measured = pixels_T[:, 0] > 0
    mean_K = errors_TK[measured].sum(0) / (measured.sum() + 1)
    if not measured.any():
        mean_K = torch.full_like(mean_K, torch.nan)
    return torch.cat([mean_K.mean()[None], mean_K.masked_fill(areas_TK.sum(0) == 0, torch.nan)])
