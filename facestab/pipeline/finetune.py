"""Fine-tuning on frame pairs, with the consistency term or, as a control, without it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch import Callback
from omegaconf import DictConfig

from facestab.build import build, resolved, targets
from facestab.errors import WeightsError
from facestab.keys import FINETUNED, IMAGE
from facestab.labels import LabelSet
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard, load_into, load_model, load_tensors, save_weights
from facestab.pipeline.folder import find_or_train, fingerprint, is_main_process, open_run
from facestab.pipeline.image import build_optional, portable_net
from facestab.pipeline.trainer import (
    checkpoints,
    final_metrics,
    log_settings,
    make_loggers,
    make_trainer,
    wait_for_all,
    weights_path,
)
from facestab.record import write_record
from facestab.stages.temporal import TemporalStage

# what has no part in fine-tuning without the consistency term
_OTHER = ("name", "paths", "logger", "w", "consistency", "smoother", "flow", "method_flow", "inference", "recurrent")
# the patent's loss without its first term, whatever w is
_WITHOUT_CONSISTENCY = {
    "_target_": "facestab.losses.TemporalLoss",
    "w": 1.0,
    "distance": {"_target_": "facestab.losses.NoDistance"},
}


def load_twice(config: DictConfig, init: Path) -> tuple[SegNet, SegNet]:
    """The image model, and a network of this configuration with the same weights.

    Raises:
        WeightsError: when the image model was made for another label set or network.
    """
    labels: LabelSet = build(config.labels)
    # what the user's own configuration calls may be called
    image_net, card = load_model(init, list(targets(resolved(config.net))))
    if card.label_set != labels:
        raise WeightsError(f"{init}: made for the labels {list(card.label_set.names)}, not {list(labels.names)}")
    net: SegNet = build(portable_net(config))
    load_into(net, load_tensors(init)[0], init)
    return image_net.requires_grad_(False).eval(), net


def make_stage(
    config: DictConfig,
    net: SegNet,
    folder: Path,
    loss: Any,
    controls: Mapping[str, SegNet],
    weights: Mapping[str, Path],
) -> TemporalStage:
    """The stage that trains `net`.

    Args:
        config: of the run.
        net: with the image model's weights.
        folder: of the run.
        loss: a `TemporalLoss`.
        controls: row name to the networks that stand beside it.
        weights: row name to where their weights lie, the image model's among them.
    """
    places = {row: os.path.relpath(path, folder) for row, path in weights.items()}
    labels: LabelSet = build(config.labels)
    image, others = places[IMAGE], {row: place for row, place in places.items() if row != IMAGE}
    card = ModelCard("temporal", portable_net(config), labels.to_dict(), config.size, image, others)
    return TemporalStage(
        net,
        card,
        build(config.temporal.optimizer),
        build_optional(config.temporal.scheduler),
        loss=loss,
        controls=controls,
        diagnose_every=config.temporal.diagnose_every,
        frames_per_batch=config.inference.batch_size,
    )


def make_pairs(config: DictConfig, image_net: SegNet) -> Any:
    """The data module of pseudo-labelled frame pairs."""
    store = build(config.pseudo, net=image_net)
    return build(config.temporal.pairs, videos=build(config.video), images=build(config.data), store=store)


def finetuned_weights(config: DictConfig, overrides: list[str], init: Path) -> Path:
    """Weights of the control that was fine-tuned on the pseudo-labels alone: found, or trained once under a lock.

    Part of every gain is more training on the videos' frames; this row shows which part. It does not depend on `w`.
    """
    settings = {key: value for key, value in resolved(config).items() if key not in _OTHER}
    digest = fingerprint({**settings, "stage": FINETUNED})

    def train(folder: Path) -> None:
        _train_control(config, folder, digest, overrides, init)

    runs = Path(config.paths.runs) / FINETUNED
    return weights_path(find_or_train(runs, digest, "control without the consistency term", train))


def _train_control(config: DictConfig, folder: Path, digest: str, overrides: list[str], init: Path) -> None:
    pl.seed_everything(config.seed, workers=True, verbose=False)
    image_net, net = load_twice(config, init)
    stage = make_stage(config, net, folder, build(_WITHOUT_CONSISTENCY), {}, {IMAGE: init})
    data = make_pairs(config, image_net)
    open_run(folder, config, overrides)
    with make_loggers(config, folder) as loggers:
        callbacks: list[Callback] = [checkpoints(folder, "val/loss", "min")]
        trainer = make_trainer(config, folder, loggers, callbacks, max_epochs=config.temporal.max_epochs)
        log_settings(FINETUNED, {"size": config.size, "seed": config.seed}, trainer, folder)
        trainer.fit(stage, datamodule=data)
    if is_main_process():
        save_weights(weights_path(folder), stage.net, stage.card)
        record = {"stage": FINETUNED, "fingerprint": digest, "init": stage.card.image_weights, "seed": config.seed}
        write_record(folder, {**record, "size": config.size, "metrics": {FINETUNED: final_metrics(trainer)}})
    wait_for_all()
