"""Trainers and loggers as every stage makes them."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger, WandbLogger
from omegaconf import DictConfig

from facestab.build import build, resolved
from facestab.callbacks.peer_watch import PeerWatch
from facestab.pipeline.bar import TrainingBar
from facestab.pipeline.checkpoint_file import CheckpointFile
from facestab.pipeline.environment import without_environment
from facestab.pipeline.folder import WEIGHTS_NAME, is_main_process
from facestab.pipeline.stop import StopAtOnce

log = logging.getLogger(__name__)


@contextmanager
def make_loggers(config: DictConfig, folder: Path) -> Iterator[list[Logger]]:
    """The loggers of one run, with the whole configuration logged; closed at the end, so that jobs stay apart."""
    run_log = _run_log(folder)
    loggers: list[Logger] = [build(node, save_dir=str(folder)) for node in config.logger.values()]
    settings = without_environment(config)
    for logger in loggers:
        logger.log_hyperparams(settings)
    status = "failed"
    try:
        yield loggers
        status = "success"
    finally:
        logging.getLogger().removeHandler(run_log)
        run_log.close()
        for logger in loggers:
            logger.finalize(status)
        if any(isinstance(logger, WandbLogger) for logger in loggers) and is_main_process():
            wandb.finish(exit_code=0 if status == "success" else 1)


def _run_log(folder: Path) -> logging.Handler:
    """Every line of the main process also goes to run.log."""
    handler = logging.FileHandler(folder / "run.log") if is_main_process() else logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    return handler


def make_trainer(
    config: DictConfig, folder: Path, loggers: list[Logger], callbacks: list[Callback], **kwargs: Any
) -> Trainer:
    """A Trainer with the settings of the `trainer` group, which writes into the run's folder."""
    settings = resolved(config.trainer)
    show = sys.stderr.isatty() and is_main_process()
    return Trainer(
        **{**settings, **kwargs},
        default_root_dir=folder,
        logger=loggers or False,
        plugins=[CheckpointFile()],
        callbacks=[PeerWatch(folder), *callbacks, StopAtOnce(), *([TrainingBar(leave=False)] if show else [])],
        enable_progress_bar=show,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def log_settings(stage: str, settings: Mapping[str, Any], trainer: Trainer, folder: Path) -> None:
    """One line that says what is about to run."""
    chosen = " ".join(f"{key}={value}" for key, value in settings.items())
    device = f"{trainer.accelerator.__class__.__name__.removesuffix('Accelerator')} x {trainer.world_size}"
    log.info("stage=%s %s on %s, into %s", stage, chosen, device, folder)


def weights_path(folder: Path) -> Path:
    """Where a run hands out its network."""
    return folder / WEIGHTS_NAME
