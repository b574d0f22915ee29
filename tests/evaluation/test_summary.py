import csv

import pytest

from facestab.evaluation.result import VideoResult
from facestab.evaluation.summary import difference_intervals, row_order, video_record
from facestab.evaluation.tables import write_tables


def result(id_, num_frames=10, seconds=0.5, **rows):
    return VideoResult(
        id_, "25", [4, 6], f"{id_}.mp4", num_frames, rows, {}, {"stabilized": seconds}, {"coverage": 0.9}
    )


RESULTS = [
    result(
        "a",
        image={"flicker/aba": 0.02, "val/miou": 0.7, "val/iou/nose": 0.5},
        stabilized={"flicker/aba": 0.01, "val/miou": 0.7, "val/iou/nose": 0.6},
        truth={"flicker/aba": 0.0},
    ),
    result(
        "b",
        num_frames=30,
        seconds=0.3,
        image={"flicker/aba": 0.04, "val/miou": 0.8},
        stabilized={"flicker/aba": 0.01, "val/miou": 0.9},
        truth={"flicker/aba": 0.001},
    ),
]


def test_a_rows_value_is_the_mean_over_the_videos_that_have_it():
    metrics = video_record(RESULTS, "stabilized", "image")["metrics"]
    assert metrics["image"] == pytest.approx({"flicker/aba": 0.03, "val/miou": 0.75, "val/iou/nose": 0.5})
    assert metrics["stabilized"]["val/miou"] == pytest.approx(0.8)


def test_times_are_pooled_over_frames():
    metrics = video_record(RESULTS, "stabilized", "image")["metrics"]
    assert metrics["stabilized"]["time/ms_per_frame"] == pytest.approx(1000 * 0.8 / 40)
    assert metrics["stabilized"]["time/frames_per_second"] == pytest.approx(40 / 0.8)


def test_the_record_says_what_was_compared_and_what_went_in():
    record = video_record(RESULTS, "stabilized", "image")
    assert (record["result"], record["baseline"]) == ("stabilized", "image")
    assert record["inputs"]["b"] == {"fps": "25", "size": [4, 6], "frames": 30, "source": "b.mp4", "coverage": 0.9}
    assert list(record["verdicts"]) == ["stabilized"]
    assert "baseline" not in video_record(RESULTS, "stabilized", None)
    assert video_record(RESULTS, "stabilized", None)["verdicts"] == {}


def test_the_mean_difference_of_the_table_lies_in_its_interval():
    record = video_record(RESULTS, "stabilized", "image")
    low, high = record["intervals"]["stabilized - image"]["flicker/aba"]
    difference = record["metrics"]["stabilized"]["flicker/aba"] - record["metrics"]["image"]["flicker/aba"]
    assert low <= difference <= high


def test_values_by_class_are_compared_with_the_baseline_only():
    videos = {r.id: {**r.rows, "frozen": r.rows["image"]} for r in (RESULTS[0], RESULTS[0])}
    videos["c"] = videos["a"]
    intervals = difference_intervals(videos, "stabilized", "image")
    assert intervals["stabilized - image"]["val/iou/nose"] == pytest.approx([0.1, 0.1])
    assert "val/iou/nose" not in intervals["stabilized - frozen"]


def test_rows_stand_in_the_order_of_every_table():
    rows = {"stabilized", "ema_0.5", "image", "continued", "truth", "oracle", "finetuned", "background", "frozen"}
    first, last = ["truth", "frozen", "background", "image", "continued"], ["finetuned", "oracle", "stabilized"]
    assert row_order(rows) == [*first, "ema_0.5", *last]


def test_tables_hold_every_value_by_video_and_by_class(tmp_path):
    write_tables(tmp_path, video_record(RESULTS, "stabilized", "image"))
    with (tmp_path / "videos.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["video"], line["row"]) for line in lines] == [
        (video, row) for video in ("a", "b") for row in ("truth", "image", "stabilized")
    ]
    assert float(lines[-1]["val/miou"]) == 0.9
    assert lines[0]["val/miou"] == ""
    with (tmp_path / "classes.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["video"], line["row"], line["class"], line["val/iou"]) for line in lines] == [
        ("a", "image", "nose", "0.5"),
        ("a", "stabilized", "nose", "0.6"),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classes.csv", "videos.csv"]
