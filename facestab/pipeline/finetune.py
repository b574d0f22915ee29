"""The parts of a fine-tuning on frame pairs, from its configuration."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import WeightAveraging
from omegaconf import DictConfig
from torch.optim.swa_utils import get_ema_multi_avg_fn

from facestab.build import build, resolved, targets
from facestab.data.flow_store import FlowStore
from facestab.data.frame_store import FrameStore
from facestab.data.videos import VideoSet, training_videos
from facestab.data.windows import check_lengths
from facestab.errors import SettingError, WeightsError
from facestab.keys import IMAGE
from facestab.labels import LabelSet
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard, load_into, load_model, load_tensors
from facestab.pipeline.framing import make_videos
from facestab.pipeline.image import build_optional, portable_net
from facestab.pipeline.training_net import prepare_training_net
from facestab.stages.temporal import TemporalStage


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
        prepare_training_net(config, net),
        card,
        build(config.temporal.optimizer),
        build_optional(config.temporal.scheduler),
        loss=loss,
        controls=controls,
        freeze_norm=config.temporal.freeze_norm,
        ramp=config.temporal.ramp,
        diagnose_every=config.temporal.diagnose_every,
        frames_per_batch=config.inference.batch_size,
    )


def check_motion(config: DictConfig) -> None:
    """Refuse a loss that follows motion which nobody estimates.

    Raises:
        SettingError: naming the setting that is missing.
    """
    if build(config.pair_flow) is None and (config.consistency.consistency or {}).get("warp"):
        raise SettingError("consistency.consistency.warp needs motion; add flow@pair_flow=farneback, or dis, or raft")


def check_videos(config: DictConfig, recurrent_window: int | None) -> None:
    """Look at all videos that training and prediction will ask for, before hours go into the image model.

    Args:
        config: of stage=temporal; its settings of pairs have been checked.
        recurrent_window: adjacent frames that a recurrent baseline learns from; None: there is none.

    Raises:
        FacestabError: when a split has no video that can be used, or none that is long enough.
    """
    videos: VideoSet = build(config.video)
    videos.prepare()
    pairs = config.temporal.pairs
    validation = videos.split("val")
    for items in (training_videos(videos, pairs.splits), validation):
        check_lengths(items, min(pairs.gaps) + 1)
    if recurrent_window is not None:
        for items in (videos.split("train"), validation):
            check_lengths(items, recurrent_window)
    videos.split(config.split)


def make_pairs(config: DictConfig, image_net: SegNet) -> Any:
    """The data module of frame pairs, labelled by the image model or whoever the configuration wants as a teacher."""
    teacher = load_teacher(config, image_net)
    store = build(config.pseudo, net=teacher)
    flow = build(config.pair_flow)
    flows = None if flow is None else FlowStore(f"{config.paths.cache}/flow", flow, config.size)
    data = {"videos": make_videos(config, image_net), "images": build(config.data), "store": store, "flows": flows}
    data["decoded"] = make_frame_store(config)
    if not config.consistency.anchor:
        data["images_per_pair"] = 0
    return build(config.temporal.pairs, **data)


def make_frame_store(config: DictConfig) -> FrameStore:
    """Where decoded frames are kept."""
    if not config.paths.decoded_gb >= 0:
        raise SettingError(f"paths.decoded_gb must be 0 or more, got {config.paths.decoded_gb}")
    return FrameStore(f"{config.paths.cache}/frames", 1e9 * config.paths.decoded_gb)


def load_teacher(config: DictConfig, image_net: SegNet) -> SegNet:
    """The network that labels the videos: the image model, or the one at `teacher`."""
    if config.teacher is None:
        return image_net
    net, card = load_model(Path(config.teacher), list(targets(resolved(config.net))))
    labels: LabelSet = build(config.labels)
    if card.label_set != labels:
        raise WeightsError(f"{config.teacher}: made for {list(card.label_set.names)}, not {list(labels.names)}")
    return net.requires_grad_(False).eval()


def weight_average(config: DictConfig) -> list[Callback]:
    """The callback that makes the mean of the weights over the last steps the result, if it is wanted."""
    if not config.temporal.weight_average:
        return []
    # in this form what does not change is its own mean, bit for bit: constants that are in no checkpoint stay what they
    # are, and a training that goes on does so with the same ones
    return [WeightAveraging(multi_avg_fn=get_ema_multi_avg_fn(config.temporal.weight_average))]
