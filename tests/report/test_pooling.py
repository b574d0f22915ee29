import pytest

from facestab.functional.bootstrap import paired_interval
from facestab.report.pooling import Pooled, flatten, pool
from facestab.report.runs import read_runs
from tests.report.bare import bare_run


def pooled(tmp_path, *runs):
    """Groups of runs given as (name, settings of `bare_run`)."""
    return pool(read_runs([bare_run(tmp_path / name, **settings) for name, settings in runs]).runs)


def seeded(seed, miou, **settings):
    return {
        "metrics": {"image": {}, "stabilized": {"val/miou": miou, "flicker/aba": 0.01}},
        "overrides": ["stage=temporal", "w=0.5", f"seed={seed}", f"name=run{seed}"],
        "seed": seed,
        **settings,
    }


def test_runs_that_differ_in_seed_and_name_are_one_group_with_mean_and_deviation(tmp_path):
    (group,) = pooled(tmp_path, ("a", seeded(0, 0.6)), ("b", seeded(1, 0.7)), ("c", seeded(2, 0.8)))
    value = group.value("stabilized", "val/miou")
    assert value.mean == pytest.approx(0.7)
    assert value.spread == pytest.approx(0.1)
    assert value.show("val/miou") == "70.0 \u00b1 10.0"
    assert group.value("stabilized", "flicker/aba").show("flicker/aba") == "1.000"
    assert group.value("stabilized", "tc/masked") is None
    assert group.title.endswith(", 3 seeds")


def test_a_default_seed_belongs_to_the_seeds_that_were_typed(tmp_path):
    default = seeded(0, 0.6) | {"overrides": ["stage=temporal", "w=0.5"]}
    assert len(pooled(tmp_path, ("a", default), ("b", seeded(1, 0.7)))) == 1


def test_repetitions_of_one_seed_are_not_pooled(tmp_path):
    groups = pooled(tmp_path, ("a", seeded(0, 0.6)), ("b", seeded(0, 0.6)))
    assert [group.title for group in groups] == ["a", "b"]


@pytest.mark.parametrize("change", [{"overrides": ["stage=temporal", "w=2"]}, {"w": 2.0}, {"size": 48}])
def test_runs_of_other_settings_stay_apart(tmp_path, change):
    assert len(pooled(tmp_path, ("a", seeded(0, 0.6)), ("b", seeded(1, 0.7) | change))) == 2


def test_without_overrides_the_configuration_says_what_belongs_together(tmp_path):
    def run(seed, rate):
        return {"overrides": None, "seed": seed, "config": {"seed": seed, "name": str(seed), "net": {"rate": rate}}}

    groups = pooled(tmp_path, ("a", run(0, 1)), ("b", run(1, 1)), ("c", run(2, 5)))
    assert [len(group.runs) for group in groups] == [2, 1]


def test_runs_that_tell_nothing_stay_apart(tmp_path):
    assert len(pooled(tmp_path, ("a", {"seed": 0}), ("b", {"seed": 1}))) == 2


def test_groups_of_a_sweep_are_named_by_what_they_do_not_share(tmp_path):
    for job, (w, seed) in enumerate([(0.1, 0), (0.1, 1), (2, 0), (2, 1)]):
        overrides = ["stage=temporal", "net=tiny", f"w={w}", f"seed={seed}"]
        bare_run(tmp_path / "grid" / str(job), overrides=overrides, w=w, seed=seed)
    groups = pool(read_runs([tmp_path / "grid"]).runs)
    assert [group.title for group in groups] == ["w=0.1, 2 seeds", "w=2, 2 seeds"]


def test_one_seed_has_no_spread():
    assert Pooled((0.5,)).spread is None
    assert Pooled((0.5,)).show("val/miou") == "50.0"


def videos(*flicker):
    return {
        f"v{i}": {"stabilized": {"flicker/aba": a}, "image": {"flicker/aba": b}} for i, (a, b) in enumerate(flicker)
    }


def test_intervals_of_one_run_are_the_records_and_those_of_several_draw_seeds_and_videos(tmp_path):
    first, second = [(0.01, 0.03), (0.02, 0.05), (0.01, 0.02)], [(0.02, 0.03), (0.02, 0.04), (0.01, 0.05)]
    record = {"intervals": {"stabilized - image": {"flicker/aba": [-0.5, -0.25]}}}
    one = seeded(0, 0.6, videos=videos(*first), **record)
    two = seeded(1, 0.7, videos=videos(*second), **record)
    (group,) = pooled(tmp_path / "one", ("a", one))
    assert group.intervals == {"image": {"flicker/aba": [-0.5, -0.25]}}
    (group,) = pooled(tmp_path / "two", ("a", one), ("b", two))
    expected = paired_interval(*([[pair[i] for pair in run] for run in (first, second)] for i in (0, 1)))
    assert group.intervals["image"]["flicker/aba"] == pytest.approx(expected)


def test_flat_keys_are_dotted_and_lists_are_values():
    assert flatten({"a": {"b": 1, "c": {"d": [1, 2]}}, "e": {}}) == {"a.b": 1, "a.c.d": [1, 2], "e": {}}
