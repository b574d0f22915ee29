"""stage=predict: videos through a finished network."""

import logging
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from facestab.build import build
from facestab.data.prediction import PredictionData
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard, load_model
from facestab.pipeline.folder import open_run
from facestab.pipeline.trainer import log_settings, make_loggers, make_trainer
from facestab.pipeline.videos import finish, log_videos, make_inference
from facestab.record import IMAGE, STABILIZED
from facestab.stages.image import ImageStage
from facestab.stages.segmentation import SegmentationStage
from facestab.stages.temporal import TemporalStage

log = logging.getLogger(__name__)


def run_predict(config: DictConfig, folder: Path, overrides: list[str]) -> None:
    """Write label, overlay and comparison videos, and metrics, for every video of a source."""
    path = Path(config.ckpt)
    net, card = load_model(path, config.allow_targets)
    viewing = {"frames_per_batch": config.inference.batch_size, "frame_size": config.size}
    stage: SegmentationStage
    if card.stage == "temporal":
        stage = TemporalStage(net, card, image_net=_image_net(path, card, config.allow_targets), **viewing)
    else:
        stage = ImageStage(net, card, **viewing)
    items = build(config.video).split("all")
    result = STABILIZED if card.stage == "temporal" else IMAGE
    inference = make_inference(config, folder, card.label_set, result)
    open_run(folder, config, overrides)
    with make_loggers(config, folder) as loggers:
        trainer = make_trainer(config, folder, loggers, [inference])
        log_settings("predict", {"ckpt": path, "size": stage.frame_size}, trainer, folder)
        trainer.predict(stage, datamodule=PredictionData(items), return_predictions=False)
        settings = {"stage": "predict", "ckpt": str(path), "size": stage.frame_size, "result": result}
        record = {**settings, **inference.record()}
        log_videos(loggers, record, folder)
    finish(record, folder)


def _image_net(path: Path, card: ModelCard, allow_targets: Sequence[str]) -> SegNet | None:
    """The image model behind a temporal checkpoint, when it still lies where the run left it."""
    if not card.image_weights:
        return None
    # the checkpoint lies in the run's folder or in its checkpoints/
    for folder in (path.parent, path.parent.parent):
        weights = folder / card.image_weights
        if weights.is_file():
            return load_model(weights, allow_targets)[0]
    log.warning("%s: the image model it came from is not there; the comparison goes without it", path)
    return None
