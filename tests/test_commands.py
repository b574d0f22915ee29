"""Commands that need nothing of an earlier run: sweeps, thresholds, a network of the user's own."""

import csv

import pytest
from omegaconf import OmegaConf

from facestab.record import read_record
from tests.clips import carphone
from tests.tiny import IMAGE, TEMPORAL, facestab, succeed

pytestmark = pytest.mark.slow


def test_the_configuration_can_be_printed_without_running(tmp_path):
    printed = succeed("stage=temporal", "w=0.25", "--cfg", "job", "--resolve", cwd=tmp_path)
    assert OmegaConf.create(printed).consistency.w == 0.25
    assert not list(tmp_path.iterdir())


OWN_NETWORK = """
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Conv2d(8, num_classes, 1)

    def forward(self, x):
        return {"out": self.head(self.body(x))}
"""


def test_a_network_of_the_users_own_goes_all_the_way(tmp_path):
    (tmp_path / "mynet.py").write_text(OWN_NETWORK)
    net = ["net=module", "+net.module._target_=mynet.Net", "+net.module.num_classes=11", "net.features=body"]
    settings = [setting for setting in TEMPORAL if not setting.startswith("net=")]
    succeed("stage=temporal", "name=own", *net, *settings, cwd=tmp_path)
    command = ["stage=predict", "ckpt=runs/temporal/own/weights.safetensors", f"video.source={carphone()}", "name=own"]
    refused = facestab(*command, cwd=tmp_path)
    assert refused.returncode == 1
    assert "'mynet.Net', which is not trusted" in refused.stderr
    succeed(*command, "allow_targets=[mynet]", cwd=tmp_path)
    assert list(read_record(tmp_path / "runs" / "predict" / "own")["metrics"]) == ["image", "stabilized"]


def test_a_sweep_trains_each_image_model_once_and_skips_what_is_done(tmp_path):
    command = ["-m", "stage=temporal", "w=0.1,0.5", "threshold=0.1,3", *TEMPORAL, "inference.write=[]"]
    succeed(*command, cwd=tmp_path)
    sweep = next((tmp_path / "runs" / "sweeps").iterdir())
    with (sweep / "sweep.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["w"], row["threshold"]) for row in rows] == [
        ("0.1", "0.1"),
        ("0.1", "3"),
        ("0.5", "0.1"),
        ("0.5", "3"),
    ]
    assert {row["state"] for row in rows} == {"finished"}
    assert all(float(row["stabilized/flicker/aba"]) >= 0 for row in rows)
    images = [read_record(path.parent) for path in (tmp_path / "runs" / "image").glob("*/metrics.json")]
    assert sorted((record["threshold"], record["ended_by"]) for record in images) == [(0.1, "budget"), (3, "threshold")]
    written = {path: path.stat().st_mtime_ns for path in sweep.glob("*/metrics.json")}
    assert succeed(*command, cwd=tmp_path).count("finished already") == 4
    assert written == {path: path.stat().st_mtime_ns for path in sweep.glob("*/metrics.json")}
    assert list((tmp_path / "runs" / "sweeps").iterdir()) == [sweep]


def test_the_threshold_ends_the_image_stage(tmp_path):
    # a fresh network's J is about ln 11 = 2.4
    printed = succeed("stage=image", "threshold=5", "name=easy", *IMAGE, "logger=wandb_offline", cwd=tmp_path)
    record = read_record(tmp_path / "runs" / "image" / "easy")
    assert (record["ended_by"], record["epochs"]) == ("threshold", 1)
    assert "ended by threshold after 1 epochs" in printed
    assert list((tmp_path / "runs" / "image" / "easy").glob("wandb/offline-run-*/run-*.wandb"))


def test_threshold_zero_uses_the_whole_budget(tmp_path):
    succeed("stage=image", "threshold=0", "name=full", *IMAGE, cwd=tmp_path)
    record = read_record(tmp_path / "runs" / "image" / "full")
    assert (record["ended_by"], record["epochs"]) == ("budget", 2)
