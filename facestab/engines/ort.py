"""ONNX Runtime."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facestab.engines.base import Engine, Precision
from facestab.engines.graph import graph_of
from facestab.engines.names import INPUT, OUTPUT
from facestab.engines.pieces import in_pieces, num_workers
from facestab.engines.session import open_session
from facestab.nets.segnet import SegNet


class OnnxRuntimeKind:
    """Runs the network's graph in float32, on CUDA where the installed runtime has it.

    Args:
        cache: folder for graphs.
    """

    name = "onnxruntime"

    def __init__(self, cache: str) -> None:
        self.cache = Path(cache)

    def make(self, net: SegNet, frames_NHWC: np.ndarray, device: torch.device, precision: Precision) -> Engine:
        """See `EngineKind`."""
        workers = num_workers(frames_NHWC, device)
        session = open_session(graph_of(net, self.cache, min(frames_NHWC.shape[1:3])), device, workers)

        def run(frames_NHWC: np.ndarray) -> Tensor:
            return torch.from_numpy(session.run([OUTPUT], {INPUT: np.ascontiguousarray(frames_NHWC)})[0])

        engine = in_pieces(run, workers)
        engine(frames_NHWC)
        return engine
