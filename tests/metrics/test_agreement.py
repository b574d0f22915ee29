import math

import pytest
import torch

from facestab.metrics.agreement import DtSsd, IntervalConsistency, VideoConsistency
from facestab.metrics.published import VcVspw
from tests.functional import references
from tests.functional.toys import disc, noise
from tests.metrics.cases import NAMES, probabilities_and_truth, right_for_long

FACE = ("background", "face")


def result(metric, *videos):
    for video in videos:
        metric.update(*video)
    return {name: v.item() for name, v in metric.compute().items()}


def one_hot(labels_THW, num_classes):
    return torch.stack([(labels_THW == k).float() for k in range(num_classes)], dim=1)


def test_video_consistency_equals_loops_over_windows_of_all_videos():
    videos = [right_for_long(6, 1), right_for_long(9, 2)]
    counts = [references.correct_windows(*video, 3) for video in videos]
    right, total = (sum(video[i] for video in counts) for i in (0, 1))
    assert 0 < right < total
    assert result(VideoConsistency(3), *videos) == {"vc/correct3": pytest.approx(right / total)}


def test_a_frozen_output_is_consistent_as_published_and_not_where_it_must_be_right():
    truth_THW = torch.stack([disc(20 + (t > 8) * 6, 24) for t in range(20)]).long()
    frozen = truth_THW[:1].expand(20, -1, -1), truth_THW
    assert result(VcVspw(8), frozen) == {"vc/vspw8": 1}
    assert result(VideoConsistency(8), frozen)["vc/correct8"] < 0.98
    assert result(VideoConsistency(8), (truth_THW, truth_THW)) == {"vc/correct8": 1}


def test_ignored_truth_is_left_out_and_an_open_prediction_is_wrong():
    truth_THW = torch.tensor([[[1, 255, 1]], [[1, 1, 1]]])
    pred_THW = torch.tensor([[[1, 1, 255]], [[1, 1, 255]]])
    assert result(VideoConsistency(2), (pred_THW, truth_THW)) == {"vc/correct2": 1 / 2}
    # it stays open, and so it does not change
    assert result(IntervalConsistency(), (pred_THW, truth_THW)) == {"vc/interval": 1}


def test_interval_consistency_charges_changes_that_the_truth_does_not_make():
    truth_THW = torch.tensor([[[0, 0, 1, 1]], [[0, 1, 1, 1]]])
    pred_THW = torch.tensor([[[2, 2, 1, 1]], [[2, 1, 1, 0]]])
    # 3 pixels of the truth stand still, in one of them the prediction moves
    assert result(IntervalConsistency(), (pred_THW, truth_THW)) == {"vc/interval": pytest.approx(2 / 3)}


def test_a_prediction_need_not_be_right_for_interval_consistency():
    _, truth_THW = right_for_long(7, 1)
    # a prediction that renames the truth is never right, and changes when it does
    renamed = torch.arange(256).roll(1)
    assert result(IntervalConsistency(), (renamed[truth_THW], truth_THW)) == {"vc/interval": 1}
    assert result(VideoConsistency(2), (renamed[truth_THW], truth_THW)) == {"vc/correct2": 0}


@pytest.mark.parametrize("num_frames", [1, 0])
def test_windows_of_fewer_than_two_frames_are_refused(num_frames):
    with pytest.raises(ValueError, match=f"num_frames: .* got {num_frames}"):
        VideoConsistency(num_frames)


def test_dtssd_equals_loops_over_the_pixels_of_each_video():
    videos = [probabilities_and_truth(3, 1), probabilities_and_truth(6, 2)]
    got = result(DtSsd(NAMES), *videos)
    by_class = [sum(references.dtssd(*video, k) for video in videos) / 2 for k in range(4)]
    assert got.pop("flicker/dtssd") == pytest.approx(sum(by_class) / 4, rel=1e-4)
    assert list(got.values()) == pytest.approx(by_class, rel=1e-4)


def test_dtssd_of_the_truth_is_zero_and_a_frozen_output_pays_for_every_motion():
    truth_THW = torch.stack([disc(20 + 2 * t, 24) for t in range(5)]).long()
    assert set(result(DtSsd(FACE), (one_hot(truth_THW, 2), truth_THW)).values()) == {0}
    frozen = one_hot(truth_THW[:1].expand(5, -1, -1), 2), truth_THW
    shares = (truth_THW[1:] != truth_THW[:-1]).float().mean((1, 2))
    # the first frame counts as 0
    expected = 100 * shares.sqrt().sum().item() / 5
    assert list(result(DtSsd(FACE), frozen).values()) == pytest.approx([expected] * 3, rel=1e-5)


def test_dtssd_sees_flicker_that_no_label_shows():
    probs_TKHW = torch.full((4, 2, 3, 3), 0.5)
    probs_TKHW[:, 1] += torch.tensor([0.1, 0.3, 0.1, 0.3]).view(4, 1, 1)
    probs_TKHW[:, 0] = 1 - probs_TKHW[:, 1]
    got = result(DtSsd(FACE), (probs_TKHW, torch.ones(4, 3, 3).long()))
    assert got["flicker/dtssd"] == pytest.approx(100 * 0.2 * 3 / 4, rel=1e-4)
    assert got["flicker/dtssd/face"] == pytest.approx(got["flicker/dtssd"])
    assert math.isnan(got["flicker/dtssd/background"])


def test_pixels_ignored_in_either_frame_are_left_out_of_dtssd():
    probs_TKHW, target_THW = probabilities_and_truth(4, 3)
    probs_TKHW[1, :, :, 2] = 0
    target_THW[1, :, 2] = 255
    columns = [0, 1, 3, 4, 5, 6]
    expected = result(DtSsd(NAMES), (probs_TKHW[..., columns][:3], target_THW[..., columns][:3]))
    assert result(DtSsd(NAMES), (probs_TKHW[:3], target_THW[:3])) == pytest.approx(expected)


@pytest.mark.parametrize("num_frames", [0, 1])
def test_dtssd_needs_two_frames(num_frames):
    got = result(DtSsd(NAMES), probabilities_and_truth(num_frames, 1))
    assert all(math.isnan(value) for value in got.values())


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="probs"):
        DtSsd(NAMES).update(torch.zeros(3, 4, 6, 7), noise(2))
    with pytest.raises(ValueError, match="probs: 4 classes are needed, got 3"):
        DtSsd(NAMES).update(torch.zeros(3, 3, 6, 7), noise(3, num_classes=3))
