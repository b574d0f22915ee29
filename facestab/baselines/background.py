"""The control that sees nothing: perfectly stable, and wrong wherever there is something."""

import torch
from torch import Tensor

from facestab.baselines.causal import CausalSmoother
from facestab.video.flow import VideoFrame


class Background(CausalSmoother[None]):
    """Class 0 with probability 1 at every pixel of every frame."""

    every_frame = False

    def step(self, frame: VideoFrame | None, probs_KHW: Tensor, state: None) -> tuple[Tensor, None]:
        """One at class 0 and zero elsewhere, float32 (K, H, W)."""
        empty_KHW = torch.zeros_like(probs_KHW)
        empty_KHW[0] = 1
        return empty_KHW, None
