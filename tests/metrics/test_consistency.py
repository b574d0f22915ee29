import pytest
import torch

from facestab.functional.segmentation import confusion_matrix, iou_per_class, mean_iou
from facestab.functional.warping import visible_mask
from facestab.metrics.consistency import TemporalConsistency
from tests.functional import references
from tests.functional.toys import moving_disc, noise, panorama
from tests.metrics.cases import labels_and_motion, states


def filled(num_classes, labels_THW, flow, visible=None):
    metric = TemporalConsistency(num_classes)
    metric.update(labels_THW, flow, torch.ones(flow.shape[:-1], dtype=torch.bool) if visible is None else visible)
    return metric


def result(*args):
    return {name: value.item() for name, value in filled(*args).compute().items()}


def test_the_counts_equal_loops_over_pixels():
    labels_THW, flow, visible = labels_and_motion(4, seed=0)
    table, num_visible = torch.zeros(4, 4, dtype=torch.long), 0
    for t in range(3):
        warped, inside = (torch.tensor(part) for part in references.warp_nearest(labels_THW[t + 1], flow[t]))
        seen = inside & visible[t]
        num_visible += int(seen.sum())
        table += torch.tensor(references.confusion(warped[seen], labels_THW[t][seen], 4))
    expected = {"tc_confusion": table.tolist(), "num_visible": num_visible, "num_pixels": visible.numel()}
    assert states(filled(4, labels_THW, flow, visible)) == expected
    assert result(4, labels_THW, flow, visible) == pytest.approx(
        {"masked": mean_iou(table).item(), "coverage": num_visible / visible.numel()}
    )


def test_a_still_video_is_wholly_consistent():
    still = noise(1, seed=4).expand(5, -1, -1)
    assert result(4, still, torch.zeros(4, 6, 7, 2)) == {"masked": 1, "coverage": 1}


@pytest.mark.parametrize(("step_x", "step_y"), [(1, 0), (-2, 3)])
def test_an_integer_shift_with_exact_flow_is_wholly_consistent(step_x, step_y):
    labels_THW, flow = panorama(4, step_x, step_y)
    got = result(4, labels_THW, flow)
    assert got["masked"] == 1
    assert got["coverage"] == pytest.approx((20 - abs(step_y)) * (24 - abs(step_x)) / (20 * 24))


def test_clamping_at_the_border_would_charge_the_shift():
    labels_THW, _ = panorama(2, step_x=3, step_y=0)
    clamped = labels_THW[1][:, (torch.arange(24) + 3).clamp(max=23)]
    assert mean_iou(confusion_matrix(clamped, labels_THW[0], 4)) < 0.9


def test_a_moving_disc_scores_076_without_the_mask_and_1_with_it():
    labels_THW, forward, backward, _ = moving_disc()
    unmasked = filled(2, labels_THW, forward)
    masked = filled(2, labels_THW, forward, visible_mask(forward, backward))
    assert int(labels_THW[0].sum()) == 437
    assert iou_per_class(unmasked.tc_confusion)[1].item() == pytest.approx(0.76)
    assert unmasked.compute()["masked"] < 1
    assert iou_per_class(masked.tc_confusion).tolist() == [1, 1]
    assert masked.compute()["masked"] == 1
    assert masked.compute()["coverage"].item() == pytest.approx(1 - 138 / (48 * 80))


def test_a_constant_output_is_wholly_consistent_and_its_accuracy_tells():
    truth, forward, backward, _ = moving_disc()
    constant = torch.zeros_like(truth)
    assert result(2, constant, forward, visible_mask(forward, backward))["masked"] == 1
    assert mean_iou(confusion_matrix(constant, truth, 2)) < 0.5


def test_flicker_in_one_frame_lowers_it_by_the_wrong_pixels():
    labels_THW = torch.zeros(3, 4, 5, dtype=torch.long)
    labels_THW[:, 2:] = 1
    labels_THW[1, 2] = 0
    # of 40 pixels 10 change: class 0 agrees on 20 of 30, class 1 on 10 of 20
    assert result(2, labels_THW, torch.zeros(2, 4, 5, 2))["masked"] == pytest.approx((20 / 30 + 10 / 20) / 2)


def test_renaming_the_classes_changes_nothing():
    labels_THW, flow, visible = labels_and_motion(5, seed=1)
    renamed = torch.arange(256)
    renamed[:4] = torch.tensor([3, 1, 0, 2])
    assert result(4, renamed[labels_THW], flow, visible) == pytest.approx(result(4, labels_THW, flow, visible))


def test_ignored_pixels_are_left_out_of_the_iou_but_not_of_the_coverage():
    labels_THW = torch.tensor([[[0, 1, 255, 1]], [[0, 255, 0, 1]]])
    assert result(2, labels_THW, torch.zeros(1, 1, 4, 2)) == {"masked": 1, "coverage": 1}


def test_classes_without_pixels_are_left_out_of_the_mean():
    labels_THW, forward, _, _ = moving_disc()
    assert result(11, labels_THW, forward) == result(2, labels_THW, forward)


@pytest.mark.parametrize("num_classes", [1, 0, -1])
def test_fewer_than_two_classes_are_refused(num_classes):
    with pytest.raises(ValueError, match=f"num_classes: .*got {num_classes}"):
        TemporalConsistency(num_classes)


def test_flow_and_mask_must_have_one_frame_less_than_the_labels():
    labels_THW = noise(3)
    flow, visible = torch.zeros(2, 6, 7, 2), torch.ones(2, 6, 7, dtype=torch.bool)
    with pytest.raises(ValueError, match="flow"):
        TemporalConsistency(4).update(labels_THW, torch.zeros(3, 6, 7, 2), visible)
    with pytest.raises(ValueError, match="visible"):
        TemporalConsistency(4).update(labels_THW, flow, visible[:1])
