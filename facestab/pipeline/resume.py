"""Training that goes on where it was killed, to the same weights, bit for bit on a processor.

Lightning's checkpoints hold weights, optimizer, schedule, the mean of the weights and what callbacks remember, at the
end of every epoch. Order and augmentation are functions of seed, epoch and position; see `SeededSampler`. The rest is
here: random numbers, the last values of what was logged, the rows of metrics.csv, and whether training is over.
"""

import logging
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from facestab.nets.weights import load_into, load_tensors
from facestab.pipeline.metrics_file import MetricsFile, make_row

log = logging.getLogger(__name__)
PROGRESS_KEY = "progress"
LAST_NAME = "last.ckpt"


@dataclass(frozen=True)
class Trained:
    """How a training ended.

    Attributes:
        epochs: that it took.
        metrics: the last value of everything that was logged.
    """

    epochs: int
    metrics: dict[str, float]


def checkpoints(folder: Path, monitor: str, mode: str) -> list[ModelCheckpoint]:
    """Keeps the best epoch's checkpoint and the last one's.

    Two callbacks: the one that monitors writes its own last checkpoint in epochs that are the best alone (Lightning
    2.6). The last one is written after the best, so that it knows of it.
    """
    shared: dict[str, Any] = {"dirpath": folder / "checkpoints", "enable_version_counter": False}
    best = ModelCheckpoint(filename="best", monitor=monitor, mode=mode, auto_insert_metric_name=False, **shared)
    last = ModelCheckpoint(filename=Path(LAST_NAME).stem, save_on_train_epoch_end=True, **shared)
    return [best, last]


def fit(trainer: Trainer, stage: LightningModule, data: LightningDataModule, folder: Path) -> Trained:
    """Train, or go on from the last epoch that the folder has, or take what is trained.

    Args:
        trainer: as `make_trainer` makes it.
        stage: with a `net`, which has the trained weights afterwards.
        data: what it learns from.
        folder: of the run; see `open_run`.

    Raises:
        WeightsError: when the last checkpoint cannot be read.
    """
    last = folder / "checkpoints" / LAST_NAME
    # says in one line what is wrong with it
    tensors = load_tensors(last)[0] if last.exists() else None
    progress = _Progress()
    trainer.callbacks.insert(0, progress)  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        # they are this run's own
        warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
        trainer.fit(stage, datamodule=data, ckpt_path=None if tensors is None else last, weights_only=True)
    if not progress.has_trained and tensors is not None:
        assert isinstance(stage.net, torch.nn.Module)
        # Lightning leaves out what ends a training, such as handing over the mean of the weights
        load_into(stage.net, tensors, last)
    return Trained(progress.epochs, progress.metrics)


@dataclass
class _State:
    """What a checkpoint keeps.

    Attributes:
        epochs: that have ended.
        is_over: whether it was decided to stop; Lightning forgets that.
        metrics: the last value of everything that was logged.
        rows: of metrics.csv.
        random: of torch, for layers that draw numbers.
        random_cuda: the same of every GPU.
    """

    epochs: int = 0
    is_over: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    random: torch.Tensor = field(default_factory=torch.get_rng_state)
    random_cuda: list[torch.Tensor] = field(default_factory=torch.cuda.get_rng_state_all)


class _Progress(Callback):
    def __init__(self) -> None:
        self.has_trained = False
        self._before = _State()
        self._metrics: dict[str, float] = {}
        self.epochs = 0

    @property
    def metrics(self) -> dict[str, float]:
        """The last values, also of what was not logged since the training goes on."""
        return {**self._before.metrics, **self._metrics}

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._remember(trainer)
        files = [logger for logger in trainer.loggers if isinstance(logger, MetricsFile)]
        rows = [*files[0].rows, _epoch_row(trainer)] if files else []
        state = _State(trainer.current_epoch + 1, trainer.should_stop, self.metrics, rows)
        checkpoint[PROGRESS_KEY] = vars(state)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._before = state = _State(**checkpoint[PROGRESS_KEY])
        self.epochs = state.epochs
        log.info("going on after epoch %d", state.epochs)
        for logger in trainer.loggers:
            if isinstance(logger, MetricsFile):
                logger.rows = list(state.rows)
        torch.set_rng_state(state.random.cpu())
        if len(state.random_cuda) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([random.cpu() for random in state.random_cuda])

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = self._before.is_over

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.has_trained = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._remember(trainer)
        self.epochs = trainer.current_epoch

    def _remember(self, trainer: Trainer) -> None:
        self._metrics = {key: float(value) for key, value in trainer.callback_metrics.items()}


def _epoch_row(trainer: Trainer) -> dict[str, Any]:
    """The row of the epoch that ends, which Lightning logs right after it has saved the checkpoint."""
    loop = trainer.fit_loop.epoch_loop
    values = {"epoch": trainer.current_epoch, **trainer._logger_connector.metrics["log"]}
    return make_row(values, loop._batches_that_stepped - 1)
