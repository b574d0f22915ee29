"""OpenVINO."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facestab.engines.base import Engine, Precision
from facestab.engines.graph import graph_of
from facestab.engines.names import INPUT
from facestab.errors import FacestabError
from facestab.nets.segnet import SegNet

PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoKind:
    """Runs the network's graph on the processor.

    Args:
        cache: folder for graphs.
        precision: float32, or bfloat16 for processors that have it: the labels of a few pixels in a thousand at
            boundaries change, and some processors are several times as fast.

    Raises:
        ValueError: for another precision.
    """

    def __init__(self, cache: str, precision: str = "float32") -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"engine.precision is one of {', '.join(PRECISIONS)}, got {precision}")
        self.name = "openvino" if precision == "float32" else f"openvino {precision}"
        self.cache = Path(cache)
        self.precision = precision

    def make(self, net: SegNet, frames_NHWC: np.ndarray, device: torch.device, precision: Precision) -> Engine:
        """See `EngineKind`."""
        read = _reader(graph_of(net, self.cache, min(frames_NHWC.shape[1:3])), self.precision)

        # whole batches, not pieces: with two streams it can wait for ever where OMP_NUM_THREADS is 1
        def run(frames_NHWC: np.ndarray) -> Tensor:
            compiled = read(frames_NHWC.shape[1:3])
            # the runtime uses its own memory again at the next call
            return torch.from_numpy(compiled(np.ascontiguousarray(frames_NHWC))[0].copy())

        run(frames_NHWC)
        return run


@cache
def _core() -> Any:
    """The one runtime of this process.

    Each of them sets the stack on which signals are handled, and puts back what it found when it goes: of two, the
    first to be made and to go leaves the second with a stack that is no longer there, and the next signal ends Python.
    """
    import openvino

    return openvino.Core()


def _reader(path: Path, precision: str) -> Any:
    """The graph compiled for frames of a height and width, once for each."""
    try:
        import openvino  # noqa: F401
    except ImportError:
        raise FacestabError("openvino is not installed; pip install 'facestab[openvino]'") from None
    core = _core()
    settings = {"INFERENCE_PRECISION_HINT": PRECISIONS[precision], "INFERENCE_NUM_THREADS": torch.get_num_threads()}

    @cache
    def read(size: tuple[int, int]) -> Any:
        try:
            model = core.read_model(str(path))
            # of known height and width it is faster than of any
            model.reshape({INPUT: [-1, *size, 3]})
            return core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise FacestabError(f"{path}: OpenVINO cannot run it ({str(error).splitlines()[0]})") from error

    return read
