import math

import pytest
import torch

from facestab.keys import is_video_key
from facestab.metrics.scores import SegmentationScores
from tests.functional import references
from tests.functional.toys import noise

NAMES = ["background", "skin", "hair", "nose"]


def result(names, *pairs):
    metric = SegmentationScores(names)
    for pred, target in pairs:
        metric.update(pred, target)
    return {name: value.item() for name, value in metric.compute().items()}


def test_scores_equal_loops_over_the_pixels_of_all_batches():
    pairs = [(noise(2, seed=s), noise(2, seed=s + 10)) for s in range(3)]
    pred, target = (torch.cat(side) for side in zip(*pairs, strict=True))
    # a pixel that only the prediction ignores is one of a fifth class, which the target never holds
    pred = pred.masked_fill(pred == 255, 4)
    iou = [references.iou(pred, target, k) for k in range(4)]
    f1 = [references.f1(pred, target, k) for k in range(4)]
    expected = {"val/miou": sum(iou) / 4, "val/f1": sum(f1[1:]) / 3}
    expected |= {f"val/iou/{name}": value for name, value in zip(NAMES, iou, strict=True)}
    expected |= {f"val/f1/{name}": value for name, value in zip(NAMES, f1, strict=True)}
    assert result(NAMES, *pairs) == pytest.approx(expected)


def test_absent_classes_are_nan_and_do_not_lower_the_means():
    got = result(NAMES, (torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 255])))
    present = {"val/miou": 1 / 2, "val/iou/background": 1 / 2, "val/iou/skin": 1 / 2}
    present |= {"val/f1": 2 / 3, "val/f1/background": 2 / 3, "val/f1/skin": 2 / 3}
    absent = {f"val/{score}/{name}": math.nan for score in ("iou", "f1") for name in ("hair", "nose")}
    assert got == pytest.approx({**present, **absent}, nan_ok=True)


def test_every_value_stands_under_a_known_key():
    got = result(NAMES, (noise(1), noise(1)))
    assert len(got) == 2 + 2 * len(NAMES)
    assert all(is_video_key(key) for key in got)


def test_hard_pixels_cannot_be_dodged():
    target = torch.arange(4).repeat(25)
    wrong = target.clone()
    wrong[:40] = (wrong[:40] + 1) % 4
    dodged = torch.where(wrong == target, target, 255)
    honest, dodging = result(NAMES, (wrong, target)), result(NAMES, (dodged, target))
    assert honest["val/miou"] == pytest.approx(60 / 140)
    assert dodging["val/miou"] == pytest.approx(60 / 100)
    assert result(NAMES, (torch.full_like(target, 255), target))["val/miou"] == 0


def test_a_perfect_output_scores_one():
    target = noise(3)
    pred = target.masked_fill(target == 255, 2)
    assert set(result(NAMES, (pred, target)).values()) == {1.0}


def test_a_constant_output_scores_low():
    target = torch.arange(4).repeat(25)
    got = result(NAMES, (torch.zeros_like(target), target))
    assert got["val/miou"] == pytest.approx(0.25 / 4)
    assert got["val/f1"] == 0


def test_renaming_the_classes_renames_their_scores():
    pred, target = noise(3, seed=1), noise(3, seed=2)
    order = torch.arange(256)
    order[:4] = torch.tensor([0, 3, 1, 2])
    got, plain = result(NAMES, (order[pred], order[target])), result(NAMES, (pred, target))
    assert got["val/miou"] == pytest.approx(plain["val/miou"])
    assert got["val/f1"] == pytest.approx(plain["val/f1"])
    assert got["val/iou/nose"] == plain["val/iou/skin"]


@pytest.mark.parametrize("names", [["a"], [], ["a", "b", "a"]])
def test_missing_or_repeated_names_are_refused(names):
    with pytest.raises(ValueError, match="class_names"):
        SegmentationScores(names)
