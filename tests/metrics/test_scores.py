import pytest
import torch

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
    iou = [references.iou(pred, target, k) for k in range(4)]
    f1 = [references.f1(pred, target, k) for k in range(4)]
    expected = {"miou": sum(iou) / 4, "f1": sum(f1[1:]) / 3, **{f"iou/{n}": v for n, v in zip(NAMES, iou, strict=True)}}
    assert result(NAMES, *pairs) == pytest.approx(expected)


def test_absent_classes_have_no_entry_and_do_not_lower_the_means():
    got = result(NAMES, (torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 255])))
    assert got == pytest.approx({"miou": 1 / 2, "f1": 2 / 3, "iou/background": 1 / 2, "iou/skin": 1 / 2})


def test_a_perfect_output_scores_one():
    labels = noise(3)
    assert set(result(NAMES, (labels, labels)).values()) == {1.0}


def test_a_constant_output_scores_low():
    target = torch.arange(4).repeat(25)
    got = result(NAMES, (torch.zeros_like(target), target))
    assert got["miou"] == pytest.approx(0.25 / 4)
    assert got["f1"] == 0


def test_renaming_the_classes_renames_their_scores():
    pred, target = noise(3, seed=1), noise(3, seed=2)
    order = torch.arange(256)
    order[:4] = torch.tensor([0, 3, 1, 2])
    got, plain = result(NAMES, (order[pred], order[target])), result(NAMES, (pred, target))
    assert got["miou"] == pytest.approx(plain["miou"])
    assert got["f1"] == pytest.approx(plain["f1"])
    assert got["iou/nose"] == plain["iou/skin"]


@pytest.mark.parametrize("names", [["a"], [], ["a", "b", "a"]])
def test_missing_or_repeated_names_are_refused(names):
    with pytest.raises(ValueError, match="class_names"):
        SegmentationScores(names)
