"""What a network believes: N frames, K classes, H W pixels."""

from typing import Any

import torch
from torch import Tensor

from facestab.functional.calibration import calibration_error, entropy, reliability
from facestab.functional.segmentation import as_bytes
from facestab.metrics.counts import CountMetric

# probabilities are added up in this part of 1: integers add up the same in any order
_ONE = 1 << 20


class Calibration(CountMetric):
    """Mean confidence, mean entropy and, with true labels, the expected calibration error (Guo et al., ICML 2017).

    Beside a metric of probabilities they tell whether a network is steadier or only less sure.

    Args:
        num_bins: of confidence, equally wide.

    Raises:
        ValueError: when num_bins is below 1.
    """

    higher_is_better = None
    confidence_sum: Tensor
    entropy_sum: Tensor
    num_probabilities: Tensor
    bin_pixels: Tensor
    bin_right: Tensor
    bin_confidence: Tensor

    def __init__(self, num_bins: int = 15, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_bins < 1:
            raise ValueError(f"num_bins: at least 1 is needed, got {num_bins}")
        self.num_bins = num_bins
        for name in ("confidence_sum", "entropy_sum", "num_probabilities"):
            self.add_count(name)
        for name in ("bin_pixels", "bin_right", "bin_confidence"):
            self.add_count(name, num_bins)

    def update(self, probs_NKHW: Tensor, target_NHW: Tensor | None = None) -> None:
        """Add frames.

        Args:
            probs_NKHW: float, softmax over K.
            target_NHW: integer ids, 255 is ignore; None where there are none.
        """
        expected = probs_NKHW[:, 0].shape
        if target_NHW is not None and target_NHW.shape != expected:
            raise ValueError(f"target: shape {tuple(expected)} is needed, got {tuple(target_NHW.shape)}")
        if target_NHW is not None:
            target_NHW = as_bytes("target", target_NHW, probs_NKHW.shape[1])
        # frame by frame it stays in the processor's cache
        for index in range(len(probs_NKHW)):
            probs_1KHW = probs_NKHW[index, None].float()
            self.confidence_sum += _fixed_sum(probs_1KHW.amax(1))
            self.entropy_sum += _fixed_sum(entropy(probs_1KHW))
            self.num_probabilities += probs_1KHW[:, 0].numel()
            if target_NHW is not None:
                self._add_labelled(probs_1KHW, target_NHW[index, None])

    def _add_labelled(self, probs_NKHW: Tensor, target_NHW: Tensor) -> None:
        parts = reliability(probs_NKHW, target_NHW, self.num_bins, _ONE)
        for state, part_M in zip((self.bin_pixels, self.bin_right, self.bin_confidence), parts, strict=True):
            state += part_M

    def compute(self) -> dict[str, Tensor]:
        """`confidence/mean`, `confidence/entropy` [nats] and `confidence/ece`, nan without frames or without labels."""
        error = calibration_error(self.bin_pixels, self.bin_right, self.bin_confidence.double() / _ONE)
        return {
            "confidence/mean": (self.confidence_sum.double() / _ONE / self.num_probabilities).float(),
            "confidence/entropy": (self.entropy_sum.double() / _ONE / self.num_probabilities).float(),
            "confidence/ece": error.float(),
        }


def _fixed_sum(values: Tensor) -> Tensor:
    return (values * _ONE).round().sum(dtype=torch.long)
