import numpy as np
import pytest

from facestab.errors import FacestabError
from facestab.report.runs import read_curves, read_runs
from tests.report.bare import bare_run


def test_a_run_is_read_with_all_that_it_wrote(tmp_path):
    labels = {"names": ["nothing", "cat"], "palette": [[0, 0, 0], [255, 0, 0]]}
    bare_run(tmp_path / "a", {"image": {}, "stabilized": {}}, ["w=1"], {"labels": labels})
    (run,) = read_runs([tmp_path / "a"]).runs
    assert (run.name, run.sweep, run.result, run.baseline, run.overrides) == ("a", "", "stabilized", "image", ("w=1",))
    assert run.label_set.names == ("nothing", "cat")
    assert run.label_set.palette == ((0, 0, 0), (255, 0, 0))
    run.record["labels"] = {"names": ["nothing", "dog"], "palette": [[0, 0, 0], [0, 0, 255]]}
    assert run.label_set.names == ("nothing", "dog")


def test_a_record_alone_is_a_run(tmp_path):
    bare_run(tmp_path, {"image": {"val/miou": 0.5}}, result="image", baseline="image")
    (run,) = read_runs([tmp_path]).runs
    assert (run.overrides, run.config, run.baseline) == (None, {}, "")
    assert run.label_set.names[:3] == ("0", "1", "2")
    assert run.label_set.palette[0] == (0, 0, 0)
    assert len(set(run.label_set.palette[:9])) == 9


def test_the_jobs_of_a_sweep_come_by_number_and_the_unfinished_are_named(tmp_path):
    for job in ("10", "2"):
        bare_run(tmp_path / "grid" / job)
    (tmp_path / "grid" / "3").mkdir()
    (tmp_path / "grid" / "plots").mkdir()
    found = read_runs([tmp_path / "grid"])
    assert [run.name for run in found.runs] == ["grid/2", "grid/10"]
    assert found.unfinished == ("grid/3",)


def test_a_run_that_is_given_twice_counts_once(tmp_path):
    bare_run(tmp_path / "grid" / "0")
    assert len(read_runs([tmp_path / "grid", tmp_path / "grid" / "0"]).runs) == 1


@pytest.mark.parametrize("name", ["nothing", "empty", "unfinished"])
def test_a_folder_without_a_finished_run_is_named(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "unfinished" / "0").mkdir(parents=True)
    with pytest.raises(FacestabError, match=name):
        read_runs([tmp_path / name])


def test_a_broken_configuration_is_named_in_one_line(tmp_path):
    bare_run(tmp_path)
    (tmp_path / "config.yaml").write_text("a: [1\nb: }")
    with pytest.raises(FacestabError, match=r"config\.yaml: cannot be read as YAML") as caught:
        read_runs([tmp_path])
    assert "\n" not in str(caught.value)


def test_files_outside_the_run_are_not_reached_by_a_videos_name(tmp_path):
    bare_run(tmp_path / "run")
    for folder in (tmp_path / "outside", tmp_path / "run" / "videos" / "inside"):
        folder.mkdir(parents=True)
        (folder / "overlay.mp4").write_bytes(b"0")
    (run,) = read_runs([tmp_path / "run"]).runs
    assert run.video_file("inside", "overlay.mp4") == tmp_path / "run" / "videos" / "inside" / "overlay.mp4"
    assert run.video_file("../../outside", "overlay.mp4") is None
    assert run.video_file(str(tmp_path / "outside"), "overlay.mp4") is None
    assert run.video_file("missing", "overlay.mp4") is None


def test_an_empty_cell_is_no_value(tmp_path):
    (tmp_path / "frames.csv").write_text("frame,image/flicker/aba,image/flicker/aba/nose\n0,,\n1,0.25,0\n")
    curves = read_curves(tmp_path / "frames.csv")
    np.testing.assert_array_equal(curves["image/flicker/aba"], [np.nan, 0.25])
    np.testing.assert_array_equal(curves["image/flicker/aba/nose"], [np.nan, 0])


@pytest.mark.parametrize("line", ["0,none", "0"])
def test_curves_that_are_no_numbers_are_named_with_their_file(tmp_path, line):
    (tmp_path / "frames.csv").write_text(f"frame,image/flicker/aba,x\n{line}\n")
    with pytest.raises(FacestabError, match=r"frames\.csv"):
        read_curves(tmp_path / "frames.csv")
