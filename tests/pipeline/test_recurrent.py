import os

import numpy as np
import pytest
import torch

from facestab.baselines.recurrent import Recurrent
from facestab.build import build
from facestab.nets.weights import ModelCard, load_tensors, save_weights
from facestab.pipeline.recurrent import recurrent_fingerprint, recurrent_weights
from facestab.record import read_record
from tests.tiny import TEMPORAL, tiny_net

SETTINGS = [
    *TEMPORAL,
    "stage=temporal",
    "trainer=cpu",
    "trainer.log_every_n_steps=1",
    "smoother=all",
    "recurrent.max_epochs=2",
    "recurrent.windows.window=4",
    "recurrent.windows.num_workers=0",
    "recurrent.windows.batch_size=2",
]


@pytest.fixture(scope="module")
def make(compose_config, tmp_path_factory):
    """Everything that a stage hands over, for these further overrides."""
    root = tmp_path_factory.mktemp("runs")

    def parts(*overrides, seed=0):
        config = compose_config(*SETTINGS, f"paths.runs={root}", *overrides)
        net = tiny_net(seed).requires_grad_(False).eval()
        init = root / "image" / f"{seed}.safetensors"
        save_weights(init, net, ModelCard("image", {}, build(config.labels).to_dict(), config.size))
        return config, ["w=1"], net, init, build(config.pseudo, net=net), build(config.video)

    return parts


@pytest.fixture(scope="module")
def trained(make):
    return recurrent_weights(*make())


def test_the_folder_holds_the_weights_and_says_what_they_are(make, trained):
    record, card = read_record(trained.parent), load_tensors(trained)[1]
    config, _, net, init, *_ = make()
    assert record is not None
    assert record["stage"] == "recurrent"
    assert record["fingerprint"] == recurrent_fingerprint(config, net)
    assert record["epochs"] == 2
    assert (trained.parent / record["init"]).resolve() == init
    assert {"train/loss", "val/loss"} <= record["metrics"]["recurrent"].keys()
    assert (card.stage, card.size, card.label_set) == ("recurrent", 48, build(config.labels))
    assert {"config.yaml", "overrides.yaml", "checkpoints", "metrics.csv"} <= set(os.listdir(trained.parent))


def test_the_weights_are_a_smoother(make, trained):
    smoother = Recurrent(trained)
    assert smoother.head.residual.weight.abs().sum() > 0
    checkpoint = load_tensors(trained.parent / "checkpoints" / "last.ckpt")[0]
    assert all(torch.equal(tensor, checkpoint[name]) for name, tensor in load_tensors(trained)[0].items())


def test_the_same_settings_find_what_there_is(make, trained):
    before = trained.stat().st_mtime_ns
    assert recurrent_weights(*make("recurrent.windows.num_workers=1", "w=7", "name=other")) == trained
    assert trained.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ("recurrent.windows.window=5", True),
        ("recurrent.windows.augment.flip=0", True),
        ("recurrent.head.hidden=8", True),
        ("recurrent.max_epochs=3", True),
        ("video.num_train=3", True),
        ("seed=1", True),
        ("size=32", True),
        ("w=0.1", False),
        ("temporal.max_epochs=9", False),
        ("recurrent.windows.num_workers=2", False),
        ("logger=wandb_offline", False),
    ],
)
def test_only_what_changes_the_weights_asks_for_others(make, override, changes):
    config, _, net, *_ = make()
    other = make(override)[0]
    assert (recurrent_fingerprint(other, net) != recurrent_fingerprint(config, net)) is changes


def test_another_image_model_asks_for_others(make):
    (config, _, net, *_), other = make(), tiny_net(1)
    assert recurrent_fingerprint(config, other) != recurrent_fingerprint(config, net)


def test_the_callers_random_numbers_are_the_same_whether_it_is_found_or_trained(make):
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        np.random.seed(5)
        recurrent_weights(*make("recurrent.max_epochs=1", "recurrent.head.hidden=2"))
        drawn.append((torch.rand(1).item(), np.random.rand()))
    assert drawn[0] == drawn[1]


def test_the_image_model_stays_as_it_is(make):
    parts = make("recurrent.max_epochs=1", "recurrent.head.hidden=3")
    before = {name: tensor.clone() for name, tensor in parts[2].state_dict().items()}
    recurrent_weights(*parts)
    assert all(torch.equal(tensor, before[name]) for name, tensor in parts[2].state_dict().items())
