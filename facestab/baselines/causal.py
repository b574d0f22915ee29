"""What smoothers share that decide a frame as soon as it comes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from facestab.video.flow import VideoFrame

State = TypeVar("State")


class CausalSmoother(ABC, Generic[State]):
    """A `Smoother` that goes frame by frame, each from its own probabilities and what it remembers of those before.

    One frame at a time: so the split into batches cannot change the result.
    """

    every_frame = True
    needs_frames = False

    def __init__(self) -> None:
        self._state: State | None = None

    def reset(self) -> None:
        """Forget the video."""
        self._state = None

    @torch.no_grad()
    def __call__(self, frames: Sequence[VideoFrame], probs_NKHW: Tensor) -> Tensor:
        """Smoothed probabilities of the same N frames; see `Smoother`."""
        smoothed_NKHW = torch.empty_like(probs_NKHW, dtype=torch.float32)
        seen = frames if self.needs_frames else [None] * len(probs_NKHW)
        for smoothed_KHW, frame, probs_KHW in zip(smoothed_NKHW, seen, probs_NKHW, strict=True):
            made_KHW, self._state = self.step(frame, probs_KHW.float(), self._state)
            smoothed_KHW.copy_(made_KHW)
        return smoothed_NKHW

    def finish(self) -> None:
        """Nothing was held back; the next frame begins another video."""
        self.reset()

    @abstractmethod
    def step(self, frame: VideoFrame | None, probs_KHW: Tensor, state: State | None) -> tuple[Tensor, State]:
        """The next frame's smoothed probabilities, and what to remember.

        Args:
            frame: None unless `needs_frames`.
            probs_KHW: float32; left as they are, and not remembered without a copy.
            state: what the step before remembered, None at the first.
        """
