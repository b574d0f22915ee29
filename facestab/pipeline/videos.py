"""What every prediction has and does: the inference callback, the record's video part, loggers, the table."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, WandbLogger
from omegaconf import DictConfig
from rich.console import Console

from facestab.build import build
from facestab.callbacks.video_inference import VideoInference
from facestab.labels import LabelSet
from facestab.pipeline.folder import is_main_process
from facestab.record import write_record
from facestab.table import print_results

log = logging.getLogger(__name__)
MAX_LOGGED_VIDEOS = 4


def make_inference(config: DictConfig, folder: Path, labels: LabelSet, result: str) -> VideoInference:
    """The callback that the `inference` and `smoother` groups describe; a smoother that is null is left out."""
    controls = {row: build(node) for row, node in config.smoother.items() if node is not None}
    flow = None if config.inference.flow is None else build(config.inference.flow)
    return VideoInference(folder, labels, result, controls, flow, config.inference.write)


def log_videos(loggers: list[Logger], record: Mapping[str, Any], folder: Path) -> None:
    """Send the overall metrics to all loggers under `<row>/<key>`, and comparison videos as paths to W&B."""
    if not is_main_process():
        return
    values = {f"{row}/{key}": value for row, keys in record["metrics"].items() for key, value in keys.items()}
    videos = sorted(folder.glob("videos/*/compare.mp4"))[:MAX_LOGGED_VIDEOS]
    for logger in loggers:
        logger.log_metrics(values)
        if isinstance(logger, WandbLogger) and videos:
            captions = [path.parent.name for path in videos]
            formats = ["mp4"] * len(videos)
            logger.log_video("videos/compare", [str(path) for path in videos], caption=captions, format=formats)
        logger.save()


def finish(record: Mapping[str, Any], folder: Path) -> None:
    """Write the record, print its table, and say where the results lie. Only the main process does."""
    if not is_main_process():
        return
    write_record(folder, record)
    print_results(record)
    Console(soft_wrap=True).print(f"results: {folder}", highlight=False)
