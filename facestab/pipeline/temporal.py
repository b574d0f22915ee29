"""stage=temporal: fine-tune the image model on adjacent frames, then write stabilized videos."""

import logging
import os
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from omegaconf import DictConfig

from facestab.build import build, resolved, targets
from facestab.data.prediction import PredictionData
from facestab.data.videos import VideoSet
from facestab.errors import WeightsError
from facestab.labels import LabelSet
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard, load_into, load_model, load_tensors, save_weights
from facestab.pipeline.folder import fingerprint, is_finished, is_main_process, open_run
from facestab.pipeline.image import build_optional, image_weights, portable_net
from facestab.pipeline.trainer import (
    checkpoints,
    final_metrics,
    log_settings,
    make_loggers,
    make_trainer,
    weights_path,
)
from facestab.pipeline.videos import finish, log_videos, make_inference
from facestab.record import STABILIZED
from facestab.stages.temporal import TemporalStage

log = logging.getLogger(__name__)
SETTINGS = ("w", "threshold", "size", "seed")


def temporal_fingerprint(config: DictConfig) -> str:
    """Changes with every setting of the run but its name, place and loggers."""
    settings = resolved(config)
    return fingerprint({key: value for key, value in settings.items() if key not in ("name", "paths", "logger")})


def run_temporal(config: DictConfig, folder: Path, overrides: list[str]) -> None:
    """Fine-tune, predict the test videos, write the record; or say that the folder has all that already."""
    digest = temporal_fingerprint(config)
    if is_finished(folder, digest):
        log.info("%s is finished already", folder)
        return
    loss = build(config.consistency)
    init = image_weights(config, overrides)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    stage, image_net = _make_stage(config, init, folder, loss)
    videos: VideoSet = build(config.video)
    store = build(config.pseudo, net=image_net)
    data = build(config.temporal.pairs, videos=videos, images=build(config.data), store=store)
    inference = make_inference(config, folder, stage.card.label_set, STABILIZED)
    open_run(folder, config, overrides)
    settings = {key: config[key] for key in SETTINGS}
    with make_loggers(config, folder) as loggers:
        callbacks = [checkpoints(folder, "val/loss", "min"), inference]
        trainer = make_trainer(config, folder, loggers, callbacks, max_epochs=config.temporal.max_epochs)
        log_settings("temporal", settings, trainer, folder)
        trainer.fit(stage, datamodule=data)
        training = final_metrics(trainer)
        log.info("temporal stage: %d epochs, L = %.4f; predicting", trainer.current_epoch, training["train/loss"])
        trainer.predict(stage, datamodule=PredictionData(videos.split("test")), return_predictions=False)
        origin = {"stage": "temporal", "fingerprint": digest, "init": os.path.relpath(init, folder)}
        outcome = {"result": STABILIZED, "epochs": config.temporal.max_epochs, "training": training}
        record = {**origin, **settings, **outcome, **inference.record()}
        log_videos(loggers, record, folder)
    if is_main_process():
        save_weights(weights_path(folder), stage.net, stage.card)
    finish(record, folder)


def _make_stage(config: DictConfig, init: Path, folder: Path, loss: Any) -> tuple[TemporalStage, SegNet]:
    """The stage, whose network starts from the image model's weights; and that image model."""
    labels: LabelSet = build(config.labels)
    image_net, net = _load_twice(config, init, labels)
    card = ModelCard("temporal", portable_net(config), labels.to_dict(), config.size, os.path.relpath(init, folder))
    stage = TemporalStage(
        net,
        card,
        build(config.temporal.optimizer),
        build_optional(config.temporal.scheduler),
        loss=loss,
        image_net=image_net,
        diagnose_every=config.temporal.diagnose_every,
        frames_per_batch=config.inference.batch_size,
    )
    return stage, image_net


def _load_twice(config: DictConfig, init: Path, labels: LabelSet) -> tuple[SegNet, SegNet]:
    """The image model, and a network of this configuration with the same weights."""
    # what the user's own configuration calls may be called
    image_net, card = load_model(init, list(targets(resolved(config.net))))
    if card.label_set != labels:
        raise WeightsError(f"{init}: made for the labels {list(card.label_set.names)}, not {list(labels.names)}")
    net: SegNet = build(portable_net(config))
    load_into(net, load_tensors(init)[0], init)
    return image_net.requires_grad_(False).eval(), net
