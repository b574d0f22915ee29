from itertools import pairwise

import pytest
import torch

from facestab.functional.consistency import (
    FIXED_ONE,
    correct_counts,
    derivative_errors,
    held,
    interval_counts,
    motion_counts,
    probability_counts,
    static_counts,
)
from tests.functional import references
from tests.functional.toys import moving_disc, noise
from tests.metrics.cases import labels_and_motion, labels_and_rest, probabilities_and_motion, right_for_long


@pytest.mark.parametrize("gap", [1, 2, 4])
def test_motion_counts_equal_loops_over_pixels(gap):
    labels_THW, flow, visible = labels_and_motion(6, seed=0, gap=gap)
    table, seen_K2, num_seen = torch.zeros(4, 4, dtype=torch.long), torch.zeros(4, 2, dtype=torch.long), 0
    for t in range(6 - gap):
        warped, inside = (torch.tensor(part) for part in references.warp_nearest(labels_THW[t + gap], flow[t]))
        seen = inside & visible[t]
        num_seen += int(seen.sum())
        table += torch.tensor(references.confusion(warped[seen], labels_THW[t][seen], 4))
        for k in range(4):
            own = labels_THW[t] == k
            seen_K2[k] += torch.stack([(own & seen).sum(), own.sum()])
    counts = motion_counts(labels_THW, flow, visible, 4, gap)
    assert counts.confusion_KK.tolist() == table.tolist()
    assert counts.seen_K2.tolist() == seen_K2.tolist()
    assert counts.area_2.tolist() == [num_seen, visible.numel()]


def test_the_mask_of_the_moving_disc_takes_from_the_background_alone():
    labels_THW, forward, _, covered = moving_disc()
    counts = motion_counts(labels_THW, forward, ~covered[None], 2)
    assert counts.seen_K2.tolist() == [[48 * 80 - 437 - 138, 48 * 80 - 437], [437, 437]]
    assert counts.confusion_KK.tolist() == [[48 * 80 - 437 - 138, 0], [0, 437]]


@pytest.mark.parametrize("num_frames", [2, 3, 4, 7, 8, 9, 16])
def test_held_equals_all_pairs_of_each_window(num_frames):
    pairs_THW = torch.rand(12, 5, 6, generator=torch.Generator().manual_seed(0)) < 0.9
    windows = [pairs_THW[start : start + num_frames - 1].all(0) for start in range(13 - num_frames + 1)]
    got = held(pairs_THW, num_frames)
    assert got.shape == (max(13 - num_frames + 1, 0), 5, 6)
    assert torch.equal(got, torch.stack(windows) if windows else got)


@pytest.mark.parametrize("num_frames", [2, 3, 6])
@pytest.mark.parametrize("length", [0, 1, 4, 9])
def test_windows_equal_loops_over_pixels_for_any_length(length, num_frames):
    labels_THW, static_THW = labels_and_rest(length, seed=length)
    assert static_counts(labels_THW, static_THW, num_frames).tolist() == references.static_windows(
        labels_THW, static_THW, num_frames
    )
    pred_THW, truth_THW = right_for_long(length, seed=length)
    expected = references.correct_windows(pred_THW, truth_THW, num_frames)
    assert correct_counts(pred_THW, truth_THW, num_frames).tolist() == expected
    assert (length < num_frames) == (expected == [0, 0])


def test_interval_counts_equal_a_loop_over_pixels():
    pred_THW, truth_THW = right_for_long(7, seed=1)
    kept = total = 0
    for course in references.pixels(pred_THW, truth_THW):
        for (p, a), (q, b) in pairwise(course):
            if a == b != 255:
                kept, total = kept + (p == q), total + 1
    assert interval_counts(pred_THW, truth_THW).tolist() == [kept, total]


def test_an_open_prediction_is_wrong_and_to_open_is_a_change():
    truth_THW = torch.ones(3, 1, 2, dtype=torch.long)
    pred_THW = torch.tensor([[[1, 255]], [[1, 255]], [[255, 255]]])
    assert correct_counts(pred_THW, truth_THW, 2).tolist() == [1, 4]
    assert interval_counts(pred_THW, truth_THW).tolist() == [3, 4]


def test_derivative_errors_equal_a_loop_over_pixels():
    generator = torch.Generator().manual_seed(0)
    probs_TKHW, target_THW = torch.rand(4, 3, 6, 7, generator=generator), noise(4, num_classes=3)
    squares_TK, areas_TK, pixels_T = derivative_errors(probs_TKHW, target_THW)
    for t in range(3):
        valid = (target_THW[t] != 255) & (target_THW[t + 1] != 255)
        assert int(pixels_T[t]) == int(valid.sum())
        for k in range(3):
            change = probs_TKHW[t + 1, k] - probs_TKHW[t, k]
            truth = (target_THW[t + 1] == k).float() - (target_THW[t] == k).float()
            squares = (change - truth)[valid].square().sum().item()
            assert squares_TK[t, k].item() / FIXED_ONE == pytest.approx(squares, rel=1e-5)
            assert areas_TK[t, k] == ((target_THW[t + 1] == k) & valid).sum()


def test_probability_counts_equal_loops_over_pixels():
    probs_TKHW, flow, visible = probabilities_and_motion(4, seed=0)
    total_2, by_class_K2 = probability_counts(probs_TKHW, flow, visible)
    mean, by_class = references.probability_variation(probs_TKHW, flow, visible)
    assert (total_2[0] / total_2[1] / FIXED_ONE).item() == pytest.approx(mean, abs=1e-6)
    assert (by_class_K2[:, 0] / by_class_K2[:, 1] / FIXED_ONE).tolist() == pytest.approx(by_class, abs=1e-6)
    assert by_class_K2[:, 1].sum() == total_2[1]


def test_shapes_that_do_not_fit_are_refused():
    labels_THW, flow, visible = labels_and_motion(4, seed=0)
    probs_TKHW = torch.zeros(4, 4, 6, 7)
    with pytest.raises(ValueError, match=r"flow: .*\(2, 6, 7\).*\(3, 6, 7, 2\)"):
        motion_counts(labels_THW, flow, visible, 4, gap=2)
    with pytest.raises(ValueError, match=r"visible: .*\(3, 6, 7\).*\(2, 6, 7\)"):
        motion_counts(labels_THW, flow, visible[1:], 4)
    with pytest.raises(ValueError, match="flow"):
        probability_counts(probs_TKHW, flow[1:], visible)
    with pytest.raises(ValueError, match="static"):
        static_counts(labels_THW, visible[1:], 2)
    with pytest.raises(ValueError, match=r"probs: .*\(3, 6, 7\).*\(4, 4, 6, 7\)"):
        derivative_errors(probs_TKHW, labels_THW[1:])
    for counts in (interval_counts, lambda *args: correct_counts(*args, 2)):
        with pytest.raises(ValueError, match=r"pred: .*\(3, 6, 7\).*\(4, 6, 7\)"):
            counts(labels_THW, labels_THW[1:])
