"""Values by class: the names of the classes, and the keys under which their values stand."""

from collections.abc import Sequence

from torch import Tensor

from facestab.keys import VIDEO_KEYS


def checked_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """The names, one per id.

    Raises:
        ValueError: when there are fewer than two, or one stands twice.
    """
    if len(class_names) < 2 or len(set(class_names)) != len(class_names):
        raise ValueError(f"class_names: two or more different names are needed, got {list(class_names)}")
    return tuple(class_names)


def keyed(key: str, overall: Tensor, values_K: Tensor, class_names: Sequence[str]) -> dict[str, Tensor]:
    """An overall value and those of its classes, as float32 scalars under their keys, nan kept."""
    prefix = VIDEO_KEYS[key].per_class
    by_class = {f"{prefix}/{name}": value for name, value in zip(class_names, values_K.float(), strict=True)}
    return {key: overall.float(), **by_class}
