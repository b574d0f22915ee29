"""torch itself."""

import numpy as np
import torch
from torch import Tensor

from facestab.engines.base import Engine, Precision
from facestab.engines.pieces import in_pieces, num_workers
from facestab.engines.upload import Upload
from facestab.nets.segnet import SegNet


class TorchKind:
    """Runs the network as it was trained, in the trainer's precision.

    Args:
        compile: let `torch.compile` write code for it first, which takes half a minute and longer on a processor.
    """

    def __init__(self, compile: bool = False) -> None:
        self.name = "compile" if compile else "torch"
        self.compile = compile

    def make(self, net: SegNet, frames_NHWC: np.ndarray, device: torch.device, precision: Precision) -> Engine:
        """See `EngineKind`."""
        # a compiled function beside the network: its own names of tensors would change
        forward = torch.compile(net.forward) if self.compile else net.forward
        upload = Upload(device)

        @torch.inference_mode()
        def run(frames_NHWC: np.ndarray) -> Tensor:
            images_NCHW = upload(frames_NHWC).permute(0, 3, 1, 2)
            with precision():
                logits: Tensor = forward(images_NCHW).logits_BKHW
            return logits.float()

        # compiled code keeps the number of threads that it was compiled for
        engine = run if self.compile else in_pieces(run, num_workers(frames_NHWC, device))
        # the first call allocates, and chooses algorithms
        engine(frames_NHWC)
        return engine
