"""What users do against flicker today: smooth the output of a network over time."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from facestab.video.flow import VideoFrame


class Smoother(Protocol):
    """Makes other probabilities from those of one video, which come in consecutive batches of N frames.

    The split into batches does not change the result. A smoother that looks ahead returns fewer frames than it was
    given, and the rest from `finish`; over a video each frame comes back once, in order.

    Attributes:
        every_frame: whether the network has to run on every frame, which then is part of the cost.
        needs_frames: whether it looks at the frames, and not at probabilities alone.
    """

    every_frame: bool
    needs_frames: bool

    def reset(self) -> None:
        """Forget the video."""
        ...

    def __call__(self, frames: Sequence[VideoFrame], probs_NKHW: Tensor) -> Tensor:
        """Smoothed probabilities, float32 (M, K, H, W), of the next M frames that are decided.

        Args:
            frames: the N frames, at their own size, which may differ from that of the probabilities.
            probs_NKHW: float, softmax over K; left as they are.
        """
        ...

    def finish(self) -> Tensor | None:
        """The frames that were held back, None when there are none; the video ends here."""
        ...
