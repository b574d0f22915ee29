import math

import pytest
import torch

from facestab.functional.segmentation import (
    as_bytes,
    class_areas,
    confusion_matrix,
    f1_per_class,
    iou_per_class,
    mean_f1,
    mean_iou,
    open_confusion_matrix,
)
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


def test_an_open_prediction_has_a_column_of_its_own():
    target = torch.tensor([[0, 0, 1], [1, 2, 255]])
    pred = torch.tensor([[0, 255, 255], [1, 0, 2]])
    got = open_confusion_matrix(pred, target, num_classes=3)
    assert got.tolist() == [[1, 0, 0, 1], [0, 1, 0, 1], [1, 0, 0, 0]]
    assert confusion_matrix(pred, target, num_classes=3).tolist() == [row[:3] for row in got.tolist()]


def test_an_open_prediction_counts_as_a_miss_in_every_score():
    target, pred = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 255, 1, 0])
    matrix = open_confusion_matrix(pred, target, num_classes=2)
    assert iou_per_class(matrix).tolist() == pytest.approx([1 / 3, 1 / 2])
    assert f1_per_class(matrix).tolist() == pytest.approx([2 / 4, 2 / 3])
    assert mean_iou(matrix).item() == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert mean_f1(matrix).item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_another_id_may_mean_ignore(dtype):
    pred, target = torch.tensor([0, 1, 9]).to(dtype), torch.tensor([0, 9, 1]).to(dtype)
    assert open_confusion_matrix(pred, target, num_classes=2, ignore=9).tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("num_classes", [254, 255])
def test_as_many_classes_as_a_byte_can_hold_are_told_apart(num_classes):
    last = torch.tensor([num_classes - 1, 255], dtype=torch.uint8)
    assert confusion_matrix(last, last, num_classes)[-1, -1] == 1
    assert open_confusion_matrix(last.flip(0), last, num_classes)[-1, -1] == 1


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_areas_are_pixels_by_frame_and_class(dtype):
    labels_THW = noise(3, num_classes=4, seed=1)
    expected = [[int((labels_HW == k).sum()) for k in range(5)] for labels_HW in labels_THW]
    got = class_areas(labels_THW.to(dtype), num_classes=5)
    assert got.tolist() == expected
    assert got.dtype == torch.int64
    assert class_areas(labels_THW[:0], num_classes=5).shape == (0, 5)


@pytest.mark.parametrize("wrong", [3, -1, 254, 256, 1000])
def test_areas_and_bytes_refuse_an_id_without_a_class(wrong):
    labels_THW = torch.tensor([[[0, 255]], [[1, wrong]]])
    for function in (lambda: class_areas(labels_THW, 3, "truth"), lambda: as_bytes("truth", labels_THW, 3)):
        with pytest.raises(ValueError, match=rf"truth: ids go from 0 to 2, got .*{wrong}"):
            function()


@pytest.mark.parametrize("wrong", [3, -1, 254, 256, 1000])
@pytest.mark.parametrize("side", ["pred", "target"])
def test_an_id_without_a_class_is_refused(side, wrong):
    sides = {"pred": torch.tensor([0, 1]), "target": torch.tensor([0, 1])}
    sides[side] = torch.tensor([0, wrong])
    with pytest.raises(ValueError, match=rf"{side}: ids go from 0 to 2, got .*{wrong}"):
        confusion_matrix(**sides, num_classes=3)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"pred: .*\(2, 3\).*\(3,\)"):
        confusion_matrix(torch.zeros(3).long(), torch.zeros(2, 3).long(), num_classes=3)
