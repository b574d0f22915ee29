"""stage=temporal: fine-tune the image model on adjacent frames, then write stabilized videos."""

import logging
import os
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from omegaconf import DictConfig

from facestab.build import build, resolved
from facestab.callbacks.video_inference import VideoInference
from facestab.data.prediction import PredictionData
from facestab.errors import WeightsError
from facestab.labels import LabelSet
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard, load_into, load_model, load_tensors, save_weights
from facestab.pipeline.folder import fingerprint, is_finished, is_main_process, open_run
from facestab.pipeline.image import image_weights, portable_net
from facestab.pipeline.predict import build_controls, log_videos, show
from facestab.pipeline.trainer import (
    checkpoints,
    final_metrics,
    log_settings,
    make_loggers,
    make_trainer,
    weights_path,
)
from facestab.record import STABILIZED, write_record
from facestab.stages.temporal import TemporalStage

log = logging.getLogger(__name__)


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
    labels: LabelSet = build(config.labels)
    image_net, net = _load_twice(config, init, labels)
    card = ModelCard("temporal", portable_net(config), labels.to_dict(), config.size, os.path.relpath(init, folder))
    stage = TemporalStage(
        net,
        card,
        build(config.temporal.optimizer),
        None if config.temporal.scheduler is None else build(config.temporal.scheduler),
        loss=loss,
        image_net=image_net,
        diagnose_every=config.temporal.diagnose_every,
    )
    stage.frames_per_batch = config.inference.batch_size
    videos = build(config.video)
    store = build(config.pseudo, net=image_net)
    data = build(config.temporal.pairs, videos=videos, images=build(config.data), store=store)
    inference = VideoInference(
        folder,
        labels,
        STABILIZED,
        build_controls(config),
        build(config.inference.flow),
        config.inference.write,
    )
    open_run(folder, config, overrides)
    with make_loggers(config, folder) as loggers:
        callbacks = [checkpoints(folder, "val/loss", "min"), inference]
        trainer = make_trainer(config, folder, loggers, callbacks, max_epochs=config.temporal.max_epochs)
        log_settings("temporal", {key: config[key] for key in ("w", "threshold", "size", "seed")}, trainer, folder)
        trainer.fit(stage, datamodule=data)
        final = final_metrics(trainer)
        log.info("temporal stage: %d epochs, L = %.4f; predicting", trainer.current_epoch, final["train/loss"])
        trainer.predict(stage, datamodule=PredictionData(videos.split("test")), return_predictions=False)
        record = {
            "stage": "temporal",
            "fingerprint": digest,
            "w": config.w,
            "threshold": config.threshold,
            "seed": config.seed,
            "size": config.size,
            "flow": inference.flow.name if inference.flow is not None else "none",
            "result": STABILIZED,
            "init": os.path.relpath(init, folder),
            "epochs": config.temporal.max_epochs,
            "training": final,
            **inference.record(labels),
        }
        log_videos(loggers, record, folder)
    if is_main_process():
        save_weights(weights_path(folder), net, card)
        write_record(folder, record)
        show(record, folder)


def _load_twice(config: DictConfig, init: Path, labels: LabelSet) -> tuple[SegNet, SegNet]:
    """The image model, and a network of this configuration with the same weights."""
    image_net, card = load_model(init)
    if card.label_set != labels:
        raise WeightsError(f"{init}: made for the labels {list(card.label_set.names)}, not {list(labels.names)}")
    net_config: dict[str, Any] = portable_net(config)
    net: SegNet = build(net_config)
    load_into(net, load_tensors(init)[0], init)
    return image_net.requires_grad_(False).eval(), net
