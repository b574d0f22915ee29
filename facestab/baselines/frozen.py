"""The control beside every stability metric: perfectly stable, and wrong as soon as anything moves."""

from torch import Tensor

from facestab.baselines.causal import CausalSmoother
from facestab.video.flow import VideoFrame


class FrozenFirst(CausalSmoother[Tensor]):
    """Repeats the probabilities of the first frame for the whole video."""

    every_frame = False

    def step(self, frame: VideoFrame | None, probs_KHW: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """The first frame's probabilities (K, H, W), twice."""
        first_KHW = probs_KHW.clone() if state is None else state
        return first_KHW, first_KHW
