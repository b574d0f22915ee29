"""What users do against flicker today: smooth the output of a network over time."""

from typing import Protocol

from torch import Tensor


class Smoother(Protocol):
    """Makes labels from the probabilities of one video, which come in consecutive batches of N frames.

    The split into batches does not change the result. Call `reset` before another video.

    Attributes:
        every_frame: whether the network has to run on every frame, which then is part of the cost.
    """

    every_frame: bool

    def reset(self) -> None:
        """Forget the video."""

    def __call__(self, frames_NCHW: Tensor, probs_NKHW: Tensor) -> Tensor:
        """Labels of the next frames of the video.

        Args:
            frames_NCHW: uint8 RGB.
            probs_NKHW: float, softmax over K.

        Returns:
            labels_NHW, uint8, one frame for each.
        """
        ...
