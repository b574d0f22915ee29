import math

import pytest
import torch

from facestab.functional.calibration import calibration_error, entropy, most_probable, reliability
from tests.functional.toys import noise

SCALE = 1 << 20


def random_probs(seed, num_frames=2, num_classes=4, sharpness=2.0):
    generator = torch.Generator().manual_seed(seed)
    return (sharpness * torch.randn(num_frames, num_classes, 6, 7, generator=generator)).softmax(1)


def pixels(probs_NKHW):
    return probs_NKHW.movedim(1, -1).reshape(-1, probs_NKHW.shape[1]).tolist()


def loops(probs_NKHW, target_NHW, num_bins):
    """Pixels, right ones, and the sum of confidence by bin."""
    table = [[0, 0, 0.0] for _ in range(num_bins)]
    for probs, target in zip(pixels(probs_NKHW), target_NHW.flatten().tolist(), strict=True):
        if target == 255:
            continue
        confidence = max(probs)
        (bin_,) = [m for m in range(num_bins) if m / num_bins < confidence <= (m + 1) / num_bins]
        table[bin_][0] += 1
        table[bin_][1] += probs.index(confidence) == target
        table[bin_][2] += confidence
    return [list(column) for column in zip(*table, strict=True)]


def test_the_most_probable_class_is_the_first_of_the_largest():
    probs = random_probs(0)
    assert most_probable(probs).tolist() == probs.max(1).indices.tolist()
    ties = torch.tensor([0.4, 0.4, 0.2, 0.25, 0.25, 0.5]).view(2, 3, 1, 1)
    assert most_probable(ties).flatten().tolist() == [0, 2]
    assert most_probable(torch.full((1, 255, 1, 1), 1 / 255)).item() == 0


def test_entropy_equals_loops_over_pixels_and_goes_from_0_to_log_k():
    probs = random_probs(1)
    expected = [-sum(p * math.log(p) for p in pixel) for pixel in pixels(probs)]
    assert entropy(probs).flatten().tolist() == pytest.approx(expected, rel=1e-5)
    sure, open_ = torch.eye(4)[None, :, :1, None], torch.full((1, 4, 1, 1), 0.25)
    assert entropy(sure).tolist() == [[[0]]]
    assert entropy(open_).item() == pytest.approx(math.log(4))


@pytest.mark.parametrize("num_bins", [1, 10, 15])
def test_bins_and_error_equal_loops_over_pixels(num_bins):
    probs, target = random_probs(2), noise(2, seed=3)
    number, right, confidence = loops(probs, target, num_bins)
    got = reliability(probs, target, num_bins, SCALE)
    assert got[0].tolist() == number
    assert got[1].tolist() == right
    assert (got[2] / SCALE).tolist() == pytest.approx(confidence, abs=1e-4)
    expected = sum(abs(r - c) for r, c in zip(right, confidence, strict=True)) / sum(number)
    assert calibration_error(got[0], got[1], got[2] / SCALE).item() == pytest.approx(expected, abs=1e-5)


def test_a_bin_holds_its_upper_end():
    probs = torch.tensor([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]])[:, :, None, None]
    number, right, _ = reliability(probs, torch.tensor([0, 1, 0])[:, None, None], 4, SCALE)
    assert number.tolist() == [0, 1, 1, 1]
    assert right.tolist() == [0, 1, 0, 1]


def test_a_network_that_is_right_as_often_as_it_says_has_no_error():
    probs = torch.tensor([0.75, 0.25]).view(1, 2, 1, 1).expand(4, 2, 1, 1)
    for targets, error in (([0, 0, 0, 1], 0), ([0, 0, 0, 0], 0.25), ([1, 1, 1, 1], 0.75)):
        number, right, confidence = reliability(probs, torch.tensor(targets)[:, None, None], 15, SCALE)
        assert calibration_error(number, right, confidence / SCALE).item() == pytest.approx(error)


def test_without_labelled_pixels_the_error_is_nan():
    number, right, confidence = reliability(random_probs(0), torch.full((2, 6, 7), 255), 15, SCALE)
    assert calibration_error(number, right, confidence).isnan()
