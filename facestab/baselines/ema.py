"""Exponential moving average of the probabilities, pixel by pixel."""

import torch
from torch import Tensor


class Ema:
    """p~_t = decay * p~_{t-1} + (1 - decay) * p_t, then the most probable class; the first frame starts it.

    It trades flicker for lag: what moves leaves a ghost of about 1 / (1 - decay) frames.

    Args:
        decay: 0 (each frame for itself) up to, but not including, 1.

    Raises:
        ValueError: when decay is outside that range.
    """

    every_frame = True

    def __init__(self, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay: 0 <= decay < 1 is needed, got {decay}")
        self.decay = decay
        self._mean_KHW: Tensor | None = None

    def reset(self) -> None:
        """Forget the video."""
        self._mean_KHW = None

    @torch.no_grad()
    def __call__(self, frames_NCHW: Tensor, probs_NKHW: Tensor) -> Tensor:
        """labels_NHW, uint8, of the next frames; see `Smoother`."""
        labels_NHW = torch.empty_like(probs_NKHW[:, 0], dtype=torch.uint8)
        for labels_HW, probs_KHW in zip(labels_NHW, probs_NKHW.float(), strict=True):
            mean_KHW = probs_KHW if self._mean_KHW is None else self._mean_KHW
            self._mean_KHW = probs_KHW.lerp(mean_KHW, self.decay)
            labels_HW.copy_(self._mean_KHW.argmax(0))
        return labels_NHW
