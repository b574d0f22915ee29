"""The files of one predicted video: label ids, overlay, comparison, and the flicker of every frame."""

import csv
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from torch import Tensor

from facestab.labels import LabelSet
from facestab.video.overlay import overlay, side_by_side
from facestab.video.sink import VideoSink

KINDS = ("labels", "overlay", "compare")
CURVES_NAME = "frames.csv"


class VideoFiles:
    """Writes `labels.mkv`, `overlay.mp4` and `compare.mp4` of one video; each appears whole or not at all.

    Args:
        folder: where the files go.
        fps: of the video.
        labels: the label set.
        kinds: which of "labels", "overlay", "compare" to write.
        result: the row whose labels are the result.
        shown: the rows that stand beside the input in the comparison, those that are there.
    """

    def __init__(
        self, folder: Path, fps: Fraction, labels: LabelSet, kinds: Sequence[str], result: str, shown: Sequence[str]
    ) -> None:
        self.folder = folder
        self.fps = fps
        self.labels = labels
        self.kinds = kinds
        self.result = result
        self.shown = shown
        self._stack = ExitStack()
        self._sinks: dict[str, VideoSink] = {}

    def __enter__(self) -> "VideoFiles":
        self.folder.mkdir(parents=True, exist_ok=True)
        for kind in self.kinds:
            name, codec = (f"{kind}.mkv", "labels") if kind == "labels" else (f"{kind}.mp4", "h264")
            self._sinks[kind] = self._stack.enter_context(VideoSink(self.folder / name, self.fps, codec=codec))
        self._curves = self._stack.enter_context(CurveFile(self.folder / CURVES_NAME))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def write(
        self,
        frames_NHWC: np.ndarray,
        rows: Mapping[str, np.ndarray],
        curves: Mapping[str, tuple[Tensor, Tensor]],
    ) -> None:
        """Add the next frames, the labels of every row and their flicker."""
        self._curves.write(curves, len(frames_NHWC))
        for i, frame_HWC in enumerate(frames_NHWC):
            labels = {row: rows[row][i] for row in rows}
            if "labels" in self._sinks:
                self._sinks["labels"].write(labels[self.result])
            if "overlay" in self._sinks:
                self._sinks["overlay"].write(overlay(frame_HWC, labels[self.result], self.labels))
            if "compare" in self._sinks:
                shown = [row for row in self.shown if row in labels]
                views = [overlay(frame_HWC, labels[row], self.labels) for row in shown]
                self._sinks["compare"].write(side_by_side([frame_HWC, *views], captions=["input", *shown]))


class CurveFile:
    """A CSV with one line a frame: the frame's number, and ABA flicker and switch rate of each row.

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

    def write(self, curves: Mapping[str, tuple[Tensor, Tensor]], num_new: int) -> None:
        """Add a window that ends with `num_new` new frames.

        A frame's ABA needs the frame after it, so the newest frame waits for the next window.
        """
        if not self._header:
            self._header = ["frame", *(f"{row}/{key}" for row in curves for key in ("flicker/aba", "flicker/switch"))]
            self._writer.writerow(self._header)
        table = np.stack([curve.numpy() for pair in curves.values() for curve in pair], axis=1)
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
