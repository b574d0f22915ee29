"""Weight files: a network's tensors together with the card that says how to build it."""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from facestab.build import build_trusted
from facestab.errors import WeightsError
from facestab.labels import LabelSet
from facestab.nets.segnet import SegNet

CARD_KEY = "facestab"
SCHEMA = 1


@dataclass(frozen=True)
class ModelCard:
    """What must be known to use a network's tensors. Primitives only.

    Attributes:
        stage: "image", "temporal" or "recurrent": what trained it.
        net: the resolved config node that builds the network.
        labels: the label set, as `LabelSet.to_dict` gives it.
        size: pixels of the shorter side of the images it was trained on.
        image_weights: the image model that a temporal one came from, "" for none.
        control_weights: row name to the weights of what else stands beside it in tables.
        schema: version of this card.
    """

    stage: str
    net: dict[str, Any]
    labels: dict[str, Any]
    size: int
    image_weights: str = ""
    control_weights: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def label_set(self) -> LabelSet:
        """The classes of the network's logits."""
        return LabelSet(**self.labels)

    def to_dict(self) -> dict[str, Any]:
        """As a checkpoint stores it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, card: Mapping[str, Any], path: Path) -> "ModelCard":
        """The card that `path` carries.

        Raises:
            WeightsError: when it was written by a newer version or lacks a part.
        """
        if card.get("schema") != SCHEMA:
            raise WeightsError(f"{path}: written by another version of facestab (schema {card.get('schema')})")
        try:
            return cls(**card)
        except TypeError as error:
            raise WeightsError(f"{path}: its model card is not complete ({error})") from None


def save_weights(path: Path, net: nn.Module, card: ModelCard) -> None:
    """Write the tensors and the card as one safetensors file, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, part, metadata={CARD_KEY: json.dumps(card.to_dict())})
    part.replace(path)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    """The network's tensors and card from a `.safetensors` file or a Lightning checkpoint.

    Nothing in the file is run: checkpoints are read with `weights_only=True`.

    Raises:
        WeightsError: when the file is missing, broken, or not facestab's.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint; give the path of a .ckpt or .safetensors file")
    tensors, card = _read_safetensors(path) if path.suffix == ".safetensors" else _read_checkpoint(path)
    if not isinstance(card, dict):
        raise WeightsError(f"{path}: has no model card; use a checkpoint that facestab wrote")
    return tensors, ModelCard.from_dict(card, path)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    try:
        with safe_open(path, framework="pt") as file:
            card = json.loads((file.metadata() or {}).get(CARD_KEY, "null"))
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, card
    except (SafetensorError, json.JSONDecodeError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error})") from None


def _read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Any]:
    try:
        with warnings.catch_warnings():
            # a pickle of another protocol is about to be refused anyhow
            warnings.simplefilter("ignore", UserWarning)
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    # a file that is cut off is an OSError without a name
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path}: not a readable checkpoint, or it holds more than tensors ({reason})") from None
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise WeightsError(f"{path}: not a Lightning checkpoint")
    prefix = "net."
    tensors = {key[len(prefix) :]: v for key, v in checkpoint["state_dict"].items() if key.startswith(prefix)}
    return tensors, checkpoint.get(CARD_KEY)


def load_into(net: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Copy tensors into a network of the same shape.

    Raises:
        WeightsError: when names or shapes differ, naming the first that does.
    """
    own = net.state_dict()
    for name in sorted(own.keys() | tensors.keys()):
        if name not in tensors or name not in own:
            where = "the file" if name not in tensors else "the network"
            raise WeightsError(f"{path}: made for another network ({where} has no '{name}')")
        if own[name].shape != tensors[name].shape:
            shapes = f"{tuple(tensors[name].shape)}, the network needs {tuple(own[name].shape)}"
            raise WeightsError(f"{path}: made for another network or label set ('{name}' is {shapes})")
    net.load_state_dict(tensors)


def load_model(path: Path, allow_targets: Sequence[str] = ()) -> tuple[SegNet, ModelCard]:
    """The network that a checkpoint holds, built from its own card.

    Raises:
        WeightsError: see `load_tensors`.
        FacestabError: when the card wants to call something that is not trusted.
    """
    tensors, card = load_tensors(path)
    net = build_trusted(card.net, allow_targets)
    if not isinstance(net, SegNet):
        raise WeightsError(f"{path}: its card does not describe a network")
    load_into(net, tensors, path)
    return net, card


def weights_hash(net: nn.Module) -> str:
    """64 hex digits that change with any tensor's name, type, shape or value."""
    digest = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
