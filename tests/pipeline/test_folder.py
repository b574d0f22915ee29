"""A folder that is used again holds one run and not parts of two."""

from omegaconf import OmegaConf

from facestab.evaluation.tables import write_tables
from facestab.pipeline.folder import open_run
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
