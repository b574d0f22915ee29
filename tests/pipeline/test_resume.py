"""A training that is cut off anywhere ends as it would have, bit for bit; real kills are in tests/test_kill.py."""

from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from facestab.build import build
from facestab.data.images import ImageData
from facestab.errors import FacestabError, WeightsError
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard
from facestab.pipeline.checkpoint_file import CheckpointFile
from facestab.pipeline.finetune import weight_average
from facestab.pipeline.image import threshold_stop
from facestab.pipeline.metrics_file import MetricsFile
from facestab.pipeline.resume import checkpoints, fit
from facestab.pipeline.trainer import make_trainer
from facestab.stages.image import ImageStage
from tests.pipeline.toy_world import LABELS, SIZE, ToyImages

# 5 steps an epoch, the last one with 2 pictures
NUM_IMAGES, BATCH, EPOCHS = 18, 4, 4
# J of the epochs falls from 1.25 by 0.05 and more an epoch
CASES = {"epochs": {}, "steps": {"total_steps": 13}, "threshold": {"threshold": 1.1}}


def averaging(decay):
    return weight_average(OmegaConf.create({"temporal": {"weight_average": decay}}))


class CutOff(pl.Callback):
    """Ends the process's part of the story after so many steps."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            raise KeyError("cut off")


@pytest.fixture(scope="module")
def config(compose_config):
    labels = ["labels._target_=facestab.labels.LabelSet", *(f"labels.{name}={value}" for name, value in LABELS.items())]
    return compose_config("stage=image", "trainer=cpu", "trainer.log_every_n_steps=2", f"size={SIZE}", *labels)


@pytest.fixture(scope="module")
def train(config, tmp_path_factory):
    """Trains in a folder until all cuts are through, and once more to the end."""

    def run(folder, cut_off=(), **settings):
        for step in (*cut_off, None):
            # what is left of the generator of the process before
            torch.manual_seed(step or 7)
            outcome = _train(config, folder, step, **settings)
        return outcome

    return run


@pytest.fixture(scope="module")
def whole(train, tmp_path_factory):
    """Case to the folder and the outcome of a training that nobody disturbed."""
    folders = {case: tmp_path_factory.mktemp(case) for case in CASES}
    return {case: (folder, train(folder, **CASES[case])) for case, folder in folders.items()}


def _train(config, folder, cut_off, workers=0, total_steps=None, threshold=0.0):
    pl.seed_everything(0, workers=True, verbose=False)
    # dropout draws from the global generator
    layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.3), nn.Conv2d(8, 3, 1)]
    card = ModelCard("image", {}, LABELS, SIZE)
    net = SegNet(nn.Sequential(*layers))
    stage = ImageStage(net, card, build(config.image.optimizer), build(config.image.scheduler))
    stage.total_steps = total_steps
    data = ImageData(ToyImages(NUM_IMAGES), build(config.augment), BATCH, workers)
    callbacks = [*checkpoints(folder, "val/miou", "max"), *threshold_stop(threshold), *averaging(0.8)]
    file = MetricsFile(str(folder))
    trainer = make_trainer(
        config, folder, [file], [*callbacks, CutOff(cut_off)], max_epochs=-1 if total_steps else EPOCHS
    )
    try:
        trained = fit(trainer, stage, data, folder)
    except KeyError:
        return None
    tensors = {name: tensor.clone() for name, tensor in stage.net.state_dict().items()}
    rows = [{key: value for key, value in row.items() if value is not None} for row in file.rows]
    return tensors, trained, rows


def assert_same(first, second):
    for name, tensor in first[0].items():
        assert torch.equal(tensor, second[0][name]), name
    assert first[1] == second[1]
    assert first[2] == second[2]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cut_off", [(2,), (6, 12)], ids=str)
def test_a_training_that_is_cut_off_ends_as_one_that_is_not(train, whole, tmp_path, case, cut_off):
    assert_same(whole[case][1], train(tmp_path, cut_off, **CASES[case]))


@pytest.mark.parametrize("case", CASES)
def test_a_training_that_has_ended_is_taken_as_it_is(train, whole, case):
    folder, outcome = whole[case]
    assert_same(outcome, train(folder, **CASES[case]))


def test_each_case_ends_as_it_says(whole):
    assert whole["epochs"][1][1].epochs == EPOCHS
    assert whole["steps"][1][2][-1]["epoch"] == 2
    assert whole["threshold"][1][1].epochs == 3


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing_not_even_after_a_cut(train, whole, tmp_path, workers):
    assert_same(whole["epochs"][1], train(tmp_path, (6,), workers=workers))


@pytest.mark.parametrize("decay", [0.99, 0.3])
def test_a_mean_of_weights_leaves_what_does_not_change_as_it_is(decay):
    # a checkpoint does not hold all of it, and a training that goes on must not start from anything else
    stage = ImageStage(SegNet(nn.Sequential(nn.Conv2d(3, 3, 1))), ModelCard("image", {}, LABELS, SIZE))
    known = {name: buffer.clone() for name, buffer in stage.net.named_buffers()}
    assert len(known) == 2
    (average,) = averaging(decay)
    average.setup(SimpleNamespace(), stage, "fit")
    bias, mean = stage.net.module[0].bias.detach().clone(), 1.0
    for step in range(1, 201):
        mean = decay * mean + (1 - decay) * step
        with torch.no_grad():
            stage.net.module[0].bias.add_(1)
        average.on_train_batch_end(SimpleNamespace(global_step=step), stage, None, None, step)
    average.on_train_end(SimpleNamespace(), stage)
    assert all(torch.equal(buffer, known[name]) for name, buffer in stage.net.named_buffers())
    torch.testing.assert_close(stage.net.module[0].bias.detach(), bias + mean)


def test_the_last_checkpoint_is_of_the_last_epoch_and_the_best_one_of_the_best(whole):
    folder, (_, _, rows) = whole["epochs"]
    last, best = (torch.load(folder / "checkpoints" / f"{name}.ckpt") for name in ("last", "best"))
    accuracy = [row["val/miou"] for row in rows if "val/miou" in row]
    assert last["epoch"] == EPOCHS - 1
    assert best["epoch"] == accuracy.index(max(accuracy))


def test_a_broken_checkpoint_is_one_clear_line(train, whole, tmp_path):
    good = whole["epochs"][0] / "checkpoints" / "last.ckpt"
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(good.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=r"last.ckpt: not a readable checkpoint"):
        train(tmp_path)


def test_a_checkpoint_that_cannot_be_written_leaves_the_older_one(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    CheckpointFile().save_checkpoint({"a": torch.ones(3)}, path)
    (tmp_path / "last.part.ckpt").mkdir()
    with pytest.raises(
        FacestabError, match=r"last.ckpt: cannot be written \(.*\); mend that and start the same command"
    ):
        CheckpointFile().save_checkpoint({"a": torch.zeros(3)}, path)
    assert torch.equal(torch.load(path)["a"], torch.ones(3))
