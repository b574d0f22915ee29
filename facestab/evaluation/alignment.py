"""Brings rows that run at different paces, because some look ahead, back to the same frames."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from facestab.video.flow import VideoFrame


class Aligned(NamedTuple):
    """The same frames of every row.

    Attributes:
        frames: the frames; None when the video is not at hand.
        rows: row name to uint8 labels (N, H, W) and, where there are any, probabilities (N, K, h, w).
    """

    frames: list[VideoFrame] | None
    rows: dict[str, tuple[np.ndarray, Tensor | None]]


class Alignment:
    """Holds what some rows have and others do not have yet."""

    def __init__(self) -> None:
        self._labels: dict[str, np.ndarray] = {}
        self._probs: dict[str, Tensor] = {}
        self._frames: list[VideoFrame] | None = []
        self._num_frames = 0

    def push(self, row: str, labels_NHW: np.ndarray, probs_NKHW: Tensor | None) -> None:
        """Add the next frames of a row; N may be 0."""
        held = self._labels.get(row)
        self._labels[row] = labels_NHW if held is None or not len(held) else np.concatenate([held, labels_NHW])
        if probs_NKHW is not None:
            waiting = self._probs.get(row)
            some = waiting is not None and len(waiting) > 0
            self._probs[row] = torch.cat([waiting, probs_NKHW]) if some and waiting is not None else probs_NKHW

    def push_frames(self, frames: list[VideoFrame] | None, count: int) -> None:
        """Add the next frames of the video, or only their number."""
        self._num_frames += count
        self._frames = None if frames is None else [*(self._frames or []), *frames]

    def has_probs(self, row: str) -> bool:
        """Whether the row comes with probabilities."""
        return row in self._probs

    def ready(self) -> Iterator[Aligned]:
        """The frames that every row has by now, once; nothing when there are none."""
        count = min([self._num_frames, *(len(labels) for labels in self._labels.values())])
        if not count:
            return
        rows = {row: (labels[:count], self._take(row, count)) for row, labels in self._labels.items()}
        self._labels = {row: labels[count:] for row, labels in self._labels.items()}
        frames = None if self._frames is None else self._frames[:count]
        self._frames = None if self._frames is None else self._frames[count:]
        self._num_frames -= count
        yield Aligned(frames, rows)

    def _take(self, row: str, count: int) -> Tensor | None:
        if row not in self._probs:
            return None
        taken, self._probs[row] = self._probs[row][:count], self._probs[row][count:]
        return taken
