import pytest

from facestab.report.pareto import pareto
from facestab.report.pooling import pool
from facestab.report.runs import read_runs
from facestab.report.sweep import sweep
from facestab.report.theme import family, templates
from tests.report.bare import bare_run

ROWS = {
    "truth": (None, 0.001),
    "frozen": (0.3, 0.0),
    "image": (0.70, 0.020),
    "ema_0.7": (0.60, 0.004),
    "ema_0.5": (0.65, 0.008),
    "flow_ema_0.8": (0.66, 0.006),
    "vote_5": (0.68, 0.010),
    "stabilized": (0.71, 0.009),
}


def metrics(key="val/miou"):
    return {
        row: {"flicker/aba": aba, **({key: value} if value is not None else {})} for row, (value, aba) in ROWS.items()
    }


def groups_of(*folders):
    return pool(read_runs(folders).runs)


def traces(plot):
    return {trace.get("name"): trace for trace in plot.figure["data"]}


def test_smoothers_of_a_family_are_one_curve_from_weak_to_strong(tmp_path):
    found = traces(pareto(groups_of(bare_run(tmp_path, metrics()))))
    curve = found["+ EMA"]
    assert curve["mode"] == "lines+markers+text"
    assert (curve["text"], curve["x"], curve["y"]) == (
        ["0.5", "0.7"],
        [pytest.approx(0.8), pytest.approx(0.4)],
        [pytest.approx(65), pytest.approx(60)],
    )
    single = [found[name] for name in ("+ flow EMA 0.8", "+ temporal vote 5", "facestab", "image model")]
    assert all("lines" not in trace["mode"] and len(trace["x"]) == 1 for trace in single)
    assert len({trace["marker"]["symbol"] for trace in [curve, *single]}) == 5


def test_the_axes_hold_every_row_that_anybody_would_use(tmp_path):
    plot = pareto(groups_of(bare_run(tmp_path, metrics())))
    layout = plot.figure["layout"]
    low, high = layout["yaxis"]["range"]
    assert 30 < low < 60 < 71 < high
    assert layout["xaxis"]["range"][0] < 0.1
    assert "frozen first frame" in plot.note


def test_of_further_runs_only_baseline_and_result_are_drawn(tmp_path):
    other = metrics() | {"ema_0.7": {"val/miou": 0.1, "flicker/aba": 0.5}}
    plot = pareto(groups_of(bare_run(tmp_path / "a", metrics()), bare_run(tmp_path / "b", other)))
    labels = [trace["text"] for trace in plot.figure["data"] if isinstance(trace.get("text"), str)]
    assert labels == ["a", "b"]
    assert plot.figure["layout"]["xaxis"]["range"][1] < 3
    assert "those of a" in plot.note


@pytest.mark.parametrize(
    ("key", "words"), [("dynamics/amplitude", "1 keeps all motion"), ("tc/masked", "higher is better")]
)
def test_without_true_labels_the_plot_takes_another_guard_and_says_so(tmp_path, key, words):
    plot = pareto(groups_of(bare_run(tmp_path, metrics(key))))
    assert "no mIoU" in plot.note
    assert words in plot.note


def test_a_plot_needs_two_rows(tmp_path):
    assert pareto(groups_of(bare_run(tmp_path, {"stabilized": {"val/miou": 0.5, "flicker/aba": 0.01}}))) is None


def test_spread_over_seeds_becomes_bars(tmp_path):
    folders = [bare_run(tmp_path / str(seed), metrics(), ["w=1"], seed=seed) for seed in (0, 1)]
    assert "error_y" not in traces(pareto(groups_of(*folders)))["facestab"]
    other = metrics() | {"stabilized": {"flicker/aba": 0.009, "val/miou": 0.73}}
    bare_run(tmp_path / "1", other, ["w=1"], seed=1)
    (spread,) = traces(pareto(groups_of(*folders)))["facestab"]["error_y"]["array"]
    assert spread == pytest.approx(100 * 0.02 / 2**0.5)


def test_names_are_no_markup(tmp_path):
    rows = {name: {"val/miou": 0.5, "flicker/aba": 0.01} for name in ("<b>bold</b>", "image", "stabilized")}
    plot = pareto(groups_of(bare_run(tmp_path, rows)))
    assert "&lt;b&gt;bold&lt;/b&gt;" in traces(plot)


def test_a_row_without_a_number_has_no_family():
    assert family("flow_ema_0.8") == ("flow_ema", 0.8)
    assert family("vote_5") == ("vote", 5.0)
    assert family("stabilized") is None


def grid(tmp_path, ws, thresholds):
    for job, (w, threshold) in enumerate((w, threshold) for w in ws for threshold in thresholds):
        rows = {
            "image": {"flicker/aba": 0.02},
            "stabilized": {"flicker/aba": 0.02 / (1 + w), "val/miou": 0.7 - threshold},
        }
        overrides = ["net=tiny", f"w={w}", f"threshold={threshold}"]
        bare_run(tmp_path / str(job), rows, overrides, w=w, threshold=threshold)
    return sweep(groups_of(tmp_path))


def test_a_sweep_has_one_line_a_threshold_over_w(tmp_path):
    flicker, miou = grid(tmp_path, [2.0, 0.1, 0.5], [0.1, 0.3])
    found = traces(flicker)
    assert set(found) == {"threshold 0.1", "threshold 0.1, before", "threshold 0.3", "threshold 0.3, before"}
    assert found["threshold 0.1"]["x"] == [0.1, 0.5, 2.0]
    assert found["threshold 0.1"]["y"] == pytest.approx([2 / 1.1, 2 / 1.5, 2 / 3])
    assert found["threshold 0.1, before"]["y"] == pytest.approx([2, 2, 2])
    assert traces(miou)["threshold 0.3"]["y"] == pytest.approx([40, 40, 40])
    assert flicker.figure["layout"]["xaxis"]["type"] == "log"


def test_where_only_the_threshold_changes_it_is_the_axis(tmp_path):
    flicker, _ = grid(tmp_path, [0.5], [0.1, 0.2, 0.3])
    assert traces(flicker)["w 0.5"]["x"] == [0.1, 0.2, 0.3]
    assert flicker.figure["layout"]["xaxis"]["type"] == "linear"


def test_where_nothing_changes_there_is_no_sweep(tmp_path):
    assert grid(tmp_path, [0.5], [0.1]) == []


def test_settings_that_are_neither_w_nor_threshold_make_lines_of_their_own(tmp_path):
    for job, (w, net) in enumerate((w, net) for w in (1, 2) for net in ("tiny", "big")):
        rows = {"stabilized": {"flicker/aba": 0.01 * w}}
        bare_run(tmp_path / str(job), rows, [f"net={net}", f"w={w}"], w=w)
    (flicker,) = sweep(groups_of(tmp_path))
    assert set(traces(flicker)) == {"threshold 0.1 net=tiny", "threshold 0.1 net=big"}


def test_light_and_dark_differ_in_colours_only():
    light, dark = (templates()[name]["layout"] for name in ("light", "dark"))
    assert light["font"].pop("color") != dark["font"].pop("color")
    assert light["font"] == dark["font"]
    assert light["colorway"] == dark["colorway"]
