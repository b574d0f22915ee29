from facestab.keys import HEADLINE
from facestab.report.definitions import DEFINITIONS, PER_CLASS
from facestab.report.listings import config_diff, definitions, provenance, shared_provenance, worst, worst_table
from facestab.report.pooling import pool
from facestab.report.runs import read_runs
from facestab.report.tables import headline, intervals, per_class
from facestab.report.verdicts import cards, other_verdicts
from tests.report.bare import bare_run

METRICS = {
    "truth": {"flicker/aba": 0.001},
    "image": {"val/miou": 0.665, "flicker/aba": 0.01413, "flicker/aba/nose": 0.02, "val/iou/nose": 0.5},
    "stabilized": {"val/miou": 0.637, "flicker/aba": 0.01223, "flicker/aba/nose": 0.01, "flicker/aba/hair": 0.03},
}


def groups_of(*folders):
    return pool(read_runs(folders).runs)


def column(key):
    return HEADLINE.index(key)


def test_rates_stand_in_percent_and_what_is_missing_is_a_dash(tmp_path):
    (block,) = headline(groups_of(bare_run(tmp_path, METRICS))).blocks
    assert [(line.title, line.kind) for line in block.lines] == [
        ("ground truth", "truth"),
        ("image model", "baseline"),
        ("facestab", "result"),
    ]
    truth, before, after = (line.cells for line in block.lines)
    assert [before[column(key)].text for key in ("val/miou", "flicker/aba")] == ["66.5", "1.413"]
    assert after[column("flicker/aba")].text == "1.223"
    assert truth[column("val/miou")].text == "-"
    assert {before[column(key)].text for key in HEADLINE[7:]} == {"-"}


def test_every_row_of_every_run_has_all_columns(tmp_path):
    table = headline(groups_of(bare_run(tmp_path / "a", METRICS), bare_run(tmp_path / "b", METRICS)))
    assert [block.title for block in table.blocks] == ["a", "b"]
    assert {len(line.cells) for block in table.blocks for line in block.lines} == {len(table.columns)}


def test_intervals_without_zero_stand_out(tmp_path):
    ends = {"val/miou": [-0.05, -0.01], "flicker/aba": [-0.003, 0.001], "flicker/aba/nose": [-0.02, -0.005]}
    groups = groups_of(bare_run(tmp_path, METRICS, intervals={"stabilized - image": ends}))
    table = intervals(groups)
    assert [head.text.partition("\u00a0")[0] for head in table.columns] == ["mIoU [%]", "ABA flicker [%]"]
    (line,) = table.blocks[0].lines
    assert [(cell.text, cell.strong) for cell in line.cells] == [("[-5.0, -1.0]", True), ("[-0.300, +0.100]", False)]
    note = headline(groups).blocks[0].lines[1].cells[column("val/miou")].note
    assert note == "facestab \u2212 image model: [-5.0, -1.0] (95%)"


def test_classes_are_compared_before_and_after(tmp_path):
    labels = {"names": ["nothing", "hair", "nose"], "palette": [[0, 0, 0], [1, 1, 1], [2, 2, 2]]}
    ends = {"stabilized - image": {"flicker/aba/nose": [-0.02, -0.005]}}
    table = per_class(groups_of(bare_run(tmp_path, METRICS, config={"labels": labels}, intervals=ends)))
    assert [head.text.partition("\u00a0")[0] for head in table.columns] == ["IoU [%]", "ABA flicker [%]"]
    hair, nose = table.blocks[0].lines
    assert (hair.title, nose.title) == ("hair", "nose")
    assert [cell.text for cell in nose.cells] == ["50.0 \u2192 -", "2.000 \u2192 1.000"]
    assert [cell.text for cell in hair.cells] == ["-", "- \u2192 3.000"]
    assert (nose.cells[1].strong, nose.cells[1].note) == (True, "change [-2.000, -0.500] (95%)")


def test_the_worst_videos_come_first(tmp_path):
    videos = {
        name: {"stabilized": {"flicker/aba": aba} if aba is not None else {}, "image": {"flicker/aba": 0.5}}
        for name, aba in {"calm": 0.01, "wild": 0.2, "unknown": None, "fair": 0.05}.items()
    }
    groups = groups_of(bare_run(tmp_path, METRICS, videos=videos, inputs={"wild": {"frames": 12}}))
    assert worst(groups[0].first, 10) == ["wild", "fair", "calm", "unknown"]
    (block,) = worst_table(groups, 2).blocks
    assert [line.title for line in block.lines] == ["wild", "fair"]
    assert [cell.text for cell in block.lines[0].cells[:4]] == ["12", "50.000", "20.000", "-"]


def test_only_keys_that_differ_are_listed(tmp_path):
    one = {"name": "a", "net": {"encoder": "vgg", "depth": 4}, "w": 0.5, "list": [1, 2]}
    two = {"name": "b", "net": {"encoder": "resnet", "depth": 4}, "w": 0.5, "list": [1, 3], "extra": True}
    folders = [bare_run(tmp_path / name, config=config) for name, config in (("a", one), ("b", two))]
    table = config_diff(read_runs(folders).runs)
    assert [head.text for head in table.columns] == ["a", "b"]
    assert {line.title: [cell.text for cell in line.cells] for line in table.blocks[0].lines} == {
        "net.encoder": ["vgg", "resnet"],
        "list": ["[1, 2]", "[1, 3]"],
        "extra": ["-", "true"],
    }


def test_provenance_tells_what_runs_share_from_what_they_do_not(tmp_path):
    overrides = [["w=0.5", "note=two words"], ["w=2"]]
    folders = [
        bare_run(tmp_path / name, overrides=typed, flow="dis", training={"loss": {"end": 0.25}})
        for name, typed in zip("ab", overrides, strict=True)
    ]
    runs = read_runs(folders).runs
    shared = dict(shared_provenance(runs))
    assert (shared["flow"], shared["training loss.end"]) == ("dis", "0.25")
    assert "torch" in shared["versions"]
    table = provenance(runs)
    commands = [
        line.cells[[head.text for head in table.columns].index("command")].text for line in table.blocks[0].lines
    ]
    assert commands == ["python -m facestab.run w=0.5 'note=two words'", "python -m facestab.run w=2"]


def test_every_column_is_defined():
    assert {*HEADLINE, *PER_CLASS} <= set(DEFINITIONS)
    assert len(definitions()) == len(DEFINITIONS)


def verdict(decision, text="flicker -10%", why=""):
    return {"decision": decision, "text": f"{text}: {decision}{f' ({why})' if why else ''}"}


def test_a_verdict_is_shown_with_its_reasons(tmp_path):
    verdicts = {
        "ema_0.5": verdict("worse", why="less accurate"),
        "stabilized": verdict("stable at no cost in accuracy"),
    }
    groups = groups_of(bare_run(tmp_path, METRICS, verdicts=verdicts))
    (card,) = cards(groups)
    assert (card.decision, card.mark) == ("stable at no cost in accuracy", "good")
    assert (card.subject, card.texts) == ("facestab against image model", ("flicker -10%",))
    (line,) = other_verdicts(groups).blocks[0].lines
    assert [cell.text for cell in line.cells] == ["worse", "flicker -10%: worse (less accurate)"]


def test_seeds_that_disagree_are_counted_and_marked_by_the_worst(tmp_path):
    decisions = ["not shown", "stable at no cost in accuracy", "not shown"]
    folders = [
        bare_run(tmp_path / str(seed), METRICS, ["w=1"], seed=seed, verdicts={"stabilized": verdict(decision)})
        for seed, decision in enumerate(decisions)
    ]
    (card,) = cards(groups_of(*folders))
    assert card.decision == "not shown in 2 of 3 seeds; stable at no cost in accuracy in 1 of 3 seeds"
    assert card.mark == "open"
    assert card.texts[1] == "seed 1: flicker -10%"


def test_a_run_without_verdict_has_no_card(tmp_path):
    assert cards(groups_of(bare_run(tmp_path, METRICS))) == []
