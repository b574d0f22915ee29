import math

import pytest
import torch

from facestab.keys import is_video_key
from facestab.metrics.dynamics import Dynamics

NAMES = ["background", "skin", "eye"]
BLINK = (10, 5, 0, 0, 5, 10)


def face(heights):
    """Skin with one eye, 20 pixels wide and as many high as told; int64 (T, 40, 60)."""
    labels_THW = torch.zeros(len(heights), 40, 60, dtype=torch.long)
    labels_THW[:, 4:36, 10:50] = 1
    rows_H = torch.arange(40)
    for labels_HW, height in zip(labels_THW, heights, strict=True):
        labels_HW[(rows_H >= 20 - height / 2) & (rows_H < 20 + height / 2), 20:40] = 2
    return labels_THW


def blinking(num_frames=100, every=30, blink=BLINK):
    heights = [10] * num_frames
    for start in range(20, num_frames - len(blink), every):
        heights[start : start + len(blink)] = blink
    return heights


def ema(labels_THW, decay):
    """Labels of averaged probabilities."""
    probs_TKHW = torch.nn.functional.one_hot(labels_THW, 3).movedim(-1, 1).float()
    mean_KHW, smoothed = probs_TKHW[0], []
    for probs_KHW in probs_TKHW:
        mean_KHW = probs_KHW.lerp(mean_KHW, decay)
        smoothed.append(mean_KHW.argmax(0))
    return torch.stack(smoothed)


def values(metric):
    return {key: value.item() for key, value in metric.compute().items()}


def result(labels_THW, reference_THW, **settings):
    metric = Dynamics(NAMES, **{"fps": 25, **settings})
    metric.update(labels_THW, reference_THW)
    return values(metric)


def of_eye(labels_THW, reference_THW, **settings):
    got = result(labels_THW, reference_THW, **settings)
    three = tuple(got[f"dynamics/{name}/eye"] for name in ("amplitude", "correlation", "lag"))
    overall = tuple(got[f"dynamics/{name}"] for name in ("amplitude", "correlation", "lag"))
    # the eye is all that moves
    assert overall == pytest.approx(three, nan_ok=True)
    return three


def test_a_copy_has_amplitude_1_correlation_1_and_no_lag():
    truth = face(blinking())
    assert of_eye(truth, truth) == pytest.approx((1, 1, 0))


def test_only_what_moves_has_values_and_every_value_stands_under_a_known_key():
    truth = face(blinking())
    got = result(truth, truth)
    assert all(is_video_key(key) for key in got)
    assert len(got) == 3 * (1 + len(NAMES))
    assert all(math.isnan(got[f"dynamics/{name}/skin"]) for name in ("amplitude", "correlation", "lag"))


@pytest.mark.parametrize("lag", [4, 10, -3])
def test_labels_that_are_late_have_their_lag(lag):
    heights = blinking(num_frames=140)
    late = face(heights[20 - lag : 120 - lag])
    assert of_eye(late, face(heights[20:120])) == pytest.approx((1, 1, lag))


def test_a_lag_beyond_the_range_is_not_found():
    heights = blinking(num_frames=140, every=200)
    late = face(heights[:100])
    assert of_eye(late, face(heights[8:108]))[2] == 8
    assert math.isnan(of_eye(late, face(heights[8:108]), max_lag_s=0.1)[2])


def test_smoothing_lowers_the_amplitude_and_lags():
    truth = face(blinking())
    amplitude, correlation, lag = of_eye(ema(truth, 0.7), truth)
    assert amplitude < 0.85
    assert correlation < 0.95
    assert lag >= 1
    assert of_eye(ema(truth, 0.9), truth)[0] < 0.2


@pytest.mark.parametrize("still", [face([10] * 100), torch.zeros(100, 40, 60, dtype=torch.long)])
def test_a_frozen_or_constant_output_has_amplitude_0_and_no_lag(still):
    amplitude, correlation, lag = of_eye(still, face(blinking()))
    assert amplitude == 0
    assert math.isnan(correlation)
    assert math.isnan(lag)


def test_a_blink_of_half_the_depth_has_amplitude_one_half():
    labels_THW = face(blinking())
    # the left half of the eye stays open
    labels_THW[:, 15:25, 20:30] = 2
    assert of_eye(labels_THW, face(blinking())) == pytest.approx((0.5, 1, 0))


def test_flicker_of_the_area_does_not_pass_for_motion():
    generator = torch.Generator().manual_seed(0)
    truth = face(blinking(num_frames=400))
    flips = torch.rand(truth.shape, generator=generator)
    amount = 0.4 * torch.rand(len(truth), 1, 1, generator=generator)
    flickering = truth.masked_fill((flips < amount) & (truth == 2), 1)
    # the same share of the eye is lost in any of its states, 20 % on average
    amplitude, correlation, lag = of_eye(flickering, truth)
    assert amplitude == pytest.approx(0.8, abs=0.05)
    assert 0.5 < correlation < 0.99
    assert lag == 0
    frozen = face([10] * 400).masked_fill((flips < amount) & (face([10] * 400) == 2), 1)
    assert abs(of_eye(frozen, truth)[0]) < 0.1


def test_white_noise_of_the_area_leaves_the_amplitude():
    generator = torch.Generator().manual_seed(1)
    truth = face(blinking(num_frames=400))
    noisy = truth.clone()
    # beside the eye: 0 to 80 pixels, 40 % of its area
    for labels_HW, number in zip(noisy, torch.randint(81, (400,), generator=generator).tolist(), strict=True):
        labels_HW[6:8, 10:50] = torch.where(torch.arange(80).view(2, 40) < number, 2, 1)
    amplitude, correlation, lag = of_eye(noisy, truth)
    assert amplitude == pytest.approx(1, abs=0.05)
    assert correlation < 0.95
    assert lag == 0


def test_a_head_that_grows_does_not_hide_a_lost_blink():
    truth, frozen = face(blinking()), face([10] * 100)
    # both eyes grow alike, by more than the blinks take away
    for labels_THW in (truth, frozen):
        for t, labels_HW in enumerate(labels_THW):
            labels_HW[26:36, 12 : 12 + t // 3] = 2
    amplitude, _, lag = of_eye(frozen, truth)
    assert amplitude == pytest.approx(0, abs=0.05)
    assert math.isnan(lag)


def test_pixels_without_reference_are_left_out_on_both_sides():
    labels_THW, truth = face(blinking()), face(blinking())
    truth[:, :, :25] = 255
    assert of_eye(labels_THW, truth) == pytest.approx((1, 1, 0))


def test_values_are_means_over_videos_with_motion():
    truth, still = face(blinking()), face([10] * 100)
    metric = Dynamics(NAMES, fps=25)
    for labels_THW, reference_THW in ((truth, truth), (still, truth), (truth, still)):
        metric.update(labels_THW, reference_THW)
    got = values(metric)
    assert got["dynamics/amplitude"] == pytest.approx(1 / 2)
    assert got["dynamics/lag"] == 0
    assert got["dynamics/correlation"] == pytest.approx(1)


@pytest.mark.parametrize("names", [["a"], ["a", "b", "a"]])
def test_missing_or_repeated_names_are_refused(names):
    with pytest.raises(ValueError, match="class_names"):
        Dynamics(names, fps=25)


@pytest.mark.parametrize("settings", [{"fps": 0}, {"fps": 25, "max_lag_s": -1}])
def test_bad_settings_are_refused(settings):
    name = list(settings)[-1]
    with pytest.raises(ValueError, match=f"{name}: .*got {settings[name]}"):
        Dynamics(NAMES, **settings)


def test_unequal_shapes_are_refused():
    with pytest.raises(ValueError, match="labels: the shape of the reference"):
        Dynamics(NAMES, fps=25).update(face([10] * 3), face([10] * 4))
