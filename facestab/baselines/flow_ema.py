"""The moving average along the motion: the prior art of patent CN110427899A, Fig. 1."""

import torch
from torch import Tensor

from facestab.baselines.causal import CausalSmoother
from facestab.baselines.resize import resize_frame
from facestab.functional.warping import warp_bilinear
from facestab.video.flow import FlowBackend, VideoFrame


class FlowEma(CausalSmoother[tuple[VideoFrame, Tensor]]):
    """p~_t = m * warp(p~_{t-1}) + (1 - m) * p_t, the frame before brought onto this one by optical flow.

    The mask is m = decay * exp(-e / photometric_scale) where the pixel was visible in the frame before, else 0; e is
    the mean absolute difference of the frame's RGB values and the warped ones before, in 0..1. The flow is that
    between the frames at the size of the probabilities.

    Args:
        decay: 0 (each frame for itself) up to, but not including, 1.
        flow: finds the motion from a frame to the one before.
        photometric_scale: above 0, in 0..1 of the grey levels; infinite leaves the difference out.

    Raises:
        ValueError: when decay or photometric_scale is outside its range.
    """

    needs_frames = True

    def __init__(self, decay: float, flow: FlowBackend, photometric_scale: float = 0.2) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"decay: 0 <= decay < 1 is needed, got {decay}")
        if not photometric_scale > 0:
            raise ValueError(f"photometric_scale: above 0 is needed, got {photometric_scale}")
        self.decay = decay
        self.flow = flow
        self.photometric_scale = photometric_scale

    def step(
        self, frame: VideoFrame | None, probs_KHW: Tensor, state: tuple[VideoFrame, Tensor] | None
    ) -> tuple[Tensor, tuple[VideoFrame, Tensor]]:
        """The average (K, H, W); remembers it with the resized frame."""
        assert frame is not None
        small = resize_frame(frame, *probs_KHW.shape[1:])
        mean_KHW = probs_KHW.clone() if state is None else self._blend(small, probs_KHW, *state)
        return mean_KHW, (small, mean_KHW)

    def _blend(self, frame: VideoFrame, probs_KHW: Tensor, before: VideoFrame, mean_KHW: Tensor) -> Tensor:
        motion = self.flow.correspondence(frame, before)
        flow_HW2 = torch.from_numpy(motion.flow_HW2).to(probs_KHW.device)
        # pixels and probabilities move together
        maps_CHW = torch.cat([_pixels(before, probs_KHW), mean_KHW])
        warped_CHW, in_bounds_HW = warp_bilinear(maps_CHW, flow_HW2)
        error_HW = (_pixels(frame, probs_KHW) - warped_CHW[:3]).abs().mean(0)
        visible_HW = torch.from_numpy(motion.visible_HW).to(probs_KHW.device) & in_bounds_HW
        mask_HW = self.decay * torch.exp(-error_HW / self.photometric_scale) * visible_HW
        return probs_KHW.lerp(warped_CHW[3:], mask_HW)


def _pixels(frame: VideoFrame, like: Tensor) -> Tensor:
    """(3, H, W) in 0..1, of the type and on the device of `like`."""
    return torch.from_numpy(frame.pixels_HWC).to(like).movedim(-1, 0) / 255
