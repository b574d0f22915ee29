import logging

import numpy as np
import torch
from lightning.pytorch import Trainer

from facestab.data.images import ImageData, ImageSplit, LabelledImage
from facestab.data.transforms import Augmentation
from facestab.errors import FacestabError
from facestab.nets.weights import ModelCard
from facestab.pipeline.stills import score_stills
from facestab.stages.temporal import TemporalStage
from tests.tiny import tiny_net

LABELS = {"names": ["bg", "a", "b"], "palette": [[0, 0, 0], [1, 1, 1], [2, 2, 2]], "pairs": []}


class Pictures(ImageSplit):
    def __init__(self, images, labels):
        self.images = images
        self.labels = labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return LabelledImage(self.images[index], self.labels[index])


class Stills:
    """Random pictures, seven of each split but train."""

    def prepare(self):
        pass

    def split(self, name):
        if name == "train":
            raise FacestabError("nowhere: no image falls into the split")
        generator = np.random.default_rng({"val": 0, "test": 1}[name])
        images = generator.integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
        return Pictures(images, generator.integers(0, 3, (7, 32, 32), dtype=np.uint8))


def score(split, dataset=None):
    nets = {"image": tiny_net(1, 3).eval(), "stabilized": tiny_net(2, 3).eval()}
    card = ModelCard("temporal", {}, LABELS, 32)
    stage = TemporalStage(nets["stabilized"], card, controls={"image": nets["image"]})
    data = ImageData(dataset or Stills(), Augmentation(32, card.label_set), batch_size=3)
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    return score_stills(trainer, stage, data, split), nets


def slow_iou(net, pairs, number):
    hits = union = 0
    for image, labels in (pairs[i][:2] for i in range(len(pairs))):
        with torch.inference_mode():
            logits = net(torch.from_numpy(image.transpose(2, 0, 1).copy())[None]).logits_BKHW
        found = logits[0].argmax(0).numpy()
        hits += np.sum((found == number) & (labels == number))
        union += np.sum((found == number) | (labels == number))
    return hits / union


def test_every_network_is_measured_on_all_stills_of_the_split():
    for split in ("test", "val"):
        values, nets = score(split)
        assert list(values) == ["image", "stabilized"]
        for row, net in nets.items():
            ious = [slow_iou(net, Stills().split(split), number) for number in range(3)]
            found = [values[row][f"stills/iou/{name}"] for name in LABELS["names"]]
            np.testing.assert_allclose(found, ious, rtol=1e-5)
            np.testing.assert_allclose(values[row]["stills/miou"], np.mean(ious), rtol=1e-5)


def test_a_split_without_images_costs_the_values_and_not_the_run(caplog):
    class Nothing(Stills):
        def split(self, name):
            return super().split("train")

    with caplog.at_level(logging.WARNING):
        assert score("test", Nothing())[0] == {}
    assert "nowhere: no image falls into the split" in caplog.text


def test_a_still_that_cannot_be_read_costs_the_values_and_not_the_run(caplog):
    class Broken(Stills):
        def split(self, name):
            return BrokenSplit()

    with caplog.at_level(logging.WARNING):
        assert score("test", Broken())[0] == {}
    assert "face.png: not a readable image" in caplog.text


class BrokenSplit(ImageSplit):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        raise FacestabError("face.png: not a readable image")
