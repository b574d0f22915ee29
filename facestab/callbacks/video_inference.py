"""Writes stabilized videos and their metrics while Lightning predicts."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from rich.progress import TaskID

from facestab.data.prediction import PredictionData
from facestab.data.videos import VideoItem
from facestab.errors import FrameError, SettingError, VideoError, none_usable
from facestab.evaluation.journal import VideoJournal
from facestab.evaluation.result import VideoResult
from facestab.evaluation.summary import video_record
from facestab.evaluation.video import EvaluationPlan, VideoEvaluation
from facestab.nets.inference import argmax_labels, planes, softmax
from facestab.overlap import Behind
from facestab.peers import PEERS
from facestab.progress import progress_bars
from facestab.stages.prediction import FramePrediction
from facestab.video.label_video import LabelVideo

log = logging.getLogger(__name__)


class VideoInference(BasePredictionWriter):
    """Streams each video's predictions into its files and metrics. One data set item is one video.

    Every process writes the videos that it predicts; their values are gathered at the end, so that the overall metrics
    are the same for any number of processes. A video with a frame that cannot be read leaves no file and has no values;
    it is named in `skipped`, and the others go on.

    Args:
        plan: what is done with every video.
        overlap: batches of predictions that may wait for a thread of their own that measures and writes, so that the
            networks go on. Then rows share the processor with it, and what a frame costs says less.
        journal: remembers finished videos, so that a run that goes on leaves them out; None: all are done.

    Raises:
        SettingError: when overlap is below 0.
    """

    def __init__(self, plan: EvaluationPlan, overlap: int = 0, journal: VideoJournal | None = None) -> None:
        super().__init__(write_interval="batch")
        if overlap < 0:
            raise SettingError(f"inference.overlap must be at least 0, got {overlap}")
        self.plan = plan
        self.overlap = overlap
        self.journal = journal
        self._open = ExitStack()
        self._own: list[VideoResult] = []
        self._own_skipped: dict[str, str] = {}
        self.results: list[VideoResult] = []
        self.skipped: dict[str, str] = {}

    def run(self, trainer: Trainer, stage: LightningModule, items: Sequence[VideoItem]) -> None:
        """Predict the videos that are not finished; the results are those of all.

        Args:
            trainer: with this callback.
            stage: makes the predictions.
            items: the videos.

        Raises:
            VideoError: when no video could be read to its end.
        """
        found = [None if self.journal is None else self.journal.find(item) for item in items]
        missing = [item for item, result in zip(items, found, strict=True) if result is None]
        if len(missing) < len(items):
            log.info("%d of %d videos are finished already", len(items) - len(missing), len(items))
        self.results, self.skipped = [], {}
        if missing:
            trainer.predict(stage, datamodule=PredictionData(missing), return_predictions=False)
        self.results = _in_order([*self.results, *(result for result in found if result is not None)])
        if not self.results and self.skipped:
            raise none_usable(list(self.skipped.values()))

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last prediction; count videos and frames from here on."""
        self._own, self.results = [], []
        self._own_skipped, self.skipped = {}, {}
        self._bars = self._open.enter_context(progress_bars())
        self._videos = self._bars.add_task("predicting", total=sum(trainer.num_predict_batches), unit="videos")

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the bars away."""
        self._open.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Take the bars away, so that the error stands alone."""
        self._open.close()

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Drain the stream of one video into its files and metrics."""
        if batch is not None:
            frames = self._bars.add_task(batch.id, total=batch.num_frames, unit="frames")
            try:
                self._own.append(self._drain(prediction, batch, frames))
            except FrameError as error:
                self._own_skipped[str(batch.path)] = str(error)
                log.warning("left out: %s", error)
            self._bars.remove_task(frames)
            self._bars.advance(self._videos)

    def _drain(self, prediction: Iterable[FramePrediction], item: VideoItem, frames: TaskID) -> VideoResult:
        truths = _true_labels(item)
        size = (item.info.height, item.info.width)
        with item.open() as source:
            timing = source.timing()
        with VideoEvaluation(self.plan, item.id, timing, size, str(item.path)) as evaluation:

            def add(step: FramePrediction) -> None:
                _add(evaluation, step, truths)
                self._bars.advance(frames, len(step.frames_NHWC))

            with Behind(add, self.overlap) as behind:
                for step in prediction:
                    behind.put(step)
            result = evaluation.finish()
        if self.journal is not None:
            self.journal.keep(item, result)
        return result

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather the values of all processes; the order of the videos does not depend on who predicted them."""
        own = self._own, self._own_skipped
        gathered: list[tuple[list[VideoResult], dict[str, str]]] = [own]
        if trainer.world_size > 1:
            # longer than the exchange itself could wait
            PEERS.wait()
            gathered = [([], {}) for _ in range(trainer.world_size)]
            dist.all_gather_object(gathered, own)
        self.results = _in_order(result for results, _ in gathered for result in results)
        self.skipped = {path: why for _, skipped in gathered for path, why in skipped.items()}

    def record(self) -> dict[str, Any]:
        """The parts of the run's record that come from the videos; see `video_record`."""
        flow = self.plan.flow.name if self.plan.flow is not None else "none"
        labels = self.plan.labels.to_dict()
        return {"flow": flow, "labels": labels, **video_record(self.results, self.plan.result, self.plan.baseline)}


def _in_order(results: Iterable[VideoResult]) -> list[VideoResult]:
    return sorted(results, key=lambda result: result.id)


# not inference mode, which is a thread's own: what is begun here ends in the caller's thread, in whatever mode that is
@torch.no_grad()
def _add(evaluation: VideoEvaluation, step: FramePrediction, truths: Iterator[np.ndarray] | None) -> None:
    plan = evaluation.plan
    truth_NHW = np.stack(list(islice(truths, len(step.frames_NHWC)))) if truths is not None else None
    sure = list(step.logits) if plan.probabilities else [plan.smoothed] if plan.controls else []
    start = time.perf_counter()
    # softmax costs as much as argmax, and what it gives is a hundred times as large
    probs = {row: planes(softmax(step.logits[row]).cpu()) for row in sure}
    softmax_seconds = (time.perf_counter() - start) / max(len(probs), 1)
    labels, seconds = {}, dict(step.seconds)
    if not plan.probabilities:
        for row, logits_NKHW in step.logits.items():
            start = time.perf_counter()
            labels[row] = argmax_labels(logits_NKHW)
            seconds[row] += time.perf_counter() - start
    squares = None
    if step.squares is not None:
        squares = [[(square.x, square.y, square.side) for square in own] for own in step.squares]
    evaluation.add(
        step.frames_NHWC,
        probs,
        seconds,
        truth_NHW,
        labels=labels,
        softmax_seconds=softmax_seconds,
        squares=squares,
        region=step.region,
    )


def _true_labels(item: VideoItem) -> Iterator[np.ndarray] | None:
    """The true labels of a video, frame by frame, when it has any.

    Raises:
        VideoError: when they are of another length or size than the video.
    """
    if item.truth is None:
        return None
    labels = LabelVideo(item.truth)
    sizes = [(info.num_frames, info.height, info.width) for info in (labels.info, item.info)]
    if sizes[0] != sizes[1]:
        raise VideoError(
            f"{item.truth}: {sizes[0]} frames, rows and columns of true labels do not fit the video's {sizes[1]}"
        )
    return labels.frames()
