"""The one place where a config node becomes an object."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from facestab.errors import FacestabError, SettingError
from facestab.trust import trusted

# here, where every process comes by, those that a launcher starts for a sweep's jobs, too
OmegaConf.register_new_resolver("len", len, replace=True)


def conf_dir() -> Path:
    """The configuration: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    return next(path for path in (package / "conf", package.parent / "conf") if (path / "config.yaml").is_file())


def build(config: DictConfig | Mapping[str, Any], **kwargs: Any) -> Any:
    """The object that a config node with `_target_` describes.

    Args:
        config: the node; containers arrive as plain dicts and lists.
        kwargs: what only the running program knows (a network, a folder).

    Raises:
        SettingError: when the constructor refuses a setting.
        FacestabError: when the constructor reports a problem that the user can mend.
    """
    try:
        return instantiate(config, _convert_="all", **kwargs)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, FacestabError):
            raise cause from error
        if isinstance(cause, (ValueError, TypeError)):
            raise SettingError(f"{_target(config)}: {cause}") from cause
        reason = str(error) if cause is None else f"{_target(config)}: {cause}"
        raise SettingError(" ".join(reason.split())) from error


def build_trusted(config: Mapping[str, Any], allow: Sequence[str] = ()) -> Any:
    """The object of a config that came with a checkpoint: only known networks are made.

    Args:
        config: the node as the checkpoint carries it.
        allow: further dotted names that the user trusts.

    Raises:
        FacestabError: when it asks for more; see `trusted`.
    """
    return build(trusted(config, allow))


def resolved(config: DictConfig) -> dict[str, Any]:
    """A config node as plain dicts, lists and primitives, interpolations resolved."""
    container = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def targets(node: Any) -> Iterator[str]:
    """Every dotted name that building a plain config node would call."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield str(node["_target_"])
        for value in node.values():
            yield from targets(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from targets(value)


def _target(config: DictConfig | Mapping[str, Any]) -> str:
    return str(config.get("_target_", "config")).rsplit(".", 1)[-1]
