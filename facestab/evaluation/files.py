"""The files of one video: label ids, pictures for people, and the flicker of every frame."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from facestab.errors import SettingError
from facestab.evaluation.curves import CURVES_NAME, CurveFile, Curves
from facestab.evaluation.frame_list import FrameList
from facestab.keys import TRUTH
from facestab.labels import LabelSet
from facestab.video.gif import GifSink
from facestab.video.overlay import overlay, side_by_side
from facestab.video.palette_folder import PaletteFolder
from facestab.video.sink import VideoSink
from facestab.video.timing import Timing

KINDS = ("labels", "palette", "overlay", "compare", "cutout", "gif", "webp", "json")
# those that need no frames
_OF_LABELS = ("labels", "palette", "json")


@dataclass(frozen=True)
class FileChoice:
    """Which files are wanted, and how.

    Attributes:
        kinds: some of `KINDS`.
        cutout: names of the classes that cutout.webm shows; empty for all but class 0.
        small_width: most pixels that overlay.gif and overlay.webp are wide.
        small_fps: most frames per second that they have.

    Raises:
        SettingError: for an unknown kind, or a size or rate that cannot be.
    """

    kinds: Sequence[str]
    cutout: Sequence[str] = ()
    small_width: int = 480
    small_fps: float = 12.5

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown:
            raise SettingError(f"inference.write: '{unknown[0]}' is none of {', '.join(KINDS)}")
        if self.small_width < 16 or not 0 < self.small_fps <= 50:
            got = f"{self.small_width} and {self.small_fps}"
            raise SettingError(f"inference.small_width is at least 16 and small_fps above 0 and up to 50, got {got}")

    def cutout_lut(self, labels: LabelSet) -> np.ndarray:
        """uint8 (256,): id to alpha.

        Raises:
            SettingError: for a class that the label set does not have.
        """
        lut = np.zeros(256, np.uint8)
        for name in self.cutout or labels.names[1:]:
            if name not in labels.names:
                raise SettingError(f"inference.cutout: no class is called {name}, only {', '.join(labels.names)}")
            lut[labels.names.index(name)] = 255
        return lut


class VideoFiles:
    """Writes the files of one video; each appears whole or not at all.

    `labels.mkv`, `palette/`, `overlay.*` and `cutout.webm` show the result, `labels_before.mkv` and
    `overlay_before.mp4` the baseline where there is one, `compare.mp4` the input and both.

    Args:
        folder: where the files go.
        timing: of the video.
        labels: the label set.
        choice: which files.
        result: the row whose labels are the result.
        baseline: the row that it is compared with, None when there is none.
    """

    def __init__(
        self, folder: Path, timing: Timing, labels: LabelSet, choice: FileChoice, result: str, baseline: str | None
    ) -> None:
        self.folder = folder
        self.timing = timing
        self.labels = labels
        self.choice = choice
        self.views = {"": result} if baseline in (None, result) else {"_before": str(baseline), "": result}
        self.result = result
        self._alpha_lut = choice.cutout_lut(labels)
        self._curves = Curves(labels.names, (TRUTH, *self.views.values()))
        self._stack = ExitStack()
        self._sinks: dict[str, Any] = {}
        self._number = 0

    def __enter__(self) -> "VideoFiles":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._curve_file = self._stack.enter_context(CurveFile(self.folder / CURVES_NAME))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def write(
        self,
        frames_NHWC: np.ndarray | None,
        rows: Mapping[str, np.ndarray],
        squares: Sequence[Sequence[tuple[float, float, float]]] | None = None,
    ) -> None:
        """Add the next frames and the labels of every row. Without frames only labels and curves are written.

        Args:
            frames_NHWC: uint8 RGB.
            rows: name to ids (N, H, W).
            squares: of every frame, centre and side of what the network saw of it; None for whole frames.
        """
        result_NHW = rows[self.result]
        self._curve_file.write(self._curves.update(rows), len(result_NHW))
        kinds = [kind for kind in self.choice.kinds if frames_NHWC is not None or kind in _OF_LABELS]
        for i, labels_HW in enumerate(result_NHW):
            if "json" in kinds:
                self._sink("frames.json").write(labels_HW, None if squares is None else squares[i])
            if "palette" in kinds:
                self._sink("palette").write(labels_HW)
            for suffix, row in self.views.items():
                if "labels" in kinds:
                    self._sink(f"labels{suffix}.mkv").write(rows[row][i])
            if frames_NHWC is not None:
                self._write_pictures(kinds, frames_NHWC[i], {row: rows[row][i] for row in self.views.values()})
            self._number += 1

    def _write_pictures(self, kinds: Sequence[str], frame_HWC: np.ndarray, rows: Mapping[str, np.ndarray]) -> None:
        if "cutout" in kinds:
            alpha_HW = self._alpha_lut[rows[self.result]]
            self._sink("cutout.webm").write(np.dstack([frame_HWC, alpha_HW]))
        is_small_due = {"gif", "webp"} & set(kinds) and self._is_small_due()
        if not ({"overlay", "compare"} & set(kinds) or is_small_due):
            return
        tinted = {row: overlay(frame_HWC, labels_HW, self.labels) for row, labels_HW in rows.items()}
        for suffix, row in self.views.items():
            if "overlay" in kinds:
                self._sink(f"overlay{suffix}.mp4").write(tinted[row])
        if "compare" in kinds:
            captions = ["input", *self.views.values()]
            views = [frame_HWC, *(tinted[row] for row in self.views.values())]
            self._sink("compare.mp4").write(side_by_side(views, captions=captions))
        for kind in ("gif", "webp"):
            if kind in kinds and is_small_due:
                self._sink(f"overlay.{kind}").write(self._small(tinted[self.result]))

    def _is_small_due(self) -> bool:
        """Whether a frame is the first one in its place of the slower rate."""
        pace = min(Fraction(1), self._small_fps / self.timing.fps)
        return self._number == 0 or int(self._number * pace) > int((self._number - 1) * pace)

    @property
    def _small_fps(self) -> Fraction:
        return min(self.timing.fps, Fraction(self.choice.small_fps).limit_denominator(1000))

    def _small(self, picture_HWC: np.ndarray) -> np.ndarray:
        height, width = picture_HWC.shape[:2]
        if width <= self.choice.small_width:
            return picture_HWC
        size = self.choice.small_width, max(1, round(height * self.choice.small_width / width))
        found: np.ndarray = cv2.resize(picture_HWC, size, interpolation=cv2.INTER_AREA)
        return found

    def _sink(self, name: str) -> Any:
        if name not in self._sinks:
            self._sinks[name] = self._stack.enter_context(self._open(self.folder / name))
        return self._sinks[name]

    def _open(self, path: Path) -> Any:
        times = self.timing.times
        if path.name == "frames.json":
            return FrameList(self.folder, self.timing, self.labels.names)
        if path.name == "palette":
            return PaletteFolder(path, self.labels.palette_lut)
        if path.suffix == ".gif":
            return GifSink(path, self._small_fps)
        if path.suffix == ".webp":
            return VideoSink(path, self._small_fps, codec="webp")
        if path.suffix == ".webm":
            return VideoSink(path, self.timing.fps, codec="alpha", times=times)
        if path.suffix == ".mkv":
            return VideoSink(path, self.timing.fps, codec="labels", times=times)
        return VideoSink(path, self.timing.fps, codec="h264", times=times, audio=self.timing.audio)
