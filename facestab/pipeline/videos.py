"""What every evaluation of videos has and does: its plan, the record's video part, loggers, the table."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, WandbLogger
from omegaconf import DictConfig
from rich.console import Console

from facestab.baselines.smoother import Smoother
from facestab.build import build
from facestab.errors import SettingError
from facestab.evaluation.files import FileChoice
from facestab.evaluation.journal import VIDEOS, VideoJournal
from facestab.evaluation.tables import write_tables
from facestab.evaluation.video import EvaluationPlan
from facestab.keys import MEDIA_KEY
from facestab.labels import LabelSet
from facestab.pipeline.folder import close_run, is_main_process
from facestab.record import UNFINISHED_NAME
from facestab.table import print_results

log = logging.getLogger(__name__)
MAX_LOGGED_VIDEOS = 4


def make_plan(
    config: DictConfig,
    folder: Path,
    labels: LabelSet,
    result: str,
    baseline: str | None,
    recurrent: Path | None = None,
) -> EvaluationPlan:
    """What the `smoother`, `flow` and `inference` groups ask for.

    Args:
        config: of the run.
        folder: of the run.
        labels: the label set.
        result: the row that is the result.
        baseline: the row that it should improve on.
        recurrent: weights for the recurrent smoother where its own are "auto"; None: there are none to be found.

    Raises:
        SettingError: when a smoother wants weights that nobody has, or the size of what is measured cannot be.
    """
    controls = {row: _smoother(row, node, recurrent) for row, node in config.smoother.items() if node is not None}
    flow = build(config.flow)
    wanted = config.inference
    files = FileChoice(list(wanted.write), list(wanted.cutout), wanted.small_width, wanted.small_fps)
    files.cutout_lut(labels)
    largest = wanted.measure_size
    if largest is not None and largest < 16:
        raise SettingError(f"inference.measure_size must be at least 16 pixels, or null, got {largest}")
    return EvaluationPlan(folder, labels, result, baseline, controls, flow, files, largest, wanted.probabilities)


def make_journal(plan: EvaluationPlan) -> VideoJournal:
    """Remembers the finished videos of a run as long as it is not finished."""
    return VideoJournal(plan.folder / UNFINISHED_NAME / VIDEOS, plan.folder, plan.labels)


def wants_recurrent(config: DictConfig) -> bool:
    """Whether a recurrent smoother has to be found or trained."""
    return any(node is not None and node.get("weights") == "auto" for node in config.smoother.values())


def _smoother(row: str, node: DictConfig, recurrent: Path | None) -> Smoother:
    if node.get("weights") != "auto":
        smoother: Smoother = build(node)
        return smoother
    if recurrent is None:
        raise SettingError(
            f"smoother.{row}.weights: only stage=temporal trains them; give a path or use smoother=controls"
        )
    smoother = build(node, weights=str(recurrent))
    return smoother


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
            logger.log_video(MEDIA_KEY, [str(path) for path in videos], caption=captions, format=formats)
        logger.save()


def finish(record: Mapping[str, Any], folder: Path) -> None:
    """Write the tables and the record, print the headline, say where the results lie. Only the main process does."""
    if not is_main_process():
        return
    write_tables(folder, record)
    close_run(folder, record)
    print_results(record)
    Console(soft_wrap=True).print(f"results: {folder}", highlight=False)
