import json

from facestab.record import read_record, write_record


def test_what_is_not_finite_is_absent_and_never_zero(tmp_path):
    write_record(tmp_path, {"metrics": {"image": {"a": float("nan"), "b": 0.5, "c": float("inf")}}})
    assert json.loads((tmp_path / "metrics.json").read_text())["metrics"]["image"] == {"b": 0.5}
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]


def test_a_record_says_which_versions_made_it(tmp_path):
    write_record(tmp_path, {})
    record = read_record(tmp_path)
    assert record is not None
    assert {"python", "torch", "lightning", "facestab"} <= set(record["versions"])


def test_no_record_and_a_broken_one_mean_not_finished(tmp_path):
    assert read_record(tmp_path) is None
    (tmp_path / "metrics.json").write_text('{"schema": 1, "metr')
    assert read_record(tmp_path) is None
