"""stage=image: train on labelled images until J falls below the threshold."""

import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping
from omegaconf import DictConfig

from facestab.build import build, resolved
from facestab.keys import IMAGE
from facestab.nets.weights import ModelCard, save_weights
from facestab.peers import PEERS
from facestab.pipeline.folder import close_run, find_or_train, fingerprint, is_finished, is_main_process, open_run
from facestab.pipeline.resume import checkpoints, fit
from facestab.pipeline.trainer import log_settings, make_loggers, make_trainer, weights_path
from facestab.pipeline.training_net import check_training_net, prepare_training_net
from facestab.stages.image import ImageStage

log = logging.getLogger(__name__)


def image_fingerprint(config: DictConfig) -> str:
    """Changes with whatever changes the image model's weights; `features` does not."""
    keys = ("net", "labels", "data", "augment", "image", "size", "seed", "threshold", "trainer")
    settings = resolved(config)
    parts = {key: settings[key] for key in keys}
    parts["net"] = {key: value for key, value in parts["net"].items() if key != "features"}
    return fingerprint(parts)


def portable_net(config: DictConfig) -> dict[str, Any]:
    """The network's config for its model card: its trained weights come from the file, never from a download."""
    net = resolved(config.net)
    return {**net, "encoder_weights": None} if "encoder_weights" in net else net


def run_image(config: DictConfig, folder: Path, overrides: list[str]) -> None:
    """Train the image model of a configuration, or say that the folder has it already."""
    digest = image_fingerprint(config)
    if is_finished(folder, digest):
        log.info("%s is finished already", folder)
        return
    check_training_net(config)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    net = prepare_training_net(config, build(config.net))
    card = ModelCard("image", portable_net(config), build(config.labels).to_dict(), config.size)
    stage = ImageStage(net, card, build(config.image.optimizer), build_optional(config.image.scheduler))
    data = build(config.data)
    open_run(folder, config, overrides, digest)
    stop = threshold_stop(config.threshold)
    with make_loggers(config, folder) as loggers:
        callbacks = [*checkpoints(folder, "val/miou", "max"), *stop]
        trainer = make_trainer(config, folder, loggers, callbacks, max_epochs=config.image.max_epochs)
        log_settings("image", {key: config[key] for key in ("threshold", "size", "seed")}, trainer, folder)
        trained = fit(trainer, stage, data, folder)
    loss = trained.metrics["train/loss"]
    ended_by = "threshold" if loss < config.threshold else "budget"
    log.info("image stage: ended by %s after %d epochs, J = %.4f", ended_by, trained.epochs, loss)
    if is_main_process():
        save_weights(weights_path(folder), net, card)
        record = {
            "stage": "image",
            "fingerprint": digest,
            "threshold": config.threshold,
            "seed": config.seed,
            "size": config.size,
            "ended_by": ended_by,
            "epochs": trained.epochs,
            "metrics": {IMAGE: trained.metrics},
        }
        close_run(folder, record)
    PEERS.wait()


def image_weights(config: DictConfig, overrides: list[str]) -> Path:
    """The weights of the image model that a configuration asks for, trained first when there are none.

    `init` is "auto" or the path of a checkpoint or safetensors file.
    """
    if config.init != "auto":
        return Path(config.init)
    runs = Path(config.paths.runs) / "image"

    def train(folder: Path) -> None:
        run_image(config, folder, overrides)

    return weights_path(find_or_train(runs, image_fingerprint(config), "image model", train))


def threshold_stop(threshold: float) -> list[EarlyStopping]:
    """The callback that ends training when J falls below the threshold; none for 0."""
    if threshold == 0:
        return []
    # nothing but the threshold may end it: patience never runs out
    return [
        EarlyStopping(
            "train/loss",
            stopping_threshold=threshold,
            patience=2**31,
            check_on_train_epoch_end=True,
            verbose=False,
        )
    ]


def build_optional(node: DictConfig | None) -> Any:
    """What a config node describes, None for null."""
    return None if node is None else build(node)
