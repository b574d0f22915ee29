import json
import re
import shutil

import pytest

from facestab.keys import HEADLINE, VIDEO_KEYS
from facestab.report.page import render, write_page
from facestab.report.runs import read_runs
from tests.report.bare import bare_run
from tests.report.conftest import HOSTILE

FILES = ("labels.mkv", "labels_before.mkv", "overlay.mp4", "overlay_before.mp4", "compare.mp4", "frames.csv")


def page_of(*folders, at=None, num_videos=10):
    return render(read_runs(folders), at or folders[0], num_videos)


def data_of(html):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return json.loads(text)


def without_scripts(html):
    return re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)


def test_a_page_shows_what_a_run_has(single):
    html = page_of(single)
    shown = without_scripts(html)
    for id in ("verdict", "headline", "intervals", "plot-pareto", "curves", "profile", "heat", "players", "worst"):
        assert f'id="{id}"' in shown
    for key in HEADLINE:
        assert VIDEO_KEYS[key].heading in shown
    (lab,) = data_of(html)["groups"]
    assert {video["id"] for video in lab["videos"]} == {"test_0000", HOSTILE}
    for video in lab["videos"]:
        assert [player["src"].rpartition("/")[2] for player in video["players"]] == [
            "overlay_before.mp4",
            "overlay.mp4",
        ]
        assert [row["title"] for row in video["curves"]] == ["before: image model", "after: facestab", "ground truth"]
        assert [len(row["values"][""]) for row in video["curves"]] == [50] * 3
        assert "nose" in video["curves"][0]["values"]
        assert [p["title"] for p in video["profile"]["pictures"]] == ["input", "before: image model", "after: facestab"]
        assert (video["profile"]["width"], video["profile"]["count"]) == (64, 50)
        assert [p["total"] > 0 for p in video["heat"]["pictures"]] == [True, True]
        assert video["notes"] == []
    totals = [sum(v["heat"]["pictures"][i]["total"] for v in lab["videos"]) for i in (0, 1)]
    assert [picture["total"] for picture in lab["heat"]["pictures"]] == totals


def test_players_point_from_the_page_to_the_run(single, tmp_path):
    (lab,) = data_of(page_of(single, at=tmp_path / "pages"))["groups"]
    sources = [player["src"] for video in lab["videos"] for player in video["players"]]
    assert all(source.startswith("../") and "<" not in source for source in sources)
    (lab,) = data_of(page_of(single))["groups"]
    assert {source.partition("/")[0] for source in [p["src"] for v in lab["videos"] for p in v["players"]]} == {
        "videos"
    }


def test_nothing_is_fetched(single):
    html = page_of(single)
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', without_scripts(html)) == []
    assert "default-src 'none'" in html


def test_names_are_text_and_never_markup(tmp_path):
    name = HOSTILE.replace("/", "\u2215") + "\"'&"
    rows = {row: {"val/miou": 0.5, "flicker/aba": 0.01, f"val/iou/{HOSTILE}": 0.5} for row in ("image", HOSTILE)}
    folder = bare_run(
        tmp_path / name,
        rows,
        [f"x={HOSTILE}"],
        {HOSTILE: HOSTILE},
        result=HOSTILE,
        flow=HOSTILE,
        videos={HOSTILE: rows},
        verdicts={HOSTILE: {"decision": HOSTILE, "text": HOSTILE}},
        intervals={f"{HOSTILE} - image": {"val/miou": [0, 1]}},
        training={HOSTILE: HOSTILE},
    )
    html = page_of(folder, bare_run(tmp_path / "other", config={HOSTILE: "other"}))
    assert "<script>alert" not in html
    assert html.count("</script>") == 4
    assert data_of(html)["groups"][0]["videos"][0]["id"] == HOSTILE


@pytest.mark.parametrize("missing", [*FILES, "config.yaml", "overrides.yaml", "videos"])
def test_any_file_may_be_missing(single, tmp_path, missing):
    folder = tmp_path / "run"
    shutil.copytree(single, folder, ignore=shutil.ignore_patterns(missing, "*.html"))
    html = page_of(folder)
    assert 'id="headline"' in html
    video = data_of(html)["groups"][0]["videos"][0]
    assert video["notes"] == []
    if missing == "labels.mkv":
        assert [picture["title"] for picture in video["heat"]["pictures"]] == ["before: image model"]
    if missing == "compare.mp4":
        assert len(video["profile"]["pictures"]) == 2
    if missing == "overlay_before.mp4":
        assert len(video["players"]) == 1


def test_a_damaged_video_is_named_and_the_rest_is_shown(tmp_path):
    rows = {"image": {"flicker/aba": 0.02}, "stabilized": {"flicker/aba": 0.01}}
    folder = bare_run(tmp_path, rows, videos={"v": rows})
    (folder / "videos" / "v").mkdir(parents=True)
    (folder / "videos" / "v" / "labels.mkv").write_bytes(b"nothing that plays")
    (video,) = data_of(page_of(folder))["groups"][0]["videos"]
    (note,) = video["notes"]
    assert "labels.mkv" in note
    assert video["heat"] is None


def test_an_image_run_has_a_page_too(tmp_path):
    metrics = {"image": {"val/miou": 0.7, "val/iou/nose": 0.6, "train/loss": 0.1}}
    folder = tmp_path / "image"
    bare_run(folder, metrics, stage="image", result="image", baseline="")
    shown = without_scripts(page_of(folder))
    assert 'id="lab"' not in shown
    assert "image model" in shown
    assert "60.0" in shown


def test_a_sweep_shows_its_settings_pooled_and_what_is_not_finished(sweep):
    html = page_of(sweep)
    shown = without_scripts(html)
    data = data_of(html)
    assert [group["title"] for group in data["groups"]] == [
        f"w={w} threshold={threshold}, 2 seeds" for w in (0.1, 2.0) for threshold in (0.1, 0.3)
    ]
    assert "grid/8" in shown
    assert "standard deviation" in shown
    assert {"sweep0", "sweep1", "sweep2", "pareto"} == set(data["plots"])
    assert 'id="config-diff"' in shown
    assert "\u00b1" in shown


def test_only_as_many_videos_as_wanted_are_shown(single):
    (lab,) = data_of(page_of(single, num_videos=1))["groups"]
    assert len(lab["videos"]) == 1
    assert lab["heat"] is None


def test_the_page_appears_whole_or_not_at_all(single, tmp_path):
    path = write_page(read_runs([single]), tmp_path / "new" / "page.html", 1)
    assert path.read_text("utf-8").rstrip().endswith("</html>")
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]
