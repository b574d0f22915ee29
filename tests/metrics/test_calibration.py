import math

import pytest
import torch

from facestab.keys import is_video_key
from facestab.metrics.calibration import Calibration
from tests.functional.toys import noise
from tests.metrics.cases import probabilities_and_truth, states


def result(*updates, **settings):
    metric = Calibration(**settings)
    for update in updates:
        metric.update(*update)
    return {name: value.item() for name, value in metric.compute().items()}


def pixel(*probs):
    return torch.tensor(probs).view(1, -1, 1, 1)


def test_values_are_means_over_all_pixels_of_all_updates():
    updates = [probabilities_and_truth(num_frames, seed=num_frames) for num_frames in (1, 3)]
    probs = torch.cat([probs.movedim(1, -1).flatten(0, 2) for probs, _ in updates])
    expected = {
        "confidence/mean": probs.max(1).values.mean().item(),
        "confidence/entropy": torch.distributions.Categorical(probs).entropy().mean().item(),
    }
    got = result(*updates)
    assert {key: got[key] for key in expected} == pytest.approx(expected, abs=1e-5)
    assert all(is_video_key(key) for key in got)


def test_the_error_is_the_gap_between_confidence_and_accuracy():
    # confidences 0.8 and 0.6 in bins of their own: right half the time, and always
    sure, unsure = pixel(0.8, 0.2).expand(4, -1, 1, 1), pixel(0.4, 0.6).expand(4, -1, 1, 1)
    updates = [(sure, torch.tensor([0, 0, 1, 1]).view(4, 1, 1)), (unsure, torch.ones(4, 1, 1).long())]
    assert result(*updates)["confidence/ece"] == pytest.approx((0.3 + 0.4) / 2, abs=1e-5)
    # in one bin they balance
    assert result(*updates, num_bins=1)["confidence/ece"] == pytest.approx(abs(0.7 - 0.75), abs=1e-5)


def test_without_labels_only_the_error_is_unknown():
    probs, truth = probabilities_and_truth(2, seed=0)
    labelled, unlabelled = result((probs, truth)), result((probs,))
    assert math.isnan(unlabelled.pop("confidence/ece"))
    labelled.pop("confidence/ece")
    assert unlabelled == labelled


def test_frames_without_labels_do_not_change_the_error():
    first, second = probabilities_and_truth(2, seed=0), probabilities_and_truth(3, seed=1)
    assert result(first, second[:1])["confidence/ece"] == result(first)["confidence/ece"]


def test_ignored_pixels_have_confidence_but_no_error():
    probs, truth = probabilities_and_truth(2, seed=0)
    half = truth.clone()
    half[0] = 255
    assert result((probs, half))["confidence/ece"] == result((probs[1:], truth[1:]))["confidence/ece"]
    assert result((probs, half))["confidence/mean"] == result((probs,))["confidence/mean"]


def test_any_split_gives_the_same_counts():
    probs, truth = probabilities_and_truth(7, seed=2)
    whole, parts = Calibration(), Calibration()
    whole.update(probs, truth)
    for start, stop in ((0, 0), (0, 1), (1, 5), (5, 7)):
        parts.update(probs[start:stop], truth[start:stop])
    assert states(parts) == states(whole)


def test_half_precision_is_measured_like_single():
    probs, truth = probabilities_and_truth(2, seed=3)
    single, half = result((probs, truth)), result((probs.half(), truth))
    assert half["confidence/mean"] == pytest.approx(single["confidence/mean"], abs=1e-3)
    assert half["confidence/entropy"] == pytest.approx(single["confidence/entropy"], abs=1e-2)


def test_sure_and_open_probabilities_are_the_ends_of_the_range():
    sure, open_ = torch.eye(4)[None, :, :, None], torch.full((1, 4, 4, 1), 0.25)
    assert result((sure,))["confidence/mean"] == 1
    assert result((sure,))["confidence/entropy"] == 0
    assert result((open_,))["confidence/mean"] == 0.25
    assert result((open_,))["confidence/entropy"] == pytest.approx(math.log(4), abs=1e-5)


def test_bad_settings_shapes_and_ids_are_refused():
    with pytest.raises(ValueError, match=r"num_bins: .*got 0"):
        Calibration(num_bins=0)
    probs, truth = probabilities_and_truth(2, seed=0)
    with pytest.raises(ValueError, match=r"target: .*\(2, 6, 7\).*\(1, 6, 7\)"):
        Calibration().update(probs, truth[:1])
    with pytest.raises(ValueError, match="target: ids go from 0 to 3"):
        Calibration().update(probs, noise(2, num_classes=9))
