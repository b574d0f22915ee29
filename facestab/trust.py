"""What the configuration of a network may do that came with a file: build networks, and nothing else."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.utils import get_object
from torch import nn

from facestab.errors import FacestabError

PACKAGES = ("facestab.nets", "segmentation_models_pytorch", "torchvision.models", "torch.nn")
# what would fetch weights from elsewhere; those of the file replace them
_DOWNLOADS = {
    "encoder_weights": None,
    "weights": None,
    "weights_backbone": None,
    "pretrained": False,
    "pretrained_backbone": False,
}


def trusted(config: Any, allow: Sequence[str] = ()) -> Any:
    """A copy of a stranger's config node that is safe to build.

    Its targets are networks that known packages define, and nothing that these packages merely import; they start
    without weights, and their settings name no places. What a user allows may be anything that is defined there.

    Args:
        config: plain dicts, lists and primitives.
        allow: dotted names of targets, or of modules or packages that define them, that the user trusts.

    Raises:
        FacestabError: when it would do more than that.
    """
    names = [name.rstrip(".") for name in allow]
    if not all(names):
        raise FacestabError(
            "allow_targets: an empty name would allow everything; give dotted names, such as my.package"
        )
    return _copy(config, names, ours=True)


def _copy(node: Any, names: Sequence[str], ours: bool) -> Any:
    if isinstance(node, Mapping):
        if "_target_" in node:
            ours = _check_target(node["_target_"], names)
        return {
            key: _DOWNLOADS[key] if ours and key in _DOWNLOADS else _copy(value, names, ours)
            for key, value in node.items()
        }
    if isinstance(node, (list, tuple)):
        return [_copy(value, names, ours) for value in node]
    if isinstance(node, str):
        _check_text(node, ours)
    return node


def _check_target(target: Any, names: Sequence[str]) -> bool:
    """Whether it is one of the known networks; else it is one that the user allows."""
    is_allowed = isinstance(target, str) and _is_in(target, names)
    if not isinstance(target, str) or not (is_allowed or _is_in(target, PACKAGES)):
        raise _refusal(target, "not trusted", str(target).rpartition(".")[0])
    if target in names:
        return False
    # a module also holds what it imports: what counts is where a thing was made
    found = _locate(target)
    maker = f"{getattr(found, '__module__', None)}.{getattr(found, '__qualname__', None)}"
    if is_allowed and _is_in(maker, names):
        return False
    if not (_is_network(found) and _is_in(maker, PACKAGES)):
        raise _refusal(target, f"no network of {target.partition('.')[0]} but {maker}", target)
    return True


def _check_text(text: str, ours: bool) -> None:
    if "${" in text:
        raise FacestabError(f"the checkpoint's settings refer to other settings or the environment ('{text}'): refused")
    if ours and not {":", "/", "\\"}.isdisjoint(text):
        raise FacestabError(f"the checkpoint's settings name a file or an address ('{text}'): refused")


def _is_in(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _is_network(found: Any) -> bool:
    """A class of networks, or a function that says that it makes one."""
    made = inspect.signature(found).return_annotation if inspect.isfunction(found) else found
    return inspect.isclass(made) and issubclass(made, nn.Module)


def _locate(target: str) -> Any:
    try:
        return get_object(target)
    except Exception as error:
        # whatever importing a module of that name raises
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FacestabError(f"the checkpoint asks to call '{target}', which cannot be found ({reason})") from error


def _refusal(target: Any, what: str, allow: str) -> FacestabError:
    return FacestabError(
        f"the checkpoint asks to call '{target}', which is {what}; "
        f"if you know it, allow it with allow_targets=[{allow}]"
    )
