"""Label sets: names, colours, left/right pairs and the ignore id. No torch here."""

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

IGNORE_ID = 255


@dataclass(frozen=True)
class LabelSet:
    """The classes that a network tells apart, by id.

    Args:
        names: one name per class; the position is the id. Class 0 is the background.
        palette: one sRGB colour per class, 0..255.
        pairs: pairs of ids that change places in a horizontal flip (sides are the viewer's).
        covers: class name to the names of finer classes that belong to it where a data set tells them apart.

    Raises:
        ValueError: when names, colours, pairs and what is covered do not fit together.
    """

    names: tuple[str, ...]
    # how classes are shown, and not what they are
    palette: tuple[tuple[int, int, int], ...] = field(compare=False)
    pairs: tuple[tuple[int, int], ...] = ()
    # what reads a data set, and not what the classes are
    covers: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), compare=False)

    def __init__(
        self,
        names: Sequence[str],
        palette: Sequence[Sequence[int]],
        pairs: Sequence[Sequence[int]] = (),
        covers: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "palette", tuple(tuple(int(v) for v in colour) for colour in palette))
        object.__setattr__(self, "pairs", tuple(tuple(int(v) for v in pair) for pair in pairs))
        object.__setattr__(self, "covers", tuple((name, tuple(finer)) for name, finer in (covers or {}).items()))
        self._check()
        self._check_covers()

    def _check(self) -> None:
        if not 2 <= len(self.names) <= IGNORE_ID:
            raise ValueError(f"labels.names: 2 to {IGNORE_ID} classes are possible, got {len(self.names)}")
        if any("/" in name or not name for name in self.names):
            raise ValueError(f"labels.names: a name is not empty and has no '/', got {list(self.names)}")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"labels.names: a name stands twice in {list(self.names)}")
        if len(self.palette) != len(self.names):
            raise ValueError(f"labels.palette: {len(self.names)} colours are needed, got {len(self.palette)}")
        if any(len(c) != 3 or min(c) < 0 or max(c) > 255 for c in self.palette):
            raise ValueError("labels.palette: a colour is three numbers from 0 to 255")
        flat = [i for pair in self.pairs for i in pair]
        if any(len(pair) != 2 for pair in self.pairs) or len(set(flat)) != len(flat):
            raise ValueError(f"labels.pairs: each id may stand in one pair of two, got {list(self.pairs)}")
        if any(not 0 <= i < len(self.names) for i in flat):
            raise ValueError(f"labels.pairs: ids go from 0 to {len(self.names) - 1}, got {list(self.pairs)}")

    def _check_covers(self) -> None:
        unknown = [name for name, _ in self.covers if name not in self.names]
        if unknown:
            raise ValueError(f"labels.covers: {unknown[0]} is no class; the classes are {', '.join(self.names)}")
        finer = [name for _, names in self.covers for name in names]
        twice = [name for name in finer if finer.count(name) > 1 or name in self.names]
        if twice:
            raise ValueError(f"labels.covers: {twice[0]} belongs to more than one class")

    @property
    def num_classes(self) -> int:
        """The number of classes K, background included."""
        return len(self.names)

    @property
    def palette_lut(self) -> np.ndarray:
        """uint8 (256, 3): id to sRGB; the ignore id and ids without a class are black."""
        lut = np.zeros((256, 3), np.uint8)
        lut[: len(self.palette)] = self.palette
        return lut

    @property
    def flip_lut(self) -> np.ndarray:
        """uint8 (256,): id to the id after a horizontal flip."""
        lut = np.arange(256, dtype=np.uint8)
        for a, b in self.pairs:
            lut[a], lut[b] = b, a
        return lut

    def flip(self, labels: np.ndarray) -> np.ndarray:
        """Labels (..., H, W) as a mirror shows them, with left and right names exchanged."""
        return np.ascontiguousarray(self.flip_lut[labels[..., ::-1]].astype(labels.dtype))

    def find(self, name: str) -> int | None:
        """The id of the class of that name, or of the one that covers it; None when there is neither."""
        if name in self.names:
            return self.names.index(name)
        return next((self.names.index(coarse) for coarse, finer in self.covers if name in finer), None)

    def to_dict(self) -> dict[str, Any]:
        """What a finished network needs to know, primitives only, for checkpoints and JSON."""
        return {
            "names": list(self.names),
            "palette": [list(colour) for colour in self.palette],
            "pairs": [list(pair) for pair in self.pairs],
        }


def class_lut(names: Sequence[str], labels: LabelSet, stands_for: Mapping[str, str | None] | None = None) -> np.ndarray:
    """uint8 (256,): an id of a data set's own classes to an id of a label set, by name; the ignore id stays.

    Args:
        names: the data set's classes; the position is the id.
        labels: the classes wanted.
        stands_for: of a class that the label set neither has nor covers: the name of another to take it for, or None
            to ignore it.

    Raises:
        ValueError: when a class of the data set has no place in the label set, or a class of the label set no part in
            the data set.
    """
    stands_for = stands_for or {}
    lut = np.full(256, IGNORE_ID, np.uint8)
    for own, name in enumerate(names):
        found = labels.find(name)
        if found is None and name in stands_for:
            other = stands_for[name]
            if other is None:
                continue
            found = labels.find(other)
        if found is None:
            raise ValueError(f"labels: no class is called {name} or covers it; add it to labels.covers")
        lut[own] = found
    missing = [name for i, name in enumerate(labels.names) if i not in lut[: len(names)]]
    if missing:
        raise ValueError(f"labels: the data set has nothing that is called {', '.join(missing)}")
    return lut


def numbered(num_classes: int) -> LabelSet:
    """Classes named "0", "1", ... for masks of which only the ids are known; 0 is black.

    Hues go round by the golden angle and lightness alternates, so that neighbours differ without colour vision, too.

    Args:
        num_classes: K, 2 to 255.
    """
    golden, light = 0.381966, (0.75, 0.45, 0.6)
    colours = [colorsys.hls_to_rgb(k * golden % 1, light[k % 3], 0.7) for k in range(1, num_classes)]
    palette = [(0, 0, 0), *(tuple(round(255 * value) for value in colour) for colour in colours)]
    return LabelSet([str(k) for k in range(num_classes)], palette)
