"""Settings that come from the environment: used as they are, and written down as where they come from."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from facestab.build import resolved
from facestab.errors import SettingError

# facestab's own: how the processes of a run agree on its name
NAME_VARIABLE = "FACESTAB_NAME"
# what is handed out with the weights
_SHARED = ("net", "labels", "recurrent.head")


def without_environment(config: DictConfig) -> dict[str, Any]:
    """The configuration as others may read it: resolved, but for what the environment says, which may be a secret.

    `${oc.env:NAME}` stays what it is, also in what is made of it.
    """
    with _unread():
        try:
            return resolved(config)
        except OmegaConfBaseException:
            # something cannot be said without a value: then all stays as it was typed
            container = OmegaConf.to_container(config, resolve=False)
            assert isinstance(container, dict)
            return {str(key): value for key, value in container.items()}


def check_environment(config: DictConfig) -> None:
    """Refuse settings from the environment where they would be handed out.

    Raises:
        SettingError: naming the group.
    """
    for key in _SHARED:
        node = OmegaConf.select(config, key)
        if isinstance(node, DictConfig) and _reads_environment(node):
            raise SettingError(
                f"{key}: takes a value from the environment, which would be handed out with the weights; "
                "write the value itself"
            )


def _reads_environment(node: DictConfig) -> bool:
    with _unread():
        return "${oc.env:" in str(OmegaConf.to_container(node, resolve=True))


@contextmanager
def _unread() -> Iterator[None]:
    """The environment's variables stand for themselves."""
    OmegaConf.register_new_resolver("oc.env", _name, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def _name(key: str, *default: Any) -> Any:
    if key == NAME_VARIABLE:
        return oc.env(key, *default)
    return f"${{oc.env:{','.join([key, *('null' if value is None else str(value) for value in default)])}}}"
