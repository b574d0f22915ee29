"""The trained controls of stage=temporal: what the same steps buy without this or that part of the method."""

import copy
import logging
import math
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from omegaconf import DictConfig

from facestab.build import build, resolved, targets
from facestab.data.videos import training_videos
from facestab.data.windows import windows_in
from facestab.errors import SettingError
from facestab.keys import CONTINUED, FINETUNED, IMAGE, ORACLE
from facestab.nets.segnet import SegNet
from facestab.nets.weight_mix import WeightMix
from facestab.nets.weights import ModelCard, load_model, save_weights
from facestab.peers import PEERS
from facestab.pipeline.finetune import load_twice, make_pairs, make_stage, weight_average
from facestab.pipeline.folder import NO_PART, close_run, find_or_train, fingerprint, is_main_process, open_run
from facestab.pipeline.framing import looks_itself, make_videos
from facestab.pipeline.image import build_optional, portable_net
from facestab.pipeline.resume import checkpoints, fit
from facestab.pipeline.trainer import log_settings, make_loggers, make_trainer, weights_path
from facestab.pipeline.training_net import prepare_training_net
from facestab.stages.image import ImageStage

log = logging.getLogger(__name__)

# what has no part in any control
_OTHER = (
    *NO_PART,
    "w",
    "smoother",
    "flow",
    "method_flow",
    "inference",
    "recurrent",
    "controls",
    "engine",
    "split",
)
# what the labelled images alone have nothing of
_OF_PAIRS = ("consistency", "pseudo", "teacher", "pair_flow", "pair_augment", "image_augment", "video")
TITLES = {
    CONTINUED: "image model after further steps",
    FINETUNED: "control without the consistency term",
    ORACLE: "oracle with the videos' true labels",
}


def check_controls(config: DictConfig) -> None:
    """Refuse controls that do not exist.

    Raises:
        SettingError: naming the first.
    """
    for row in config.controls:
        if row not in TITLES:
            raise SettingError(f"controls: {row!r} is none of {', '.join(TITLES)}")


def control_weights(config: DictConfig, overrides: list[str], init: Path) -> dict[str, Path]:
    """Row name to the weights of each control that `controls` lists: found, or trained once under a lock.

    They depend on neither `w` nor the consistency term. `continued` is the image model after as many further steps,
    with as many pictures each, on labelled images alone. `finetuned` learns from the pseudo-labels without the
    consistency term, `oracle` from the videos' true labels: what accuracy alone can buy.
    """
    return {row: _find_or_train(row, _configured(row, config), overrides, init) for row in config.controls}


def load_controls(config: DictConfig, weights: dict[str, Path]) -> dict[str, SegNet]:
    """Row name to the network of each control that has weights."""
    known = list(targets(resolved(config.net)))
    nets = {row: load_model(weights[row], known)[0] for row in TITLES if row in weights}
    return {row: net.requires_grad_(False).eval() for row, net in nets.items()}


def _configured(row: str, config: DictConfig) -> DictConfig:
    """The run's configuration with what makes the control."""
    # not resolved: what comes from the environment is not to be written down
    control = copy.deepcopy(config)
    control.w = 1.0
    control.consistency.w = 1.0
    control.consistency.consistency = None
    if row == ORACLE:
        control.pseudo.use_true_labels = True
    return control


def _find_or_train(row: str, config: DictConfig, overrides: list[str], init: Path) -> Path:
    settings = {key: value for key, value in resolved(config).items() if key not in _OTHER}
    # what is left of the loss
    settings["consistency"] = {key: settings["consistency"][key] for key in ("balance", "adjustment", "anchor")}
    if row == CONTINUED:
        settings = {key: value for key, value in settings.items() if key not in _OF_PAIRS}
        steps = num_steps(config, load_twice(config, init)[0] if looks_itself(config) else None)
        settings["temporal"] = {**settings["temporal"], "pairs": steps, "batch": _images_per_step(config)}
        del settings["temporal"]["finetuned_share"]
    digest = fingerprint({**settings, "stage": row})

    def train(folder: Path) -> None:
        _train(row, config, folder, digest, overrides, init)

    return weights_path(find_or_train(Path(config.paths.runs) / row, digest, TITLES[row], train))


def _train(row: str, config: DictConfig, folder: Path, digest: str, overrides: list[str], init: Path) -> None:
    pl.seed_everything(config.seed, workers=True, verbose=False)
    image_net, net = load_twice(config, init)
    make = _continued if row == CONTINUED else _finetuned
    stage, card, data, length = make(config, folder, image_net, net, init)
    open_run(folder, config, overrides, digest)
    with make_loggers(config, folder) as loggers:
        monitor = ("val/miou", "max") if row == CONTINUED else ("val/loss", "min")
        callbacks: list[Callback] = [*checkpoints(folder, *monitor), *weight_average(config)]
        trainer = make_trainer(config, folder, loggers, callbacks, **length)
        log_settings(row, {"size": config.size, "seed": config.seed}, trainer, folder)
        trained = fit(trainer, stage, data, folder)
    if row != CONTINUED:
        WeightMix(config.temporal.finetuned_share)(net, image_net)
    if is_main_process():
        save_weights(weights_path(folder), net, card)
        record = {"stage": row, "fingerprint": digest, "init": card.image_weights, "seed": config.seed}
        close_run(folder, {**record, "size": config.size, "metrics": {row: trained.metrics}})
    PEERS.wait()


_Parts = tuple[LightningModule, ModelCard, LightningDataModule, dict[str, int]]


def _finetuned(config: DictConfig, folder: Path, image_net: SegNet, net: SegNet, init: Path) -> _Parts:
    stage = make_stage(config, net, folder, build(config.consistency), {}, {IMAGE: init})
    data = make_pairs(config, image_net)
    return stage, stage.card, data, {"max_epochs": config.temporal.max_epochs}


def _continued(config: DictConfig, folder: Path, image_net: SegNet, net: SegNet, init: Path) -> _Parts:
    card = ModelCard("image", portable_net(config), build(config.labels).to_dict(), config.size)
    optimizer = build(config.temporal.optimizer)
    stage = ImageStage(prepare_training_net(config, net), card, optimizer, build_optional(config.temporal.scheduler))
    data = build(config.data, batch_size=_images_per_step(config))
    stage.total_steps = num_steps(config, image_net)
    return stage, card, data, {"max_epochs": -1}


def _images_per_step(config: DictConfig) -> int:
    """Pictures that go through the network in a step of the temporal stage."""
    pairs = config.temporal.pairs
    return int(pairs.batch_size * (2 + pairs.images_per_pair))


def num_steps(config: DictConfig, image_net: SegNet | None) -> int:
    """Steps of the temporal stage of this configuration with this image model."""
    videos = make_videos(config, image_net)
    videos.prepare()
    pairs = config.temporal.pairs
    shots = [shot for item in training_videos(videos, pairs.splits) for shot in item.shots]
    num_pairs = sum(windows_in(stop - start, min(pairs.gaps) + 1, pairs.stride) for start, stop in shots)
    batches = math.ceil(num_pairs / (pairs.batch_size * config.trainer.devices))
    limit = config.trainer.limit_train_batches
    batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    found: int = max(1, batches * config.temporal.max_epochs // config.trainer.accumulate_grad_batches)
    return found
