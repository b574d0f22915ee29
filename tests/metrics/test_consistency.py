import math

import pytest
import torch

from facestab.functional.consistency import motion_counts
from facestab.functional.segmentation import confusion_matrix, iou_per_class, mean_iou
from facestab.functional.warping import visible_mask
from facestab.metrics.consistency import TemporalConsistency
from tests.functional.toys import moving_disc, noise, panorama
from tests.metrics.cases import NAMES, labels_and_motion

FACE = ("background", "face")


def result(names, labels_THW, flow, visible=None, gap=1):
    metric = TemporalConsistency(names, gap)
    metric.update(labels_THW, flow, torch.ones(flow.shape[:-1], dtype=torch.bool) if visible is None else visible)
    return {name: value.item() for name, value in metric.compute().items()}


@pytest.mark.parametrize("gap", [1, 3])
def test_values_are_the_scores_of_the_counts(gap):
    labels_THW, flow, visible = labels_and_motion(6, seed=0, gap=gap)
    counts = motion_counts(labels_THW, flow, visible, 4, gap)
    got = result(NAMES, labels_THW, flow, visible, gap)
    suffix = "" if gap == 1 else "_gap3"
    assert got.pop(f"tc/masked{suffix}") == pytest.approx(mean_iou(counts.confusion_KK).item())
    assert got.pop(f"tc/coverage{suffix}") == pytest.approx((counts.area_2[0] / counts.area_2[1]).item())
    for k, name in enumerate(NAMES):
        assert got.pop(f"tc/masked{suffix}/{name}") == pytest.approx(iou_per_class(counts.confusion_KK)[k].item())
        if gap == 1:
            seen, pixels = counts.seen_K2[k].tolist()
            assert got.pop(f"tc/coverage/{name}") == pytest.approx(seen / pixels)
    assert not got


def test_a_still_video_is_wholly_consistent():
    still = noise(1, seed=4).expand(5, -1, -1)
    for gap in (1, 2, 4):
        assert set(result(NAMES, still, torch.zeros(5 - gap, 6, 7, 2), gap=gap).values()) == {1}


@pytest.mark.parametrize(("step_x", "step_y"), [(1, 0), (-2, 3)])
def test_an_integer_shift_with_exact_flow_is_wholly_consistent(step_x, step_y):
    labels_THW, flow = panorama(4, step_x, step_y)
    got = result(NAMES, labels_THW, flow)
    assert got["tc/masked"] == 1
    assert got["tc/coverage"] == pytest.approx((20 - abs(step_y)) * (24 - abs(step_x)) / (20 * 24))
    assert result(NAMES, labels_THW, 2 * flow[1:], gap=2)["tc/masked_gap2"] == 1


def test_clamping_at_the_border_would_charge_the_shift():
    labels_THW, _ = panorama(2, step_x=3, step_y=0)
    clamped = labels_THW[1][:, (torch.arange(24) + 3).clamp(max=23)]
    assert mean_iou(confusion_matrix(clamped, labels_THW[0], 4)) < 0.9


def test_a_moving_disc_scores_076_without_the_mask_and_1_with_it():
    labels_THW, forward, backward, _ = moving_disc()
    unmasked = result(FACE, labels_THW, forward)
    masked = result(FACE, labels_THW, forward, visible_mask(forward, backward))
    assert int(labels_THW[0].sum()) == 437
    assert unmasked["tc/masked/face"] == pytest.approx(0.76)
    assert unmasked["tc/masked"] < 1
    assert masked["tc/masked/face"] == masked["tc/masked"] == 1
    assert masked["tc/coverage"] == pytest.approx(1 - 138 / (48 * 80))
    assert masked["tc/coverage/face"] == 1
    assert masked["tc/coverage/background"] == pytest.approx(1 - 138 / (48 * 80 - 437))


def test_a_constant_output_is_wholly_consistent_and_its_accuracy_tells():
    truth, forward, backward, _ = moving_disc()
    constant = torch.zeros_like(truth)
    assert result(FACE, constant, forward, visible_mask(forward, backward))["tc/masked"] == 1
    assert mean_iou(confusion_matrix(constant, truth, 2)) < 0.5


def test_flicker_in_one_frame_lowers_it_by_the_wrong_pixels():
    labels_THW = torch.zeros(3, 4, 5, dtype=torch.long)
    labels_THW[:, 2:] = 1
    labels_THW[1, 2] = 0
    # of 40 pixels 10 change: class 0 agrees on 20 of 30, class 1 on 10 of 20
    assert result(FACE, labels_THW, torch.zeros(2, 4, 5, 2))["tc/masked"] == pytest.approx((20 / 30 + 10 / 20) / 2)
    # what comes back after two frames is not seen over a gap of two
    assert result(FACE, labels_THW, torch.zeros(1, 4, 5, 2), gap=2)["tc/masked_gap2"] == 1


def test_renaming_the_classes_renames_their_values():
    labels_THW, flow, visible = labels_and_motion(5, seed=1)
    order = torch.arange(256)
    order[:4] = torch.tensor([3, 1, 0, 2])
    renamed = [NAMES[order.tolist().index(k)] for k in range(4)]
    expected = pytest.approx(result(NAMES, labels_THW, flow, visible))
    assert result(renamed, order[labels_THW], flow, visible) == expected


def test_ignored_pixels_are_left_out_of_the_iou_but_not_of_the_coverage():
    labels_THW = torch.tensor([[[0, 1, 255, 1]], [[0, 255, 0, 1]]])
    visible = torch.tensor([[[True, True, False, True]]])
    got = result(FACE, labels_THW, torch.zeros(1, 1, 4, 2), visible)
    assert got["tc/masked"] == 1
    assert got["tc/coverage"] == 3 / 4
    assert got["tc/coverage/face"] == 1


def test_classes_without_pixels_have_no_value_and_are_left_out_of_the_mean():
    labels_THW, forward, _, _ = moving_disc()
    got = result([*FACE, "hat"], labels_THW, forward)
    assert math.isnan(got.pop("tc/masked/hat"))
    assert math.isnan(got.pop("tc/coverage/hat"))
    assert got == result(FACE, labels_THW, forward)


@pytest.mark.parametrize("names", [["a"], [], ["a", "a"]])
def test_missing_or_repeated_names_are_refused(names):
    with pytest.raises(ValueError, match="class_names"):
        TemporalConsistency(names)


@pytest.mark.parametrize("gap", [0, -1])
def test_a_gap_below_one_is_refused(gap):
    with pytest.raises(ValueError, match=f"gap: .*got {gap}"):
        TemporalConsistency(FACE, gap)


def test_flow_and_mask_must_have_gap_frames_less_than_the_labels():
    labels_THW = noise(4)
    flow, visible = torch.zeros(2, 6, 7, 2), torch.ones(2, 6, 7, dtype=torch.bool)
    TemporalConsistency(NAMES, gap=2).update(labels_THW, flow, visible)
    with pytest.raises(ValueError, match="flow"):
        TemporalConsistency(NAMES).update(labels_THW, flow, visible)
    with pytest.raises(ValueError, match="visible"):
        TemporalConsistency(NAMES, gap=2).update(labels_THW, flow, visible[:1])
