"""Weight files: a network's tensors together with the card that says how to build it."""

import hashlib
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from facestab.build import build_trusted
from facestab.errors import SettingError, WeightsError
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
            WeightsError: when it was written by a newer version, lacks a part, or holds something else.
        """
        if card.get("schema") != SCHEMA:
            raise WeightsError(f"{path}: written by another version of facestab (schema {card.get('schema')})")
        try:
            found = cls(**card)
            found._check()
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(f"{path}: its model card is not complete, or not a card ({reason})") from None
        return found

    def _check(self) -> None:
        """Raise ValueError or TypeError when a part is of another kind than it should be."""
        kinds = {"stage": str, "net": dict, "labels": dict, "size": int, "image_weights": str, "control_weights": dict}
        wrong = [name for name, kind in kinds.items() if not isinstance(getattr(self, name), kind)]
        if wrong or self.size < 1 or not all(isinstance(place, str) for place in self.control_weights.values()):
            raise ValueError(f"{', '.join(wrong) or 'size or control_weights'} cannot be")
        if not all(isinstance(name, str) for name in self.label_set.names):
            raise ValueError("names of classes are text")


def save_weights(path: Path, net: nn.Module, card: ModelCard) -> None:
    """Write the tensors and the card as one safetensors file, whole or not at all.

    Raises:
        WeightsError: when training has left values that are not finite, whose masks would look like any other.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    broken = not_finite(tensors)
    if broken:
        remedy = "lower the optimizer's lr, or use trainer.precision=32-true"
        raise WeightsError(f"{path}: not written, training ended in values that are no numbers ('{broken}'); {remedy}")
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, part, metadata={CARD_KEY: json.dumps(card.to_dict())})
    part.replace(path)


def not_finite(tensors: Mapping[str, Tensor]) -> str:
    """The name of the first tensor that holds an infinite value or none at all; "" when all are sound."""
    broken = (name for name, tensor in tensors.items() if not torch.isfinite(tensor).all())
    return next(broken, "")


def load_tensors(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    """The network's tensors and card from a `.safetensors` file or a Lightning checkpoint.

    Nothing in the file is run: checkpoints are read with `weights_only=True`.

    Raises:
        WeightsError: when the file is missing, broken, or not facestab's.
    """
    if not path.is_file():
        what = "this is a folder" if path.is_dir() else "no such checkpoint"
        raise WeightsError(f"{path}: {what}; give the path of a .ckpt or .safetensors file")
    tensors, card = _read_safetensors(path) if _is_safetensors(path) else _read_checkpoint(path)
    if not isinstance(card, dict):
        raise WeightsError(f"{path}: has no model card; use a checkpoint that facestab wrote")
    return tensors, ModelCard.from_dict(card, path)


def _is_safetensors(path: Path) -> bool:
    """By what stands in the file: a name may say otherwise. Nothing is told from a file that is cut off at once."""
    with path.open("rb") as file:
        head = file.read(9)
    return not head.startswith(b"PK") and (path.suffix == ".safetensors" or head[8:] == b"{")


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    try:
        with safe_open(path, framework="pt") as file:
            card = json.loads((file.metadata() or {}).get(CARD_KEY, "null"))
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, card
    # nesting without an end is a RecursionError
    except (SafetensorError, ValueError, RecursionError) as error:
        reason = str(error).removeprefix("Error while deserializing header: ")
        raise WeightsError(f"{path}: not a readable safetensors file ({reason}); copy it again") from None


def _read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Any]:
    try:
        # not by its path, whose suffix torch would believe
        with path.open("rb") as file, warnings.catch_warnings():
            # a pickle of another protocol is about to be refused anyhow
            warnings.simplefilter("ignore", UserWarning)
            checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    # nothing in the file runs, but what is asked of torch with damaged arguments fails by anything
    except Exception as error:
        raise WeightsError(
            f"{path}: not a readable checkpoint, or it holds more than tensors ({_why_unreadable(error)})"
        ) from None
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise WeightsError(f"{path}: not a Lightning checkpoint")
    prefix = "net."
    tensors = {key[len(prefix) :]: v for key, v in checkpoint["state_dict"].items() if str(key).startswith(prefix)}
    # nothing that trains makes others, and what dequantizes them does not check where they point
    if not all(isinstance(v, Tensor) and v.layout is torch.strided and not v.is_quantized for v in tensors.values()):
        raise WeightsError(f"{path}: holds something else than plain tensors")
    return tensors, checkpoint.get(CARD_KEY)


def _why_unreadable(error: Exception) -> str:
    """What torch says at length, and without its advice to run what is in the file."""
    asked = re.search(r"GLOBAL ([\w.]+)", str(error))
    if asked:
        return f"it asks for {asked[1]}, which was not run; use a file that facestab wrote"
    if isinstance(error, EOFError) or "PytorchStreamReader" in str(error):
        return "it is empty, damaged or cut off; copy it again"
    return "it is something else or damaged; use a file that facestab wrote"


def load_into(net: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Copy tensors into a network of the same shape.

    Raises:
        WeightsError: when names, shapes or kinds differ, or values are not finite, naming the first.
    """
    _check_shapes(net, tensors, path)
    broken = not_finite(tensors)
    if broken:
        raise WeightsError(f"{path}: '{broken}' holds values that are no numbers; use weights of another training")
    net.load_state_dict(tensors)


def _check_shapes(net: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    own = net.state_dict()
    for name in sorted(own.keys() | tensors.keys()):
        if name not in tensors or name not in own:
            where = "the file" if name not in tensors else "the network"
            raise WeightsError(f"{path}: made for another network ({where} has no '{name}')")
        if own[name].shape != tensors[name].shape:
            shapes = f"{tuple(tensors[name].shape)}, the network needs {tuple(own[name].shape)}"
            raise WeightsError(f"{path}: made for another network or label set ('{name}' is {shapes})")
        if own[name].is_floating_point() != tensors[name].is_floating_point():
            raise WeightsError(f"{path}: made for another network ('{name}' is {tensors[name].dtype})")


def load_model(path: Path, allow_targets: Sequence[str] = ()) -> tuple[SegNet, ModelCard]:
    """The network that a checkpoint holds, built from its own card.

    Raises:
        WeightsError: see `load_tensors`.
        FacestabError: when the card wants to call something that is not trusted.
    """
    tensors, card = load_tensors(path)
    _check_sizes(card, allow_targets, tensors, path)
    try:
        net = build_trusted(card.net, allow_targets)
    except SettingError as error:
        raise WeightsError(f"{path}: its card does not describe a network that can be built ({error})") from error
    if not isinstance(net, SegNet):
        raise WeightsError(f"{path}: its card does not describe a network")
    load_into(net, tensors, path)
    return net, card


def _check_sizes(card: ModelCard, allow_targets: Sequence[str], tensors: Mapping[str, Tensor], path: Path) -> None:
    """Build the network without memory first: a damaged card asks for layers of any size."""
    try:
        with torch.device("meta"):
            net = build_trusted(card.net, allow_targets)
    except SettingError:
        # a network that looks at its values cannot be built so, and one that cannot be built at all is named later
        return
    if isinstance(net, SegNet):
        _check_shapes(net, tensors, path)


def weights_hash(net: nn.Module) -> str:
    """64 hex digits that change with any tensor's name, type, shape or value."""
    digest = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
