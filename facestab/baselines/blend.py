"""The smoothing of a widely used product: pixels that the network is not sure of lean on the frame before."""

import torch
from torch import Tensor

from facestab.baselines.causal import CausalSmoother
from facestab.video.flow import VideoFrame

# of MediaPipe's segmentation_smoothing_calculator.cc, for x, x^2 ... of x = (p - 1/2)^2
COEFFICIENTS = (5.68842, -0.748699, -57.8051, 291.309, -624.717)


def uncertainty(probs: Tensor) -> Tensor:
    """How little a probability decides between yes and no: 1 at p = 1/2, 0 at p = 0 and p = 1.

    MediaPipe's polynomial for the square of the entropy of (p, 1 - p) in bits; it is within 0.01 of it.
    """
    x = (probs - 0.5).square()
    certainty = torch.zeros_like(x)
    for coefficient in reversed(COEFFICIENTS):
        certainty = (certainty + coefficient) * x
    return 1 - certainty.clamp(max=1)


class UncertaintyBlend(CausalSmoother[Tensor]):
    """p~_t = p_t + ratio * u(p_t) * (p~_{t-1} - p_t), with the uncertainty u of `uncertainty`.

    MediaPipe smooths the mask of one class like this. Here each class's map is smoothed as such a mask, and the maps of
    a pixel are divided by their sum; with two classes that sum is 1 and the rule is MediaPipe's.

    Args:
        ratio: 0 (each frame for itself) to 1, `combine_with_previous_ratio` there.

    Raises:
        ValueError: when ratio is outside that range.
    """

    def __init__(self, ratio: float = 0.9) -> None:
        super().__init__()
        if not 0 <= ratio <= 1:
            raise ValueError(f"ratio: 0 <= ratio <= 1 is needed, got {ratio}")
        self.ratio = ratio

    def step(self, frame: VideoFrame | None, probs_KHW: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """The blended probabilities (K, H, W), twice: they are the result and what is remembered."""
        if state is None:
            return probs_KHW, probs_KHW.clone()
        blended_KHW = probs_KHW + self.ratio * uncertainty(probs_KHW) * (state - probs_KHW)
        blended_KHW /= blended_KHW.sum(0)
        return blended_KHW, blended_KHW
