"""Networks as ONNX files, which other runtimes and other languages read."""

import copy
import json
import warnings
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor, nn

from facestab.engines.names import INPUT, OUTPUT
from facestab.engines.onnx_net import OnnxNet
from facestab.errors import FacestabError
from facestab.nets.segnet import SegNet
from facestab.nets.weights import CARD_KEY, ModelCard, weights_hash

OPSET = 17


class _FromFrames(nn.Module):
    """uint8 (N, H, W, 3) in, logits (N, K, H, W) out."""

    def __init__(self, net: SegNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frames_NHWC: Tensor) -> Tensor:
        found: Tensor = self.net(frames_NHWC.permute(0, 3, 1, 2)).logits_BKHW
        return found


def graph_of(net: SegNet, cache: Path, size: int) -> Path:
    """The network's ONNX file, written once for its weights."""
    if isinstance(net, OnnxNet):
        return net.path
    path = cache / "engines" / f"{weights_hash(net)[:32]}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            write_onnx(copy.deepcopy(net).cpu().eval(), path, size)
    return path


def write_onnx(net: SegNet, path: Path, size: int, card: ModelCard | None = None) -> None:
    """Write a network with everything that belongs to it: it takes frames as they are decoded.

    The graph's input `frames` is uint8 (N, H, W, 3) RGB, its output `logits` float32 (N, K, H, W), with any N, H and W
    that the network itself takes.

    Args:
        net: on the CPU and in evaluation mode.
        path: where to; whole or not at all.
        size: height and width of the frames with which the graph is traced.
        card: goes into the file's metadata, so that `stage=predict ckpt=model.onnx` knows the classes.

    Raises:
        FacestabError: when onnx is not installed, or the network has an operation that ONNX lacks.
    """
    try:
        import onnx
    except ImportError:
        raise FacestabError("onnx is not installed; pip install 'facestab[export]'") from None
    axes = {0: "N", 1: "H", 2: "W"}
    part = path.with_name(f"{path.stem}.part.onnx")
    part.parent.mkdir(parents=True, exist_ok=True)
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # the tracer's own, on branches over sizes that the trace does not take, and on its successor
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                _FromFrames(net).eval(),
                (example,),
                str(part),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: axes, OUTPUT: {0: "N", 2: "H", 3: "W"}},
                opset_version=OPSET,
                dynamo=False,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            part.unlink(missing_ok=True)
            raise FacestabError(f"the network cannot be written as ONNX: {str(error).splitlines()[0]}") from error
    model = onnx.load(str(part))
    if card is not None:
        onnx.helper.set_model_props(model, {CARD_KEY: json.dumps(card.to_dict())})
    onnx.checker.check_model(model)
    onnx.save(model, str(part))
    part.replace(path)
