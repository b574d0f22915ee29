"""Writes stabilized videos and their metrics while Lightning predicts."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter

from facestab.baselines.smoother import Smoother
from facestab.callbacks.files import KINDS, VideoFiles
from facestab.callbacks.meter import VideoMeter, VideoResult
from facestab.callbacks.summary import video_record
from facestab.data.videos import VideoItem
from facestab.errors import SettingError, VideoError
from facestab.labels import LabelSet
from facestab.nets.inference import argmax_labels, resize_labels
from facestab.progress import progress_bars
from facestab.record import IMAGE, TRUTH
from facestab.stages.prediction import FramePrediction
from facestab.video.flow import FlowBackend
from facestab.video.label_video import LabelVideo


class VideoInference(BasePredictionWriter):
    """Streams each video's predictions into its files and metrics. One data set item is one video.

    Every process writes the videos that it predicts; their counts are gathered at the end, so that the overall metrics
    are the same for any number of processes.

    Args:
        folder: of the run; videos go below `videos/<id>/`.
        labels: the label set.
        result: the row that is the result of the run.
        controls: row name to smoother; they work on the image model's probabilities, or the result's without one.
        flow: for the flow-warped metrics; None leaves them out.
        write: which of "labels", "overlay", "compare" to write.

    Raises:
        SettingError: for an unknown kind of file.
    """

    def __init__(
        self,
        folder: Path,
        labels: LabelSet,
        result: str,
        controls: Mapping[str, Smoother],
        flow: FlowBackend | None,
        write: Sequence[str],
    ) -> None:
        super().__init__(write_interval="batch")
        unknown = [kind for kind in write if kind not in KINDS]
        if unknown:
            raise SettingError(f"inference.write: '{unknown[0]}' is none of {', '.join(KINDS)}")
        self.folder = folder
        self.labels = labels
        self.result = result
        self.controls = controls
        self.flow = flow
        self.write = tuple(write)
        self._open = ExitStack()
        self._own: list[VideoResult] = []
        self.results: list[VideoResult] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last prediction; count videos and frames from here on."""
        self._own, self.results = [], []
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
            self._own.append(self._drain(prediction, batch))
            self._bars.advance(self._videos)

    def _drain(self, prediction: Iterable[FramePrediction], item: VideoItem) -> VideoResult:
        info = item.info
        meter = VideoMeter(self.labels, self.flow)
        result = VideoResult(item.id, str(info.fps), [info.height, info.width], rows=meter.rows)
        truths = _true_labels(item)
        for smoother in self.controls.values():
            smoother.reset()
        shown = list(dict.fromkeys([IMAGE, self.result]))
        folder = self.folder / "videos" / item.id
        frames = self._bars.add_task(item.id, total=item.num_frames, unit="frames")
        with VideoFiles(folder, info.fps, self.labels, self.write, self.result, shown) as files:
            for step in prediction:
                count = len(step.frames_NHWC)
                truth_NHW = np.stack(list(islice(truths, count))) if truths is not None else None
                rows = self._label_rows(step, result.seconds, info.height, info.width)
                if truth_NHW is not None:
                    rows[TRUTH] = truth_NHW
                files.write(step.frames_NHWC, rows, meter.update(step.frames_NHWC, rows, truth_NHW))
                result.num_frames += count
                self._bars.advance(frames, count)
        self._bars.remove_task(frames)
        return result

    def _label_rows(
        self, step: FramePrediction, seconds: dict[str, float], height: int, width: int
    ) -> dict[str, np.ndarray]:
        """Labels of every row at frame size; adds up what each row costs."""
        rows = {}
        for row, logits_NKHW in step.logits.items():
            start = time.perf_counter()
            rows[row] = resize_labels(argmax_labels(logits_NKHW), height, width)
            _add(seconds, row, step.seconds[row] + time.perf_counter() - start)
        basis = IMAGE if IMAGE in step.logits else self.result
        frames_NCHW = torch.from_numpy(step.frames_NHWC).permute(0, 3, 1, 2)
        for row, smoother in self.controls.items():
            start = time.perf_counter()
            labels_NHW = smoother(frames_NCHW, step.logits[basis].softmax(1)).cpu().numpy()
            rows[row] = resize_labels(labels_NHW, height, width)
            network = step.seconds[basis] if smoother.every_frame else 0.0
            _add(seconds, row, network + time.perf_counter() - start)
        return rows

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather the counts of all processes; the order of the videos does not depend on who predicted them."""
        gathered: list[list[VideoResult]] = [self._own]
        if trainer.world_size > 1:
            gathered = [[] for _ in range(trainer.world_size)]
            dist.all_gather_object(gathered, self._own)
        self.results = sorted((result for part in gathered for result in part), key=lambda result: result.id)

    def record(self) -> dict[str, Any]:
        """The parts of the run's record that come from the videos; see `video_record`."""
        flow = self.flow.name if self.flow is not None else "none"
        return {"flow": flow, **video_record(self.results, self.labels, self.result)}


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


def _add(seconds: dict[str, float], row: str, more: float) -> None:
    seconds[row] = seconds.get(row, 0.0) + more
