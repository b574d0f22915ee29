"""The dashboard asks for nothing that is not logged."""

import json

import pytest

from facestab.dashboard.names import SETTINGS, STEP, describe, measured, setting, trained
from facestab.keys import MEDIA_KEY, is_known_key
from facestab.record import read_record
from tests.tiny import TEMPORAL, succeed
from tests.wandb_file import read_offline_run

PROJECT = ("--entity", "lab", "--project", "faces")
KEYED = {"Scatter Plot", "Bar Chart", "Parallel Coordinates Plot", "Media Browser", "Run History Line Plot"}
KEY_FIELDS = {"xAxis", "yAxis", "zAxis", "groupBy", "accessor", "metrics", "mediaKeys"}


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    """What saving would send, as `--json` writes it."""
    folder = tmp_path_factory.mktemp("view")
    succeed(*PROJECT, "--json", "view.json", cwd=folder, module="facestab.dashboard")
    assert [path.name for path in folder.iterdir()] == ["view.json"]
    return json.loads((folder / "view.json").read_text())


def sections_of(view):
    return view["spec"]["section"]["panelBankConfig"]["sections"]


def panels_of(view):
    return [panel for section in sections_of(view) for panel in section["panels"]]


def asked_by(node):
    """All keys below a node of the description, without the app's prefixes and suffixes."""
    if isinstance(node, list):
        return set().union(*map(asked_by, node))
    if not isinstance(node, dict):
        return set()
    keys = set()
    for field, value in node.items():
        if field == "gridSettings":
            continue
        if field in KEY_FIELDS:
            keys |= {bare(key) for key in ([value] if isinstance(value, str) else value)}
        else:
            keys |= asked_by(value)
    return keys


def bare(key):
    return key.removeprefix("summary:").removeprefix("config:").removesuffix(".value")


def all_asked(view):
    (runs,) = view["spec"]["section"]["runSets"]
    columns = {bare(column) for column in runs["runFeed"]["columnOrder"]} - {"run:displayName"}
    return asked_by(panels_of(view)) | columns | {key["key"]["name"] for key in runs["sort"]["keys"]}


def test_every_key_of_every_panel_is_one_that_is_logged(view):
    for panel in panels_of(view):
        assert bool(asked_by(panel["config"])) == (panel["viewType"] in KEYED), panel
    unknown = {key for key in all_asked(view) if not is_known_key(key)}
    assert unknown == {*SETTINGS, STEP, MEDIA_KEY}


def test_the_workspace_shows_trade_off_sweep_videos_training_and_differences(view):
    assert (view["entity"], view["project"], view["displayName"]) == ("lab", "faces", "facestab: flicker")
    assert {panel["viewType"] for panel in panels_of(view)} == {*KEYED, "Markdown Panel", "Run Comparer"}
    panels = {section["name"]: [panel["config"] for panel in section["panels"]] for section in sections_of(view)}
    scatter = panels["The trade-off"][1]
    axes = [scatter[axis] for axis in ("xAxis", "yAxis", "zAxis")]
    assert axes == ["summary:stabilized/flicker/aba", "summary:stabilized/val/miou", "config:w.value"]
    bars = {(panel["groupBy"], *panel["metrics"]) for panel in panels["What w and threshold do"]}
    for group in ("w.value", "threshold.value"):
        for key in ("flicker/aba", "val/miou", "dynamics/amplitude"):
            assert (group, f"stabilized/{key}") in bars
    assert {"w", "threshold", "stabilized/flicker/aba"} < asked_by(panels["Settings and results together"])
    assert asked_by(panels["Before and after: videos"]) == {MEDIA_KEY}
    assert {"train/loss", "val/loss", "train/gradient_ratio"} < asked_by(panels["Training"])


def test_every_section_has_room_for_its_panels(view):
    for section in sections_of(view):
        flow = section["flowConfig"]
        assert 0 <= flow["columnsPerPage"] * flow["rowsPerPage"] - len(section["panels"]) < flow["columnsPerPage"]


def test_only_runs_of_the_temporal_stage_are_compared(view, compose_config):
    (runs,) = view["spec"]["section"]["runSets"]
    (condition,) = runs["filters"]["filters"]
    config = compose_config("stage=temporal", "logger=wandb", "name=job")
    assert condition["key"] == {"section": "run", "name": "jobType"}
    assert (condition["op"], condition["value"]) == ("=", config.logger.wandb.job_type)
    assert set(SETTINGS) <= set(config)


def test_names_that_nothing_logs_are_refused():
    with pytest.raises(ValueError, match="VIDEO_KEYS is needed, got 'flicker/abba'"):
        measured("stabilized", "flicker/abba")
    with pytest.raises(ValueError, match="row: one of image, stabilized is needed, got 'ema"):
        measured("ema_0.5", "flicker/aba")
    with pytest.raises(ValueError, match="VAL_KEYS is needed, got 'flicker/aba'"):
        trained("flicker/aba")
    with pytest.raises(ValueError, match="name: one of w, threshold, seed is needed, got 'size'"):
        setting("size")


def test_titles_give_the_unit_as_logged_and_the_good_end():
    assert describe("flicker/aba") == "ABA flicker [fraction], lower is better"
    assert describe("time/ms_per_frame") == "per frame [ms], lower is better"
    assert describe("dynamics/amplitude") == "amplitude, 1 is as in truth"
    assert describe("tc/coverage") == "TC coverage [fraction]"


@pytest.mark.slow
def test_an_offline_run_of_the_real_command_has_every_key_of_every_panel(view, tmp_path):
    # what moves shows in clips of more than a second
    long = ["video.num_frames=50", "video.num_test=1"]
    settings = [item for item in TEMPORAL if item.partition("=")[0] not in ("video.num_frames", "video.num_test")]
    point = ["w=0.25", "threshold=0.2", "logger=wandb_offline", "name=run"]
    succeed("stage=temporal", *point, *settings, *long, cwd=tmp_path)
    folder = tmp_path / "runs" / "temporal" / "run"
    run = read_offline_run(folder)
    # a network that has learned nothing follows nothing, so that it has no lag; the truth has one
    without_lag = {"image/dynamics/lag", "stabilized/dynamics/lag"}
    assert "truth/dynamics/lag" in run.known
    missing = all_asked(view) - run.known - without_lag
    assert not missing, sorted(missing)
    assert (run.job_type, run.config["w"], run.config["threshold"]) == ("temporal", 0.25, 0.2)
    stored = read_record(folder)["metrics"]["stabilized"]
    assert run.values["stabilized/flicker/aba"][-1] == pytest.approx(stored["flicker/aba"])
