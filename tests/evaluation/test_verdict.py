import numpy as np
import pytest

from facestab.evaluation.verdict import NOT_SHOWN, STABLE, WORSE, judge

RNG = np.random.default_rng(0)


def videos(number=12, **changes):
    """A baseline row, and a row that differs from it by the changes, with a little noise in every video."""
    found = {}
    for i in range(number):
        level = float(RNG.uniform(0.8, 1.2))
        baseline = {
            "flicker/aba": 0.011 * level,
            "flicker/aba_excess": 0.010 * level,
            "val/miou": 0.7 * level / 2 + 0.3,
            "dynamics/amplitude": 0.95,
            "dynamics/lag": 0.0,
        }
        noise = {key: float(RNG.normal(0, 0.01)) for key in baseline}
        row = {key: value * changes.get(key, 1.0) for key, value in baseline.items()}
        row["val/miou"] = baseline["val/miou"] + changes.get("miou", 0.0) + 0.1 * noise["val/miou"]
        row["dynamics/lag"] = changes.get("lag", 0.0)
        found[f"v{i}"] = {"image": baseline, "row": row}
    return found


def without(found, *keys):
    return {
        i: {r: {k: v for k, v in values.items() if k not in keys} for r, values in rows.items()}
        for i, rows in found.items()
    }


LESS = {"flicker/aba": 0.4, "flicker/aba_excess": 0.35}


def decision(found):
    return judge(found, "row", "image").decision


def test_less_flicker_at_equal_accuracy_and_dynamics_is_stable_at_no_cost():
    verdict = judge(videos(**LESS), "row", "image")
    assert verdict.decision == STABLE
    assert verdict.flicker == pytest.approx((-0.65, -0.65, -0.65), abs=1e-6)
    assert verdict.dynamics == pytest.approx((1, 1, 1))
    assert verdict.videos == verdict.videos_better == 12
    assert verdict.sign_test == pytest.approx(2 / 2**12)
    assert verdict.text.startswith("flicker -65.0% [-65.0, -65.0], mIoU")
    assert verdict.text.endswith("12 of 12 videos better: stable at no cost in accuracy")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({**LESS, "miou": -0.02}, WORSE),
        ({**LESS, "dynamics/amplitude": 0.5}, WORSE),
        ({**LESS, "dynamics/amplitude": 0.0}, WORSE),
        ({**LESS, "lag": 2.0}, NOT_SHOWN),
        ({"flicker/aba_excess": 1.5}, WORSE),
        ({}, NOT_SHOWN),
    ],
)
def test_what_costs_accuracy_dynamics_or_time_is_not_called_stable(changes, expected):
    assert decision(videos(**changes)) == expected


def test_without_true_labels_no_cost_is_never_claimed():
    found = without(videos(**LESS), "val/miou", "flicker/aba_excess")
    verdict = judge(found, "row", "image")
    assert verdict.decision == NOT_SHOWN
    assert verdict.miou is None
    assert "no true labels" in verdict.text


def test_where_nothing_moves_no_cost_is_not_claimed():
    assert decision(without(videos(**LESS), "dynamics/amplitude", "dynamics/lag")) == NOT_SHOWN


def test_one_video_shows_nothing():
    verdict = judge(videos(1, **LESS), "row", "image")
    assert verdict.decision == NOT_SHOWN
    assert "two videos" in verdict.text


def test_a_row_that_flickers_less_than_the_truth_has_a_change_beyond_100_percent():
    # the excess of a frozen output is below zero
    verdict = judge(videos(**{"flicker/aba_excess": -0.1, "dynamics/amplitude": 0.0}), "row", "image")
    assert verdict.flicker[0] == pytest.approx(-1.1)
    assert verdict.decision == WORSE


def test_what_was_not_measured_is_left_out_of_the_record():
    stored = judge(without(videos(), "val/miou", "dynamics/lag"), "row", "image").to_dict()
    assert "miou" not in stored
    assert "lag" not in stored
    assert stored["decision"] == NOT_SHOWN
