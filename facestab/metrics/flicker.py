"""Flicker without ground truth and without flow: T frames, H W pixels."""

from typing import Any

from torch import Tensor

from facestab.functional.flicker import aba_counts, switch_counts
from facestab.metrics.counts import VideoMetric


class AbaFlicker(VideoMetric):
    """Share of pixels whose label leaves for one frame and comes back, S[t-1] == S[t+1] != S[t] [fraction/frame].

    Smooth motion hardly counts, a label that blinks does. 0..1, lower is better, nan without three frames.

    Example:
        >>> import torch
        >>> metric = AbaFlicker()
        >>> metric.update(torch.tensor([[[1, 1]], [[1, 2]], [[1, 1]]]))
        >>> metric.compute()
        tensor(0.5000)
    """

    context = 2
    higher_is_better = False
    num_aba: Tensor
    num_aba_valid: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_count("num_aba")
        self.add_count("num_aba_valid")

    def update(self, labels_THW: Tensor) -> None:
        """Add a window of one video: integer ids, 255 is ignore."""
        num_aba, num_valid = aba_counts(labels_THW)
        self.num_aba += num_aba
        self.num_aba_valid += num_valid

    def compute(self) -> Tensor:
        """The share, a float scalar."""
        return self.num_aba / self.num_aba_valid


class SwitchRate(VideoMetric):
    """Share of pixels whose label differs from the frame before [fraction/frame].

    Motion counts like flicker: compare it with a reference of the same video. 0..1, nan without two frames.
    """

    context = 1
    higher_is_better = False
    num_switched: Tensor
    num_switch_valid: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_count("num_switched")
        self.add_count("num_switch_valid")

    def update(self, labels_THW: Tensor) -> None:
        """Add a window of one video: integer ids, 255 is ignore."""
        num_switched, num_valid = switch_counts(labels_THW)
        self.num_switched += num_switched
        self.num_switch_valid += num_valid

    def compute(self) -> Tensor:
        """The share, a float scalar."""
        return self.num_switched / self.num_switch_valid
