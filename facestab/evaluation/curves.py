"""frames.csv: the flicker of every frame."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import torch

from facestab.functional.flicker import aba_per_frame, switch_per_frame

CURVES_NAME = "frames.csv"
# a frame's ABA needs the frame before and the frame after it
_CONTEXT = 2


class Curves:
    """Flicker per frame of some rows of one video, which comes in consecutive parts.

    Args:
        class_names: of the label set.
        by_class: rows whose classes are told apart.
    """

    def __init__(self, class_names: Sequence[str], by_class: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        self.by_class = tuple(by_class)
        self._tails: dict[str, np.ndarray] = {}

    def update(self, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Curves by column name over a window: up to two frames seen before and the new ones.

        Args:
            rows: row name to uint8 labels (N, H, W) of the next frames.

        Returns:
            float (up to 2 + N,) each; nan where a frame lacks a neighbour.
        """
        curves = {}
        for row, labels_NHW in rows.items():
            tail = self._tails.get(row, labels_NHW[:0])
            window_THW = torch.from_numpy(np.concatenate([tail, labels_NHW]))
            names = self.class_names if row in self.by_class else ()
            aba_T, *aba_KT = aba_per_frame(window_THW, len(names)).T.numpy()
            curves[f"{row}/flicker/aba"] = aba_T
            curves[f"{row}/flicker/switch"] = switch_per_frame(window_THW).numpy()
            curves |= {f"{row}/flicker/aba/{name}": own_T for name, own_T in zip(names, aba_KT, strict=True)}
            self._tails[row] = window_THW[-_CONTEXT:].numpy()
        return curves


class CurveFile:
    """A CSV with one line a frame: the frame's number, and a column for each curve.

    Args:
        path: appears when all lines are written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f"{path.stem}.part{path.suffix}")
        self._num_seen = 0
        self._last: list[str] = []
        self._header: list[str] = []

    def __enter__(self) -> "CurveFile":
        self._file = self.part.open("w", newline="")
        self._writer = csv.writer(self._file)
        return self

    def write(self, curves: Mapping[str, np.ndarray], num_new: int) -> None:
        """Add a window that ends with `num_new` new frames.

        A frame's ABA needs the frame after it, so the newest frame waits for the next window.
        """
        if not self._header:
            self._header = ["frame", *curves]
            self._writer.writerow(self._header)
        table = np.stack(list(curves.values()), axis=1)
        first = self._num_seen - (len(table) - num_new)
        waiting = self._num_seen - 1 if self._num_seen else 0
        lines = [[str(first + i), *_cells(row)] for i, row in enumerate(table)]
        self._writer.writerows(lines[waiting - first : -1])
        self._last = lines[-1]
        self._num_seen += num_new

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last:
            self._writer.writerow(self._last)
        self._file.close()
        if kind is None:
            self.part.replace(self.path)
        else:
            self.part.unlink(missing_ok=True)


def _cells(row: np.ndarray) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.6f}" for value in row]
