"""stage=evaluate: measure the masks of any tool; no model and no checkpoint needed."""

import logging
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from facestab.build import build
from facestab.data.masks import Ids, MaskedVideo, find_masks, ids_of, match
from facestab.errors import SettingError
from facestab.evaluation.result import VideoResult
from facestab.evaluation.summary import video_record
from facestab.evaluation.video import EvaluationPlan, VideoEvaluation
from facestab.keys import MASKS, REFERENCE, TRUTH
from facestab.labels import LabelSet
from facestab.pipeline.folder import open_run
from facestab.pipeline.trainer import make_loggers
from facestab.pipeline.videos import finish, log_videos, make_plan
from facestab.progress import progress_bars

log = logging.getLogger(__name__)


def run_evaluate(config: DictConfig, folder: Path, overrides: list[str]) -> None:
    """Measure every video's masks, beside the controls and, where there are any, the reference and the truth."""
    videos = _videos(config)
    ids = ids_of(videos)
    if ids.is_binary:
        log.info("the masks hold 0 and 255 only: 255 is taken as class 1")
    labels = _labels(config, ids)
    baseline = REFERENCE if config.reference is not None else None
    plan = make_plan(config, folder, labels, MASKS, baseline)
    if config.video.source is None:
        plan = plan.without_frames()
    open_run(folder, config, overrides)
    with make_loggers(config, folder) as loggers, progress_bars() as bars:
        task = bars.add_task("measuring", total=len(videos), unit="videos")
        results = []
        for video in videos:
            results.append(_evaluate(video, ids, plan, config.inference.batch_size))
            bars.advance(task)
        flow = plan.flow.name if plan.flow is not None else "none"
        about = {"stage": "evaluate", "flow": flow, "labels": labels.to_dict()}
        record = {**about, **video_record(results, MASKS, baseline)}
        log_videos(loggers, record, folder)
    finish(record, folder)


def _videos(config: DictConfig) -> list[MaskedVideo]:
    """The videos with their masks, checked."""
    fps = _rate(config.fps)
    paths = {MASKS: config.masks, REFERENCE: config.reference, TRUTH: config.truth}
    sets = {name: find_masks(Path(path), fps) for name, path in paths.items() if path is not None}
    items = [] if config.video.source is None else build(config.video).split("all")
    return match(items, sets)


def _rate(fps: Any) -> Fraction:
    try:
        rate = Fraction(str(fps))
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise SettingError(f"fps: a number or fraction above 0 is needed, such as 25 or 30000/1001, got {fps}")
    return rate


def _labels(config: DictConfig, ids: Ids) -> LabelSet:
    """The configured label set, or one with as many numbered classes as the masks use.

    Raises:
        SettingError: when the masks use an id that the label set does not have.
    """
    if config.labels.get("num_classes", 0) is None:
        labels: LabelSet = build(config.labels, num_classes=ids.num_classes)
        return labels
    labels = build(config.labels)
    if ids.num_classes > labels.num_classes:
        raise SettingError(
            f"labels: {labels.num_classes} classes, but the masks use id {ids.num_classes - 1}; "
            "choose the label set that the masks were made with, or labels=numbered"
        )
    return labels


def _evaluate(video: MaskedVideo, ids: Ids, plan: EvaluationPlan, batch_size: int) -> VideoResult:
    info = video.info
    sequences = {name: ids.read(labels) for name, labels in video.labels.items()}
    source = str(video.video.path) if video.video is not None else ""
    with VideoEvaluation(plan, video.id, video.timing(), (info.height, info.width), source) as evaluation:
        for frames_NHWC, count in _frame_batches(video, batch_size):
            parts = {name: np.stack(list(islice(frames, count))) for name, frames in sequences.items()}
            truth_NHW = parts.pop(TRUTH, None)
            probs = {name: one_hot(part, plan.labels.num_classes) for name, part in parts.items()}
            evaluation.add(frames_NHWC, probs, {}, truth_NHW, labels=parts)
        return evaluation.finish()


def _frame_batches(video: MaskedVideo, batch_size: int) -> Iterator[tuple[np.ndarray | None, int]]:
    """Frames (N, H, W, 3) at the size of the masks, with N; None for frames when there is no video."""
    info = video.info
    if video.video is None:
        for first in range(0, info.num_frames, batch_size):
            yield None, min(batch_size, info.num_frames - first)
        return
    with video.video.open() as source:
        frames = source.frames()
        while batch := [_resize(frame, info.height, info.width) for frame in islice(frames, batch_size)]:
            yield np.stack(batch), len(batch)


def _resize(frame_HWC: np.ndarray, height: int, width: int) -> np.ndarray:
    if frame_HWC.shape[:2] == (height, width):
        return frame_HWC
    found: np.ndarray = cv2.resize(frame_HWC, (width, height), interpolation=cv2.INTER_AREA)
    return found


def one_hot(labels_NHW: np.ndarray, num_classes: int) -> Tensor:
    """What smoothers take for probabilities, float32 (N, K, H, W); a pixel without a class is background."""
    ids_NHW = torch.from_numpy(np.where(labels_NHW < num_classes, labels_NHW, 0))
    classes_K = torch.arange(num_classes, dtype=torch.uint8).view(-1, 1, 1)
    return (ids_NHW[:, None] == classes_K).float()
