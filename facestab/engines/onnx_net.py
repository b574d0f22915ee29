"""An ONNX file in the place of a network."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facestab.engines.names import INPUT, OUTPUT
from facestab.engines.session import open_session
from facestab.errors import WeightsError
from facestab.nets.segnet import SegNet
from facestab.nets.weights import CARD_KEY, ModelCard, load_model
from facestab.types import SegOutput


class OnnxNet(SegNet):
    """Looks like the network that was exported; its features are its logits, and it cannot be trained.

    Args:
        path: an ONNX file that `write_onnx` wrote.
    """

    def __init__(self, path: Path) -> None:
        # it has none of a network's parts
        nn.Module.__init__(self)
        self.path = path
        self._session: Any = None

    def forward(self, images_BCHW: Tensor) -> SegOutput:
        """See `SegNet`."""
        if self._session is None:
            self._session = open_session(self.path, images_BCHW.device)
        frames_NHWC = np.ascontiguousarray(images_BCHW.permute(0, 2, 3, 1).cpu().numpy())
        logits_BKHW = torch.from_numpy(self._session.run([OUTPUT], {INPUT: frames_NHWC})[0]).to(images_BCHW.device)
        return SegOutput(logits_BKHW, logits_BKHW)


def load_any(path: Path, allow_targets: Sequence[str] = ()) -> tuple[SegNet, ModelCard]:
    """A network and its card from a checkpoint, a safetensors file, or an ONNX file.

    Raises:
        WeightsError: when there is no such file, or facestab did not write it.
    """
    if path.suffix.lower() != ".onnx":
        return load_model(path, allow_targets)
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; check the path")
    net = OnnxNet(path)
    net._session = open_session(path, torch.device("cpu"))
    card = net._session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
    if card is None:
        raise WeightsError(f"{path}: it does not say which classes it knows; write it with stage=export")
    try:
        parts = dict(json.loads(card))
    except (ValueError, TypeError):
        raise WeightsError(f"{path}: its model card cannot be read; write it again with stage=export") from None
    return net, ModelCard.from_dict(parts, path)
