"""stage=temporal: fine-tune the image model on adjacent frames, then write stabilized videos."""

import logging
import os
from pathlib import Path

import lightning.pytorch as pl
from omegaconf import DictConfig

from facestab.build import build, resolved
from facestab.callbacks.video_inference import VideoInference
from facestab.data.videos import VideoSet
from facestab.errors import SettingError
from facestab.keys import CONTINUED, IMAGE, STABILIZED
from facestab.nets.weight_mix import WeightMix
from facestab.nets.weights import save_weights
from facestab.pipeline.controls import check_controls, control_weights, load_controls
from facestab.pipeline.finetune import check_motion, check_videos, load_twice, make_pairs, make_stage, weight_average
from facestab.pipeline.folder import NO_PART, fingerprint, is_finished, is_main_process, open_run
from facestab.pipeline.framing import make_framer, make_videos
from facestab.pipeline.image import image_weights, portable_net
from facestab.pipeline.recurrent import RECURRENT, recurrent_weights
from facestab.pipeline.resume import checkpoints, fit
from facestab.pipeline.stills import score_stills
from facestab.pipeline.trainer import log_settings, make_loggers, make_trainer, weights_path
from facestab.pipeline.training_net import check_training_net
from facestab.pipeline.videos import finish, log_videos, make_journal, make_plan, wants_recurrent

log = logging.getLogger(__name__)
SETTINGS = ("w", "threshold", "size", "seed")
SPLITS = ("test", "val", "all")


def temporal_fingerprint(config: DictConfig) -> str:
    """Changes with every setting of the run but its name, place and loggers, and how it begins."""
    settings = resolved(config)
    return fingerprint({key: value for key, value in settings.items() if key not in NO_PART})


def run_temporal(config: DictConfig, folder: Path, overrides: list[str]) -> None:
    """Fine-tune, predict the videos of `split`, write the record; or say that the folder has all that already."""
    digest = temporal_fingerprint(config)
    if is_finished(folder, digest):
        log.info("%s is finished already", folder)
        return
    if config.split not in SPLITS:
        raise SettingError(f"split: one of {', '.join(SPLITS)} is needed, got {config.split!r}")
    check_motion(config)
    check_controls(config)
    check_training_net(config)
    loss = build(config.consistency)
    mix = WeightMix(config.temporal.finetuned_share)
    weights = _weights(config, folder, overrides)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    image_net, net = load_twice(config, weights[IMAGE])
    controls = {IMAGE: image_net, **load_controls(config, weights)}
    stage = make_stage(config, net, folder, loss, controls, weights)
    stage.framer = make_framer(config, image_net, config.size)
    stage.engine_kind = build(config.engine)
    stage.overlap = config.inference.overlap
    videos: VideoSet = build(config.video)
    data = make_pairs(config, image_net)
    # the image model with the same further steps is the fairer baseline
    baseline = CONTINUED if CONTINUED in controls else IMAGE
    plan = make_plan(config, folder, stage.card.label_set, STABILIZED, baseline, weights.get(RECURRENT))
    inference = VideoInference(plan, config.inference.overlap, make_journal(plan))
    open_run(folder, config, overrides, digest)
    settings = {key: config[key] for key in SETTINGS}
    with make_loggers(config, folder) as loggers:
        callbacks = [*checkpoints(folder, "val/loss", "min"), *weight_average(config), inference]
        trainer = make_trainer(config, folder, loggers, callbacks, max_epochs=config.temporal.max_epochs)
        log_settings("temporal", settings, trainer, folder)
        trained = fit(trainer, stage, data, folder)
        mix(stage.net, image_net)
        log.info("temporal stage: %d epochs, L = %.4f; predicting", trained.epochs, trained.metrics["train/loss"])
        inference.run(trainer, stage, videos.split(config.split))
        origin = {"stage": "temporal", "fingerprint": digest, "init": os.path.relpath(weights[IMAGE], folder)}
        stills = score_stills(trainer, stage, build(config.data), "val" if config.split == "val" else "test")
        outcome = {"epochs": config.temporal.max_epochs, "training": trained.metrics}
        skipped = {**data.videos.skipped, **data.store.skipped, **videos.skipped, **inference.skipped}
        outcome |= {"skipped": skipped} if skipped else {}
        record = {**origin, **settings, **outcome, **inference.record()}
        for row, values in stills.items():
            record["metrics"][row].update(values)
        log_videos(loggers, record, folder)
    if is_main_process():
        save_weights(weights_path(folder), stage.net, stage.card)
    finish(record, folder)


def _weights(config: DictConfig, folder: Path, overrides: list[str]) -> dict[str, Path]:
    """Row name to weights: the image model and the trained controls, each found or trained."""
    # what does not fit together shows before hours go into the image model, and then before more go into the controls
    untrained = build(portable_net(config))
    make_pairs(config, untrained)
    make_stage(config, untrained, folder, None, {}, {IMAGE: folder})
    if config.init != "auto":
        load_twice(config, Path(config.init))
    check_videos(config, config.recurrent.windows.window if wants_recurrent(config) else None)
    init = image_weights(config, overrides)
    load_twice(config, init)
    weights = {IMAGE: init}
    weights.update(control_weights(config, overrides, init))
    if wants_recurrent(config):
        image_net, _ = load_twice(config, init)
        store = build(config.pseudo, net=image_net)
        videos = make_videos(config, image_net)
        weights[RECURRENT] = recurrent_weights(config, overrides, image_net, init, store, videos)
    return weights
