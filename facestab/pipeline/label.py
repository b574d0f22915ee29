"""stage=label: pseudo-labels of videos, and nothing else."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule
from omegaconf import DictConfig
from rich.table import Table

from facestab.build import build
from facestab.data.prediction import PredictionData
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.videos import VideoItem
from facestab.errors import SettingError, WeightsError
from facestab.labels import LabelSet
from facestab.nets.weights import load_model
from facestab.peers import PEERS
from facestab.pipeline.folder import close_run, fingerprint, is_main_process, open_run, settings_of_videos
from facestab.pipeline.framing import make_videos
from facestab.pipeline.trainer import log_settings, make_loggers, make_trainer
from facestab.table import print_table
from facestab.video.sink import VideoSink

log = logging.getLogger(__name__)
LIST_NAME = "labels.json"
KINDS = ("labels", "confidence")


def run_label(config: DictConfig, folder: Path, overrides: list[str]) -> None:
    """Label the videos of a set, say where the labels are and how much there is of each class."""
    unknown = [kind for kind in config.write if kind not in KINDS]
    if unknown:
        raise SettingError(f"write: '{unknown[0]}' is none of {', '.join(KINDS)}")
    net, card = load_model(Path(config.ckpt), config.allow_targets)
    labels: LabelSet = build(config.labels)
    if card.label_set != labels:
        raise WeightsError(f"{config.ckpt}: made for the labels {list(card.label_set.names)}, not {list(labels.names)}")
    config = config.copy()
    config.size = config.size or card.size
    store: PseudoLabelStore = build(config.pseudo, net=net.requires_grad_(False).eval())
    videos = make_videos(config, net)
    items = videos.split(config.split)
    open_run(folder, config, overrides, fingerprint({**settings_of_videos(config), "model": store.model}))
    with make_loggers(config, folder) as loggers:
        trainer = make_trainer(config, folder, loggers, [])
        log_settings("label", {"ckpt": config.ckpt, "size": config.size}, trainer, folder)
        trainer.predict(_Labelling(store, folder, list(config.write)), PredictionData(items), return_predictions=False)
        PEERS.wait()
    if is_main_process():
        # with keep below 1 what is kept depends on all videos
        store.fill(items, trainer.strategy.root_device)
        items = store.usable(items)
        _write_list(folder, store, items, {**videos.skipped, **store.skipped})
        close_run(folder)
        _print_shares(labels, store.class_pixels(items))
        print(f"labels: {store.folder}, listed in {folder / LIST_NAME}")


class _Labelling(LightningModule):
    """Labels one video a step; each process takes its share of them."""

    def __init__(self, store: PseudoLabelStore, folder: Path, write: list[str]) -> None:
        super().__init__()
        self.store = store
        self.folder = folder
        self.write_kinds = write

    def predict_step(self, batch: VideoItem | None, batch_idx: int = 0) -> str:
        """Label the video, and write what is wanted beside the store; its id."""
        if batch is None:
            return ""
        labelled = self.store.label(batch, self.device)
        for kind in self.write_kinds if labelled else ():
            path = self.folder / "videos" / batch.id / f"{kind}.mkv"
            if not path.exists():
                _export(self.store, batch, path, kind)
        return batch.id


def _export(store: PseudoLabelStore, item: VideoItem, path: Path, kind: str) -> None:
    """Ids, or how certain they are: 255 times the share of the best of two classes beyond a half, doubled."""
    labels = store.certain(item)
    with VideoSink(path, item.info.fps, codec="labels") as sink:
        for soft in labels.frames():
            certainty_HW = np.round(255 * (2 * soft.share_HW - 1)).astype(np.uint8)
            sink.write(soft.label_HW if kind == "labels" else certainty_HW)


def _write_list(folder: Path, store: PseudoLabelStore, items: list[VideoItem], skipped: dict[str, str]) -> None:
    listed: dict[str, Any] = {
        item.id: {
            "video": str(item.path),
            "labels": os.path.relpath(store.path(item), folder),
            "frames": item.num_frames,
            "excerpt": None if item.excerpt is None else vars(item.excerpt),
        }
        for item in items
    }
    about = {"model": store.model, "size": store.size, "teacher": store.made_by(), "skipped": skipped}
    part = folder / f"{LIST_NAME}.part"
    part.write_text(json.dumps({**about, "videos": listed}, indent=1) + "\n")
    part.replace(folder / LIST_NAME)


def _print_shares(labels: LabelSet, pixels_K: np.ndarray) -> None:
    table = Table()
    table.add_column("class", no_wrap=True)
    table.add_column("share of the labelled pixels", justify="right")
    for name, share in zip(labels.names, pixels_K / max(pixels_K.sum(), 1), strict=True):
        table.add_row(name, f"{share:.2%}")
    print_table(table)
