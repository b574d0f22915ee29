import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facestab.report.__main__ import main
from tests.report.bare import bare_run
from tests.report.worlds import write_run
from tests.tiny import facestab


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "one", num_frames=12, size=48)


def test_one_run_gets_its_page_beside_it_and_its_table_printed(run, capsys):
    main([str(run)])
    printed = capsys.readouterr().out
    for title in ("ground truth", "image model", "facestab", f"results: {run}", f"page: {run / 'report.html'}"):
        assert title in printed
    assert (run / "report.html").stat().st_size > 1_000_000
    assert not (run / "figure.png").exists()


def test_several_runs_get_one_page_here_or_where_it_is_wanted(run, tmp_path, monkeypatch, capsys):
    other = bare_run(tmp_path / "other", {"stabilized": {"flicker/aba": 0.01}})
    monkeypatch.chdir(tmp_path)
    main([str(run), str(other), "--no-table", "--videos", "0"])
    assert (tmp_path / "report.html").is_file()
    main([str(other), "--no-table", "--output", "pages/mine.html"])
    assert (tmp_path / "pages" / "mine.html").is_file()
    assert not (other / "report.html").exists()
    assert "ground truth" not in capsys.readouterr().out


def test_the_figure_shows_frames_and_curves(run, tmp_path):
    path = tmp_path / "figures" / "flicker.png"
    main([str(run), "--no-table", "--videos", "0", "--figure", str(path)])
    with Image.open(path) as picture:
        assert min(picture.size) > 300
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50
    assert [file.name for file in path.parent.iterdir()] == ["flicker.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing"], "missing: holds no finished run"),
        (["bare", "--figure", "f.png"], "no video has compare.mp4 and frames.csv"),
        (["full", "--figure", "f.docx"], "f.docx: no format that can be drawn"),
        (["bare", "--output", "bare/metrics.json/x.html"], "metrics.json"),
    ],
)
def test_a_mistake_is_one_line(run, tmp_path, monkeypatch, arguments, words):
    bare_run(tmp_path / "bare", {"stabilized": {"flicker/aba": 0.01}})
    shutil.copytree(run, tmp_path / "full")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--no-table"])
    message = str(caught.value.code)
    assert message.startswith("facestab: error: ")
    assert words in message
    assert "\n" not in message


@pytest.mark.slow
def test_the_command_ends_with_1_and_one_line(tmp_path):
    done = facestab("nothing", cwd=tmp_path, module="facestab.report")
    assert done.returncode == 1
    assert done.stderr == "facestab: error: nothing: holds no finished run (no metrics.json)\n"
    assert list(Path(tmp_path).iterdir()) == []
