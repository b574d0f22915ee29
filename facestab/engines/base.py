"""What every engine can do."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from facestab.nets.segnet import SegNet

# makes the context in which torch's forward passes run, such as one of lower precision
Precision = Callable[[], AbstractContextManager[Any]]


class Engine(Protocol):
    """A network that is ready to look at frames."""

    def __call__(self, frames_NHWC: np.ndarray) -> Tensor:
        """Logits of uint8 RGB frames, float32 (N, K, H, W)."""
        ...


class EngineKind(Protocol):
    """Makes engines of one kind."""

    name: str

    def make(self, net: SegNet, frames_NHWC: np.ndarray, device: torch.device, precision: Precision) -> Engine:
        """The network, ready to run.

        Args:
            net: on `device` and in evaluation mode.
            frames_NHWC: some of the frames that will come, uint8 RGB.
            device: where torch runs.
            precision: in which torch runs.

        Raises:
            FacestabError: when what the engine needs is not installed, or it cannot run the network.
        """
        ...
