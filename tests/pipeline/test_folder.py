"""A folder that is used again holds one run and not parts of two."""

import pytest
from omegaconf import OmegaConf

from facestab.errors import FacestabError
from facestab.evaluation.tables import write_tables
from facestab.pipeline.folder import close_run, open_run
from facestab.pipeline.unfinished import find_unfinished, read_unfinished, run_lock
from facestab.record import write_record


def test_a_run_that_starts_over_leaves_nothing_of_the_one_before(tmp_path):
    record = {"stage": "predict", "videos": {"a": {"image": {"flicker/aba": 0.5}}}, "metrics": {"image": {}}}
    write_tables(tmp_path, record)
    write_record(tmp_path, record)
    (tmp_path / "videos" / "a").mkdir(parents=True)
    (tmp_path / "videos" / "a" / "labels.mkv").write_bytes(b"mkv")
    (tmp_path / "metrics.csv").write_text("step\n")
    (tmp_path / "notes.txt").write_text("of the user")
    open_run(tmp_path, OmegaConf.create({"stage": "predict"}), ["stage=predict"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "notes.txt", "overrides.yaml"]


def begin(folder, digest, resume="auto"):
    open_run(
        folder, OmegaConf.create({"stage": "image", "resume": resume}), ["stage=image", f"resume={resume}"], digest
    )


def test_an_unfinished_run_is_gone_on_with_refused_to_others_and_given_up_when_asked(tmp_path):
    begin(tmp_path, "a")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(b"epoch 3")
    begin(tmp_path, "a")
    with pytest.raises(FacestabError, match=r"holds an unfinished run with other settings; choose another name"):
        begin(tmp_path, "b")
    assert (tmp_path / "checkpoints" / "last.ckpt").read_bytes() == b"epoch 3"
    begin(tmp_path, "b", resume="never")
    assert not (tmp_path / "checkpoints").exists()
    assert read_unfinished(tmp_path).fingerprint == "b"


def test_a_run_that_is_closed_is_no_longer_unfinished(tmp_path):
    begin(tmp_path, "a")
    close_run(tmp_path, {"stage": "image", "metrics": {}})
    assert read_unfinished(tmp_path) is None
    assert not (tmp_path / "unfinished").exists()


def test_the_unfinished_run_of_the_same_command_is_found_unless_somebody_is_at_it(tmp_path, monkeypatch):
    monkeypatch.setattr("facestab.pipeline.unfinished._PATIENCE_S", 0.2)
    begin(tmp_path / "one", "a")
    assert find_unfinished(tmp_path, ["stage=image"]) == tmp_path / "one"
    assert find_unfinished(tmp_path, ["stage=image", "seed=1"]) is None
    with run_lock(tmp_path / "one"):
        assert find_unfinished(tmp_path, ["stage=image"]) is None
    close_run(tmp_path / "one", {"stage": "image", "metrics": {}})
    assert find_unfinished(tmp_path, ["stage=image"]) is None
