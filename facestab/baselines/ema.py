"""Exponential moving average of the probabilities, pixel by pixel."""

from torch import Tensor

from facestab.baselines.causal import CausalSmoother
from facestab.video.flow import VideoFrame


class Ema(CausalSmoother[Tensor]):
    """p~_t = decay * p~_{t-1} + (1 - decay) * p_t; the first frame starts it.

    It trades flicker for lag: what moves leaves a ghost of about 1 / (1 - decay) frames.

    Args:
        decay: 0 (each frame for itself) up to, but not including, 1.

    Raises:
        ValueError: when decay is outside that range.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"decay: 0 <= decay < 1 is needed, got {decay}")
        self.decay = decay

    def step(self, frame: VideoFrame | None, probs_KHW: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """The moving average (K, H, W), twice: it is the result and what is remembered."""
        mean_KHW = probs_KHW.clone() if state is None else probs_KHW.lerp(state, self.decay)
        return mean_KHW, mean_KHW
