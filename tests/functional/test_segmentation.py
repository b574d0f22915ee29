import math

import pytest
import torch

from facestab.functional.segmentation import confusion_matrix, f1_per_class, iou_per_class, mean_f1, mean_iou
from tests.functional import references
from tests.functional.toys import noise


def test_confusion_matrix_has_targets_in_rows_and_predictions_in_columns():
    target = torch.tensor([[0, 0, 1], [1, 2, 255]])
    pred = torch.tensor([[0, 1, 1], [1, 0, 2]])
    got = confusion_matrix(pred, target, num_classes=3)
    assert got.dtype == torch.int64
    assert got.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_confusion_and_scores_equal_loops_over_pixels(dtype):
    # 20 classes: their products do not fit into uint8
    pred, target = noise(3, num_classes=20, seed=1).to(dtype), noise(3, num_classes=20, seed=2).to(dtype)
    pred[0] = target[0]
    matrix = confusion_matrix(pred, target, num_classes=20)
    assert matrix.tolist() == references.confusion(pred, target, 20)
    iou = [references.iou(pred, target, k) for k in range(20)]
    f1 = [references.f1(pred, target, k) for k in range(20)]
    assert iou_per_class(matrix).tolist() == pytest.approx(iou, rel=1e-6)
    assert f1_per_class(matrix).tolist() == pytest.approx(f1, rel=1e-6)
    assert mean_iou(matrix).item() == pytest.approx(sum(iou) / 20, rel=1e-6)
    assert mean_f1(matrix).item() == pytest.approx(sum(f1[1:]) / 19, rel=1e-6)


def test_an_absent_class_is_nan_and_leaves_the_means_alone():
    pred, target = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1])
    matrix = confusion_matrix(pred, target, num_classes=4)
    assert iou_per_class(matrix).tolist() == pytest.approx([1 / 2, 2 / 3, math.nan, math.nan], nan_ok=True)
    assert f1_per_class(matrix).tolist() == pytest.approx([2 / 3, 4 / 5, math.nan, math.nan], nan_ok=True)
    assert mean_iou(matrix).item() == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert mean_f1(matrix).item() == pytest.approx(4 / 5)


def test_a_class_that_only_the_prediction_holds_scores_zero_and_counts():
    matrix = confusion_matrix(torch.tensor([0, 2]), torch.tensor([0, 0]), num_classes=3)
    assert iou_per_class(matrix).tolist() == pytest.approx([0.5, math.nan, 0.0], nan_ok=True)
    assert mean_iou(matrix).item() == 0.25


def test_a_constant_output_has_a_low_mean_iou():
    target = torch.arange(5).repeat(20)
    assert mean_iou(confusion_matrix(torch.zeros_like(target), target, 5)).item() == pytest.approx(0.2 / 5)


def test_without_pixels_all_scores_are_nan():
    matrix = confusion_matrix(torch.full((2, 2), 255), torch.zeros(2, 2).long(), num_classes=3)
    assert matrix.tolist() == [[0] * 3] * 3
    assert mean_iou(matrix).isnan()
    assert mean_f1(matrix).isnan()


@pytest.mark.parametrize("wrong", [3, -1, 254])
@pytest.mark.parametrize("side", ["pred", "target"])
def test_an_id_without_a_class_is_refused(side, wrong):
    sides = {"pred": torch.tensor([0, 1]), "target": torch.tensor([0, 1])}
    sides[side] = torch.tensor([0, wrong])
    with pytest.raises(ValueError, match=rf"{side}: ids go from 0 to 2, got .*{wrong}"):
        confusion_matrix(**sides, num_classes=3)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"pred: .*\(2, 3\).*\(3,\)"):
        confusion_matrix(torch.zeros(3).long(), torch.zeros(2, 3).long(), num_classes=3)
