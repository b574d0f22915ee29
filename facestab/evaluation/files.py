"""The files of one video: label ids, overlays, comparison, and the flicker of every frame."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from facestab.evaluation.curves import CURVES_NAME, CurveFile, Curves
from facestab.keys import TRUTH
from facestab.labels import LabelSet
from facestab.video.overlay import overlay, side_by_side
from facestab.video.sink import VideoSink

KINDS = ("labels", "overlay", "compare")


class VideoFiles:
    """Writes the files of one video; each appears whole or not at all.

    `labels.mkv` and `overlay.mp4` show the result, `labels_before.mkv` and `overlay_before.mp4` the baseline where
    there is one, `compare.mp4` the input and both.

    Args:
        folder: where the files go.
        fps: of the video.
        labels: the label set.
        kinds: which of "labels", "overlay", "compare" to write.
        result: the row whose labels are the result.
        baseline: the row that it is compared with, None when there is none.
    """

    def __init__(
        self,
        folder: Path,
        fps: Fraction,
        labels: LabelSet,
        kinds: Sequence[str],
        result: str,
        baseline: str | None,
    ) -> None:
        self.folder = folder
        self.fps = fps
        self.labels = labels
        self.kinds = kinds
        self.views = {"": result} if baseline in (None, result) else {"_before": str(baseline), "": result}
        self._curves = Curves(labels.names, (TRUTH, *self.views.values()))
        self._stack = ExitStack()
        self._sinks: dict[str, VideoSink] = {}

    def __enter__(self) -> "VideoFiles":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._curve_file = self._stack.enter_context(CurveFile(self.folder / CURVES_NAME))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def write(self, frames_NHWC: np.ndarray | None, rows: Mapping[str, np.ndarray]) -> None:
        """Add the next frames and the labels of every row. Without frames only labels and curves are written."""
        self._curve_file.write(self._curves.update(rows), len(next(iter(rows.values()))))
        if "labels" in self.kinds:
            for suffix, row in self.views.items():
                self._write(f"labels{suffix}.mkv", rows[row])
        if frames_NHWC is None or not {"overlay", "compare"} & set(self.kinds):
            return
        tinted = {
            suffix: [overlay(frame, labels, self.labels) for frame, labels in zip(frames_NHWC, rows[row], strict=True)]
            for suffix, row in self.views.items()
        }
        if "overlay" in self.kinds:
            for suffix, pictures in tinted.items():
                self._write(f"overlay{suffix}.mp4", pictures)
        if "compare" in self.kinds:
            captions = ["input", *self.views.values()]
            views = zip(frames_NHWC, *tinted.values(), strict=True)
            self._write("compare.mp4", [side_by_side(list(view), captions=captions) for view in views])

    def _write(self, name: str, pictures: Sequence[np.ndarray] | np.ndarray) -> None:
        if name not in self._sinks:
            codec = "labels" if name.endswith(".mkv") else "h264"
            sink = VideoSink(self.folder / name, self.fps, codec=codec)
            self._sinks[name] = self._stack.enter_context(sink)
        for picture in pictures:
            self._sinks[name].write(picture)
