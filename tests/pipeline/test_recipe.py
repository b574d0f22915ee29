"""The default recipe on a world that is learnt in seconds: less flicker, no less accuracy, and not by chance."""

import copy

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from facestab.build import build
from facestab.data.images import ImageData
from facestab.functional.flicker import aba_mask
from facestab.functional.segmentation import confusion_matrix, mean_iou
from facestab.nets.inference import argmax_labels, predict_logits
from facestab.nets.weights import ModelCard
from facestab.pipeline.finetune import weight_average
from facestab.stages.image import ImageStage
from facestab.stages.temporal import TemporalStage
from tests.pipeline.toy_world import LABELS, SIZE, ToyImages, ToyVideos
from tests.tiny import tiny_net

IMAGE_STEPS = 240
PAIRS_PER_STEP = 4


def trainer(steps, tmp_path, callbacks=()):
    return pl.Trainer(
        max_steps=steps,
        accelerator="cpu",
        devices=1,
        default_root_dir=tmp_path,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )


def measure(net, videos):
    """Share of ABA pixels above the truth's, and mIoU, over the test clips."""
    excess, counts = [], torch.zeros(3, 3)
    for index in range(videos.numbers["test"]):
        frames, truth = videos.frames("test", index)
        found = torch.from_numpy(argmax_labels(predict_logits(net.eval(), frames, torch.device("cpu"))))
        excess.append(
            sum(s * aba_mask(torch.as_tensor(m))[0].float().mean().item() for s, m in ((1, found), (-1, truth)))
        )
        counts += confusion_matrix(found, torch.from_numpy(truth), 3)
    return float(np.mean(excess)), mean_iou(counts).item()


@pytest.fixture(scope="module")
def measured(compose_config, tmp_path_factory):
    """Flicker and mIoU of the image model, of it after the same further steps, and of the recipe."""
    tmp_path = tmp_path_factory.mktemp("recipe")
    config = compose_config(
        "stage=temporal",
        f"size={SIZE}",
        f"temporal.pairs.batch_size={PAIRS_PER_STEP}",
        "temporal.pairs.num_workers=0",
        "temporal.optimizer.lr=2e-3",
        "image.optimizer.lr=3e-3",
        f"paths.cache={tmp_path}/cache",
        "labels._target_=facestab.labels.LabelSet",
        *(f"labels.{name}={value}" for name, value in LABELS.items()),
    )
    videos = ToyVideos(tmp_path, train=12, val=1, test=24)
    videos.prepare()
    augment = build(config.augment)
    card = ModelCard("image", {}, LABELS, SIZE)

    def train_images(net, steps, batch_size, node):
        pl.seed_everything(0, verbose=False)
        stage = ImageStage(net, card, build(node.optimizer), build(node.scheduler))
        trainer(steps, tmp_path).fit(stage, datamodule=ImageData(ToyImages(), augment, batch_size))
        return stage.net

    image_net = train_images(tiny_net(num_classes=3), IMAGE_STEPS, 8, config.image)
    steps = 12 * 15 // PAIRS_PER_STEP * 5
    continued = train_images(copy.deepcopy(image_net), steps, 3 * PAIRS_PER_STEP, config.temporal)
    net = copy.deepcopy(image_net)
    stage = TemporalStage(
        net,
        card,
        build(config.temporal.optimizer),
        build(config.temporal.scheduler),
        loss=build(config.consistency),
        freeze_norm=config.temporal.freeze_norm,
        ramp=config.temporal.ramp,
    )
    store = build(config.pseudo, net=image_net)
    data = build(config.temporal.pairs, videos=videos, images=ImageData(ToyImages(), augment, 8), store=store)
    trainer(steps, tmp_path, weight_average(config)).fit(stage, datamodule=data)
    nets = {"image": image_net, "continued": continued, "stabilized": stage.net}
    return {row: measure(net, videos) for row, net in nets.items()}


def test_the_image_model_flickers_and_sees(measured):
    flicker, miou = measured["continued"]
    assert flicker > 0.002
    assert miou > 0.6


def test_the_recipe_removes_flicker(measured):
    # 0.68 to 0.71 over five seeds; 0.89 to 0.93 over three with a consistency of strength 0
    assert measured["stabilized"][0] < 0.8 * measured["continued"][0], measured


def test_the_recipe_costs_no_accuracy(measured):
    assert measured["stabilized"][1] > measured["continued"][1] - 0.01, measured
