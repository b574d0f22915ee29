"""One video on its way through smoothers, files and metrics."""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from facestab.baselines.smoother import Smoother
from facestab.evaluation.alignment import Aligned, Alignment
from facestab.evaluation.files import FileChoice, VideoFiles
from facestab.evaluation.measure import Measure
from facestab.evaluation.meter import RowFrames, VideoMeter
from facestab.evaluation.result import VideoResult
from facestab.keys import TRUTH
from facestab.labels import LabelSet
from facestab.nets.inference import argmax_labels, resize_labels
from facestab.video.crop import Region
from facestab.video.flow import FlowBackend, VideoFrame
from facestab.video.flow_check import check_flow
from facestab.video.timing import Timing

_CHECKED_FRAMES = 4


@dataclass(frozen=True)
class EvaluationPlan:
    """What an evaluation does with every video.

    Attributes:
        folder: of the run; files go below `videos/<id>/`.
        labels: the label set.
        result: the row that is the result of the run.
        baseline: the row that the result should improve on, None when there is none; smoothers work on it.
        controls: row name to smoother.
        flow: for what is measured along the motion; None leaves it out.
        files: which files to write.
        measure_size: pixels of the shorter side at which larger videos are measured; None: as they are.
        probabilities: whether to measure them, too: how sure the networks are, and how steady that is.
    """

    folder: Path
    labels: LabelSet
    result: str
    baseline: str | None
    controls: Mapping[str, Smoother]
    flow: FlowBackend | None
    files: FileChoice
    measure_size: int | None = None
    probabilities: bool = True

    @property
    def smoothed(self) -> str:
        """The row whose probabilities the smoothers get."""
        return self.baseline or self.result

    def without_frames(self) -> "EvaluationPlan":
        """The same for masks whose video is not at hand: what needs frames is left out."""
        controls = {row: smoother for row, smoother in self.controls.items() if not smoother.needs_frames}
        return replace(self, controls=controls, flow=None)

    @property
    def reference(self) -> str:
        """The row that stands in for true labels in what needs a reference: a vote without lag, if there is one."""
        return next((row for row in self.controls if row.startswith("vote")), self.smoothed)


class VideoEvaluation:
    """Takes the frames of one video, in order and in parts, and ends with its files and its result.

    Used in a `with` block; after an exception no file of the video is left.

    Args:
        plan: what to do.
        video: its id.
        timing: of its frames.
        size: height and width in pixels.
        source: the video's path, "" when only masks are known.
    """

    def __init__(self, plan: EvaluationPlan, video: str, timing: Timing, size: tuple[int, int], source: str) -> None:
        self.plan = plan
        self.result = VideoResult(video, str(timing.fps), list(size), source)
        # exact flow is known at the size of its frames
        is_exact = plan.flow is not None and plan.flow.name == "exact"
        self._measure = Measure(size, None if is_exact else plan.measure_size)
        self.result.measured = list(self._measure.size)
        self._meter = VideoMeter(plan.labels, float(timing.fps), plan.flow, plan.reference)
        folder = plan.folder / "videos" / video
        self._files = VideoFiles(folder, timing, plan.labels, plan.files, plan.result, plan.baseline)
        # of the frames that have come and are not written
        self._squares: deque[list[tuple[float, float, float]]] = deque()
        self._alignment = Alignment()
        self._region: Region | None = None
        for smoother in plan.controls.values():
            smoother.reset()

    def __enter__(self) -> "VideoEvaluation":
        self._files.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._files.__exit__(*exception)  # type: ignore[arg-type]

    def add(
        self,
        frames_NHWC: np.ndarray | None,
        probs: Mapping[str, Tensor],
        seconds: Mapping[str, float],
        truth_NHW: np.ndarray | None = None,
        labels: Mapping[str, np.ndarray] | None = None,
        softmax_seconds: float = 0.0,
        squares: Sequence[Sequence[tuple[float, float, float]]] | None = None,
        region: Region | None = None,
    ) -> None:
        """Add the next N frames.

        Args:
            frames_NHWC: uint8 RGB; None when the video is not at hand.
            probs: row name to probabilities (N, K, h, w), at any size. Where there are smoothers, theirs is among them.
            seconds: row name to the time that its probabilities, or else its labels, took.
            truth_NHW: uint8 true labels at frame size, when there are any.
            labels: row name to uint8 ids (N, h, w), at any size, for rows whose labels are known; if they have
                probabilities, too, those are for the smoothers and are not measured.
            softmax_seconds: the time that the probabilities took beyond the logits; only smoothers need them.
            squares: centre and side of what the network saw of every frame; None for whole frames.
            region: what the probabilities cover, the same for all frames of the video; None for whole frames.
        """
        self._region, self._meter.region = region, self._measure.region(region)
        self._squares.extend(map(list, squares or ()))
        given = labels or {}
        rows: dict[str, Sized] = {**probs, **given}
        count = len(next(iter(rows.values())))
        first = self.result.num_frames
        frames = None
        if frames_NHWC is not None:
            frames = [VideoFrame(self.result.id, first + i, frame) for i, frame in enumerate(frames_NHWC)]
        for row in rows:
            start = time.perf_counter()
            own = self._sized(given[row]) if row in given else self._labels(probs[row])
            if row in seconds:
                self._add_seconds(row, seconds[row] + time.perf_counter() - start)
            self._alignment.push(row, own, None if row in given else probs[row])
        if truth_NHW is not None:
            self._alignment.push(TRUTH, truth_NHW, None)
        if self.plan.controls:
            network = seconds.get(self.plan.smoothed, 0.0) + softmax_seconds
            self._smooth(frames, probs[self.plan.smoothed], network, bool(given))
        self._alignment.push_frames(frames, count)
        self.result.num_frames += count
        self._emit(self._alignment.ready())

    def _smooth(self, frames: list[VideoFrame] | None, probs_NKHW: Tensor, network: float, given: bool) -> None:
        seen = frames or []
        if self._region is not None:
            corner = self._region.top, self._region.left
            seen = [f._replace(pixels_HWC=self._region.of(f.pixels_HWC), corner=corner) for f in seen]
        for row, smoother in self.plan.controls.items():
            start = time.perf_counter()
            smoothed = smoother(seen, probs_NKHW)
            labels_MHW = self._labels(smoothed)
            cost = time.perf_counter() - start
            self._add_seconds(row, cost + (network if smoother.every_frame else 0.0))
            self._alignment.push(row, labels_MHW, None if given else smoothed)

    def finish(self) -> VideoResult:
        """Take what the smoothers held back, and the values of the whole video."""
        for row, smoother in self.plan.controls.items():
            start = time.perf_counter()
            rest = smoother.finish()
            if rest is not None:
                self._alignment.push(row, self._labels(rest), rest if self._alignment.has_probs(row) else None)
                self._add_seconds(row, time.perf_counter() - start)
        self._emit(self._alignment.ready())
        self.result.rows = self._meter.results()
        self.result.floor |= self._meter.floor()
        self.result.published = {row: metrics.published for row, metrics in self._meter.rows.items()}
        return self.result

    def _emit(self, parts: Iterator[Aligned]) -> None:
        for part in parts:
            frames = self._measure.frames(part.frames)
            if frames and frames[0].index == 0:
                self._check_flow(frames)
            rows = {row: RowFrames(self._measure.labels(ids), probs) for row, (ids, probs) in part.rows.items()}
            truth = rows[TRUTH].labels_NHW if TRUTH in rows else None
            self._meter.update(frames, rows, truth)
            pixels = np.stack([frame.pixels_HWC for frame in part.frames]) if part.frames is not None else None
            labels = {row: ids for row, (ids, _) in part.rows.items()}
            seen = [self._squares.popleft() for _ in labels[self.plan.result]] if self._squares else None
            self._files.write(pixels, labels, seen)

    def _check_flow(self, frames: list[VideoFrame]) -> None:
        if self.plan.flow is None or len(frames) < 2:
            return
        checked = check_flow(self.plan.flow, np.stack([frame.pixels_HWC for frame in frames[:_CHECKED_FRAMES]]))
        if checked is not None:
            self.result.floor = {f"flow_{name}": value for name, value in checked._asdict().items()}

    def _labels(self, probs_NKHW: Tensor) -> np.ndarray:
        """Ids at frame size."""
        if not len(probs_NKHW):
            return np.zeros((0, *self.result.size), np.uint8)
        return self._sized(argmax_labels(probs_NKHW))

    def _sized(self, labels_NHW: np.ndarray) -> np.ndarray:
        if self._region is None:
            return resize_labels(labels_NHW, *self.result.size)
        whole_NHW = np.zeros((len(labels_NHW), *self.result.size), np.uint8)
        for whole_HW, part_HW in zip(whole_NHW, labels_NHW, strict=True):
            self._region.of(whole_HW)[:] = part_HW
        return whole_NHW

    def _add_seconds(self, row: str, more: float) -> None:
        self.result.seconds[row] = self.result.seconds.get(row, 0.0) + more
