"""stage=predict: videos through a finished network."""

import logging
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from facestab.build import build
from facestab.callbacks.video_inference import VideoInference
from facestab.data.videos import content_hash
from facestab.engines.onnx_net import load_any
from facestab.keys import CONTINUED, IMAGE, STABILIZED
from facestab.nets.weights import ModelCard, load_model
from facestab.pipeline.controls import TITLES
from facestab.pipeline.folder import fingerprint, open_run, settings_of_videos
from facestab.pipeline.framing import make_framer
from facestab.pipeline.recurrent import RECURRENT
from facestab.pipeline.stream import run_stream
from facestab.pipeline.trainer import log_settings, make_loggers, make_trainer
from facestab.pipeline.videos import finish, log_videos, make_journal, make_plan
from facestab.stages.image import ImageStage
from facestab.stages.segmentation import SegmentationStage
from facestab.stages.temporal import TemporalStage
from facestab.video.live import is_live

log = logging.getLogger(__name__)


def run_predict(config: DictConfig, folder: Path, overrides: list[str]) -> None:
    """Write label, overlay and comparison videos, and metrics, for every video of a source."""
    if is_live(config.video.get("source")):
        run_stream(config, folder, overrides)
        return
    path = Path(config.ckpt)
    net, card = load_any(path, config.allow_targets)
    weights = _control_weights(path, card)
    viewing = {"frames_per_batch": config.inference.batch_size, "frame_size": config.size}
    stage: SegmentationStage
    if card.stage == "temporal":
        nets = {row: load_model(weights[row], config.allow_targets)[0] for row in (IMAGE, *TITLES) if row in weights}
        stage = TemporalStage(net, card, controls=nets, **viewing)
    else:
        stage = ImageStage(net, card, **viewing)
    stage.framer = make_framer(config, net, stage.frame_size)
    stage.engine_kind = build(config.engine)
    stage.overlap = config.inference.overlap
    videos = build(config.video)
    items = videos.split("all")
    result = STABILIZED if card.stage == "temporal" else IMAGE
    baseline = next((row for row in (CONTINUED, IMAGE) if row != result and row in stage.rows), None)
    plan = make_plan(config, folder, card.label_set, result, baseline, weights.get(RECURRENT))
    inference = VideoInference(plan, config.inference.overlap, make_journal(plan))
    open_run(folder, config, overrides, _fingerprint(config, [path, *weights.values()]))
    with make_loggers(config, folder) as loggers:
        trainer = make_trainer(config, folder, loggers, [inference])
        log_settings("predict", {"ckpt": path, "size": stage.frame_size}, trainer, folder)
        inference.run(trainer, stage, items)
        record = {"stage": "predict", "ckpt": str(path), "size": stage.frame_size, **inference.record()}
        skipped = {**videos.skipped, **inference.skipped}
        record |= {"skipped": skipped} if skipped else {}
        log_videos(loggers, record, folder)
    finish(record, folder)


def _fingerprint(config: DictConfig, weights: Sequence[Path]) -> str:
    """Changes with every setting and with the weights of every row."""
    return fingerprint({**settings_of_videos(config), "weights": [content_hash(path) for path in weights]})


def _control_weights(path: Path, card: ModelCard) -> dict[str, Path]:
    """Row name to the weights that stood beside a temporal network, those that still lie where the run left them.

    The card may be a stranger's: what it names is looked for among the runs that it came with, and nowhere else.
    """
    places = {**({IMAGE: card.image_weights} if card.image_weights else {}), **card.control_weights}
    root = _root(path, card).resolve()
    found = {}
    for row, place in places.items():
        # the checkpoint lies in the run's folder or in its checkpoints/
        files: Sequence[Path] = [folder / place for folder in (path.parent, path.parent.parent)]
        there = [file for file in files if file.resolve().is_relative_to(root) and file.is_file()]
        if there:
            found[row] = there[0]
        else:
            log.warning("%s: the weights of '%s' are not in %s; the comparison goes without them", path, row, root)
    return found


def _root(path: Path, card: ModelCard) -> Path:
    """The folder of all the runs that a checkpoint lies among; its own run's folder when it lies alone."""
    run = path.absolute().parent
    run = run.parent if run.name == "checkpoints" else run
    if run.parent.parent.name == "sweeps":
        return run.parent.parent.parent
    return run.parent.parent if run.parent.name == card.stage else run
