"""stage=predict: videos through a finished network; and what every prediction does with its results."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, WandbLogger
from omegaconf import DictConfig
from rich.console import Console

from facestab.baselines.smoother import Smoother
from facestab.build import build
from facestab.callbacks.video_inference import VideoInference
from facestab.data.prediction import PredictionData
from facestab.errors import FacestabError
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard, load_model
from facestab.pipeline.folder import is_main_process, open_run
from facestab.pipeline.trainer import log_settings, make_loggers, make_trainer
from facestab.record import IMAGE, STABILIZED, write_record
from facestab.stages.image import ImageStage
from facestab.stages.segmentation import SegmentationStage
from facestab.stages.temporal import TemporalStage
from facestab.table import headline, print_table

log = logging.getLogger(__name__)
MAX_LOGGED_VIDEOS = 4


def run_predict(config: DictConfig, folder: Path, overrides: list[str]) -> None:
    """Write label, overlay and comparison videos, and metrics, for every video of a source."""
    path = Path(config.ckpt)
    net, card = load_model(path, config.allow_targets)
    stage = _stage(net, card, _image_net(path, card))
    stage.frames_per_batch = config.inference.batch_size
    stage.frame_size = config.size or card.size
    items = build(config.video).split("all")
    result = STABILIZED if card.stage == "temporal" else IMAGE
    labels = card.label_set
    inference = VideoInference(
        folder, labels, result, build_controls(config), build(config.inference.flow), config.inference.write
    )
    open_run(folder, config, overrides)
    with make_loggers(config, folder) as loggers:
        trainer = make_trainer(config, folder, loggers, [inference])
        log_settings("predict", {"ckpt": path, "size": stage.frame_size}, trainer, folder)
        trainer.predict(stage, datamodule=PredictionData(items), return_predictions=False)
        record = {
            "stage": "predict",
            "ckpt": str(path),
            "size": stage.frame_size,
            "flow": inference.flow.name if inference.flow is not None else "none",
            "result": result,
            **inference.record(labels),
        }
        log_videos(loggers, record, folder)
    if is_main_process():
        write_record(folder, record)
        show(record, folder)


def build_controls(config: DictConfig) -> dict[str, Smoother]:
    """The smoothers by row; one that is set to null is left out."""
    return {row: build(node) for row, node in config.smoother.items() if node is not None}


def _stage(net: SegNet, card: ModelCard, image_net: SegNet | None) -> SegmentationStage:
    return TemporalStage(net, card, image_net=image_net) if card.stage == "temporal" else ImageStage(net, card)


def _image_net(path: Path, card: ModelCard) -> SegNet | None:
    """The image model behind a temporal checkpoint, when it still lies where the run left it."""
    if not card.image_weights:
        return None
    # the checkpoint lies in the run's folder or in its checkpoints/
    for folder in (path.parent, path.parent.parent):
        weights = folder / card.image_weights
        if weights.is_file():
            return load_model(weights)[0]
    log.warning("%s: the image model it came from is not there; the comparison goes without it", path)
    return None


def log_videos(loggers: list[Logger], record: Mapping[str, Any], folder: Path) -> None:
    """Send the overall metrics to all loggers under `<row>/<key>`, and comparison videos as paths to W&B."""
    if not is_main_process():
        return
    values = {f"{row}/{key}": value for row, keys in record["metrics"].items() for key, value in keys.items()}
    videos = sorted(folder.glob("videos/*/compare.mp4"))[:MAX_LOGGED_VIDEOS]
    for logger in loggers:
        logger.log_metrics(values)
        if isinstance(logger, WandbLogger) and videos:
            captions = [path.parent.name for path in videos]
            formats = ["mp4"] * len(videos)
            logger.log_video("videos/compare", [str(path) for path in videos], caption=captions, format=formats)
        logger.save()


def show(record: Mapping[str, Any], folder: Path) -> None:
    """Print the table, and where the results lie."""
    if not record["metrics"]:
        raise FacestabError("no video was predicted")
    print_table(headline(record))
    Console(soft_wrap=True).print(f"results: {folder}", highlight=False)
