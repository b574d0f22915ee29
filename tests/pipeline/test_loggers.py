import csv
from fractions import Fraction

import numpy as np
import pytest
import wandb

from facestab.keys import is_known_key
from facestab.pipeline.trainer import make_loggers
from facestab.pipeline.videos import log_videos
from facestab.video.sink import VideoSink
from tests.wandb_file import read_offline_run

RECORD = {
    "metrics": {
        "image": {"flicker/aba": 0.02, "val/miou": 0.6, "val/iou/nose": 0.5},
        "stabilized": {"flicker/aba": 0.01, "val/miou": 0.6},
    }
}


@pytest.fixture
def folder(tmp_path):
    clip = tmp_path / "videos" / "clip" / "compare.mp4"
    clip.parent.mkdir(parents=True)
    with VideoSink(clip, Fraction(25), codec="h264") as sink:
        sink.write(np.zeros((32, 32, 3), np.uint8))
    return tmp_path


def test_wandb_and_csv_carry_the_same_known_keys_and_wandb_the_videos(compose_config, folder):
    config = compose_config("stage=temporal", "w=0.25", "threshold=0.2", "logger=wandb_offline", "name=job")
    with make_loggers(config, folder) as loggers:
        log_videos(loggers, RECORD, folder)
        summary = dict(wandb.run.summary)
        settings = dict(wandb.run.config)
    with (folder / "metrics.csv").open() as stream:
        line = next(csv.DictReader(stream))
    logged = {key for key in summary if is_known_key(key)}
    assert logged == {key for key in line if key != "step"}
    assert all(float(line[key]) == pytest.approx(summary[key]) for key in logged)
    assert (settings["w"], settings["threshold"]) == (0.25, 0.2)
    assert summary["videos/compare"]["videos"][0]["path"].endswith(".mp4")


def test_the_file_of_an_offline_run_holds_what_was_logged(compose_config, folder):
    config = compose_config("stage=temporal", "w=0.25", "threshold=0.2", "logger=wandb_offline", "name=job")
    with make_loggers(config, folder) as loggers:
        log_videos(loggers, RECORD, folder)
    run = read_offline_run(folder)
    expected = {f"{row}/{key}": value for row, keys in RECORD["metrics"].items() for key, value in keys.items()}
    assert {key: values[-1] for key, values in run.values.items() if is_known_key(key)} == expected
    assert [run.config[key] for key in ("stage", "w", "threshold", "seed")] == ["temporal", 0.25, 0.2, 0]
    assert run.job_type == "temporal"
    assert run.values["videos/compare"][0]["count"] == 1


def test_each_job_has_a_wandb_run_of_its_own(compose_config, tmp_path):
    ids = []
    for job in ("0", "1"):
        folder = tmp_path / job
        folder.mkdir()
        config = compose_config("stage=image", "logger=wandb_offline", f"name={job}")
        with make_loggers(config, folder) as loggers:
            log_videos(loggers, RECORD, folder)
            ids.append(wandb.run.id)
        assert wandb.run is None
    assert ids[0] != ids[1]


def test_a_run_that_fails_closes_its_loggers(compose_config, tmp_path):
    config = compose_config("stage=image", "logger=wandb_offline", "name=job")

    def fail():
        with make_loggers(config, tmp_path) as loggers:
            log_videos(loggers, RECORD, tmp_path)
            raise RuntimeError("the run broke")

    with pytest.raises(RuntimeError, match="the run broke"):
        fail()
    assert wandb.run is None


def test_run_log_holds_what_was_said_and_ends_with_the_run(compose_config, tmp_path):
    import logging

    config = compose_config("stage=image", "name=job")
    with make_loggers(config, tmp_path):
        logging.getLogger("facestab").warning("said in the run")
    logging.getLogger("facestab").warning("said after the run")
    text = (tmp_path / "run.log").read_text()
    assert "said in the run" in text
    assert "after" not in text
