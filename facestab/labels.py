"""Label sets: names, colours, left/right pairs and the ignore id. No torch here."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
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

    Raises:
        ValueError: when names, colours and pairs do not fit together.
    """

    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    pairs: tuple[tuple[int, int], ...] = ()

    def __init__(
        self,
        names: Sequence[str],
        palette: Sequence[Sequence[int]],
        pairs: Sequence[Sequence[int]] = (),
    ) -> None:
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "palette", tuple(tuple(int(v) for v in colour) for colour in palette))
        object.__setattr__(self, "pairs", tuple(tuple(int(v) for v in pair) for pair in pairs))
        self._check()

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

    def to_dict(self) -> dict[str, Any]:
        """Primitives only, for checkpoints and JSON."""
        return {
            "names": list(self.names),
            "palette": [list(colour) for colour in self.palette],
            "pairs": [list(pair) for pair in self.pairs],
        }


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
