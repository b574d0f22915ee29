"""The recurrent baseline of a stage: found, or trained on the same videos and pseudo labels."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.utilities.seed import isolate_rng
from omegaconf import DictConfig

from facestab.baselines.recurrent_training import RecurrentTraining
from facestab.build import build, resolved
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.videos import VideoSet
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard, save_weights, weights_hash
from facestab.peers import PEERS
from facestab.pipeline.finetune import make_frame_store
from facestab.pipeline.folder import close_run, find_or_train, fingerprint, is_main_process, open_run
from facestab.pipeline.image import build_optional
from facestab.pipeline.resume import checkpoints, fit
from facestab.pipeline.trainer import log_settings, make_loggers, make_trainer, weights_path

log = logging.getLogger(__name__)
RECURRENT = "recurrent"


def recurrent_fingerprint(config: DictConfig, image_net: SegNet) -> str:
    """Changes with whatever changes the recurrent head's weights: the image model's weights are among them."""
    keys = ("labels", "video", "pseudo", RECURRENT, "size", "seed", "trainer")
    settings = resolved(config)
    return fingerprint({**{key: settings[key] for key in keys}, "image": weights_hash(image_net)})


def recurrent_weights(
    config: DictConfig,
    overrides: Sequence[str],
    image_net: SegNet,
    init: Path,
    store: PseudoLabelStore,
    videos: VideoSet,
) -> Path:
    """The weights of the recurrent head for an image model, trained first when there are none.

    The caller's random numbers are the same afterwards, whether the head was found or trained.

    Args:
        config: of a stage that has the group `recurrent`.
        overrides: what the user typed, for the run's folder.
        image_net: the image model, which stays as it is.
        init: its file, for the record.
        store: its labels.
        videos: the set whose training split is learned from.
    """
    digest = recurrent_fingerprint(config, image_net)

    def train(folder: Path) -> None:
        with isolate_rng():
            pl.seed_everything(config.seed, workers=True, verbose=False)
            stage = _make_stage(config, image_net, os.path.relpath(init, folder))
            data = build(config.recurrent.windows, videos=videos, store=store, decoded=make_frame_store(config))
            open_run(folder, config, overrides, digest)
            _train(config, folder, digest, stage, data)

    return weights_path(find_or_train(Path(config.paths.runs) / RECURRENT, digest, "recurrent baseline", train))


def _make_stage(config: DictConfig, image_net: SegNet, init: str) -> RecurrentTraining:
    settings = config.recurrent
    card = ModelCard(RECURRENT, resolved(settings.head), build(config.labels).to_dict(), config.size, init)
    return RecurrentTraining(
        build(settings.head),
        image_net,
        card,
        build(settings.optimizer),
        build_optional(settings.scheduler),
        settings.warm_up,
    )


def _train(
    config: DictConfig, folder: Path, digest: str, stage: RecurrentTraining, data: pl.LightningDataModule
) -> None:
    with make_loggers(config, folder) as loggers:
        callbacks: list[pl.Callback] = [*checkpoints(folder, "val/loss", "min")]
        trainer = make_trainer(config, folder, loggers, callbacks, max_epochs=config.recurrent.max_epochs)
        settings = {key: config[key] for key in ("size", "seed")}
        log_settings(RECURRENT, settings, trainer, folder)
        trained = fit(trainer, stage, data, folder)
    loss = trained.metrics["train/loss"]
    log.info("recurrent baseline: %d epochs, cross-entropy %.4f", trained.epochs, loss)
    if is_main_process():
        save_weights(weights_path(folder), stage.net, stage.card)
        origin = {"stage": RECURRENT, "fingerprint": digest, "init": stage.card.image_weights}
        outcome = {"epochs": trained.epochs, "metrics": {RECURRENT: trained.metrics}}
        close_run(folder, {**origin, **settings, **outcome})
    PEERS.wait()
