"""The classes of the synthetic world, and how they read in a coarser label set."""

from collections.abc import Iterator

import numpy as np

from facestab.labels import LabelSet

# each of face11's classes, in the order of its ids, by the names under which a label set may know it: the finest first
_NAMES = (
    ("background",),
    ("skin", "face", "person"),
    ("left_brow", "brows", "skin", "face", "person"),
    ("right_brow", "brows", "skin", "face", "person"),
    ("left_eye", "eyes", "skin", "face", "person"),
    ("right_eye", "eyes", "skin", "face", "person"),
    ("nose", "skin", "face", "person"),
    ("upper_lip", "mouth", "skin", "face", "person"),
    ("inner_mouth", "mouth", "skin", "face", "person"),
    ("lower_lip", "mouth", "skin", "face", "person"),
    ("hair", "person"),
)
FACE11 = tuple(names[0] for names in _NAMES)


def class_lut(labels: LabelSet) -> np.ndarray:
    """uint8 (256,): an id of face11 to an id of another label set, by name; the ignore id stays.

    Raises:
        ValueError: when a class of the world has no place in the label set, or a class of the label set no part in the
            world.
    """
    lut = np.arange(256, dtype=np.uint8)
    lut[: len(_NAMES)] = list(_ids(labels))
    missing = [name for i, name in enumerate(labels.names) if i not in lut[: len(_NAMES)]]
    if missing:
        raise ValueError(f"labels: the synthetic world has nothing that is called {', '.join(missing)}")
    return lut


def _ids(labels: LabelSet) -> Iterator[int]:
    for names in _NAMES:
        found = [labels.names.index(name) for name in names if name in labels.names]
        if not found:
            raise ValueError(f"labels: the synthetic world's {names[0]} needs one of the names {', '.join(names)}")
        yield found[0]
