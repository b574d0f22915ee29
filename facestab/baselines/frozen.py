"""The control beside every stability metric: perfectly stable, and wrong as soon as anything moves."""

import torch
from torch import Tensor


class FrozenFirst:
    """Repeats the labels of the first frame for the whole video."""

    every_frame = False

    def __init__(self) -> None:
        self._labels_1HW: Tensor | None = None

    def reset(self) -> None:
        """Forget the video."""
        self._labels_1HW = None

    @torch.no_grad()
    def __call__(self, frames_NCHW: Tensor, probs_NKHW: Tensor) -> Tensor:
        """labels_NHW, uint8, of the next frames; see `Smoother`."""
        if self._labels_1HW is None:
            # a batch without frames leaves the video unbegun
            first_1HW = probs_NKHW[:1].argmax(1).to(torch.uint8)
            self._labels_1HW = first_1HW if len(first_1HW) else None
            return first_1HW.repeat_interleave(len(probs_NKHW), 0)
        return self._labels_1HW.repeat(len(probs_NKHW), 1, 1)
