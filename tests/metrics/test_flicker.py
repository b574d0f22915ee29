import math
from fractions import Fraction

import pytest
import torch

from facestab.metrics.flicker import AbaFlicker, SwitchExcess, SwitchRate
from tests.functional import references
from tests.functional.toys import disc, noise
from tests.metrics.cases import NAMES

FACE = ("background", "face")


def value(metric, *windows, key=None):
    for window in windows:
        metric.update(*(window if isinstance(window, tuple) else (window,)))
    result = {name: v.item() for name, v in metric.compute().items()}
    return result[key or {AbaFlicker: "flicker/aba", SwitchRate: "flicker/switch"}[type(metric)]]


def result(metric, *windows):
    for window in windows:
        metric.update(window)
    return {name: v.item() for name, v in metric.compute().items()}


def test_rates_are_events_over_valid_pixels_of_all_videos_together():
    videos = [noise(5, seed=1), noise(9, seed=2)]
    for metric, reference in ((AbaFlicker(NAMES), references.aba), (SwitchRate(NAMES), references.switches)):
        events, valid = (sum(counts) for counts in zip(*map(reference, videos), strict=True))
        assert value(metric, *videos) == pytest.approx(events / valid)


def test_values_by_class_equal_loops_over_the_pixels_of_all_videos():
    videos = [noise(5, seed=1), noise(9, seed=2)]
    everywhere = [torch.ones(len(video) - 1, 6, 7) for video in videos]
    aba = [references.aba_by_class(video, 4) for video in videos]
    switches = [references.switches_by_class(*pair[:1], 4, pair[1]) for pair in zip(videos, everywhere, strict=True)]
    for metric, key, counts in (
        (AbaFlicker(NAMES), "flicker/aba", aba),
        (SwitchRate(NAMES), "flicker/switch", switches),
    ):
        got = result(metric, *videos)
        for k, name in enumerate(NAMES):
            events, pixels = (sum(video[k][i] for video in counts) for i in (0, 1))
            assert got[f"{key}/{name}"] == pytest.approx(events / pixels)


@pytest.mark.parametrize("metric", [AbaFlicker, SwitchRate])
def test_a_still_video_does_not_flicker(metric):
    assert value(metric(NAMES), noise(1).expand(6, -1, -1)) == 0


@pytest.mark.parametrize("metric", [AbaFlicker, SwitchRate])
def test_a_video_that_blinks_in_every_frame_flickers_everywhere(metric):
    assert value(metric(FACE), (torch.arange(6) % 2).view(6, 1, 1).expand(6, 3, 4)) == 1


def test_smooth_motion_is_no_aba_but_one_blink_is():
    labels_THW = torch.stack([disc(20 + 1.5 * t, 24) for t in range(12)]).long()
    assert value(AbaFlicker(FACE), labels_THW) == 0
    labels_THW[5, 0, 0] = 1
    assert value(AbaFlicker(FACE), labels_THW) == pytest.approx(1 / (10 * 48 * 80))


def test_a_constant_output_does_not_flicker_however_wrong_it_is():
    for metric in (AbaFlicker(NAMES), SwitchRate(NAMES)):
        assert value(metric, torch.full((7, 4, 4), 3)) == 0


def test_ignored_pixels_are_left_out():
    labels_THW = torch.tensor([[[1, 1, 255]], [[2, 1, 1]], [[1, 1, 2]]])
    assert value(AbaFlicker(NAMES), labels_THW) == 1 / 2
    assert value(SwitchRate(NAMES), labels_THW) == pytest.approx(3 / 5)


def test_a_class_that_never_occurs_has_no_value():
    got = result(AbaFlicker(("background", "skin", "hat")), torch.zeros(3, 2, 2).long())
    assert got["flicker/aba/background"] == 0
    assert math.isnan(got["flicker/aba/skin"])
    assert math.isnan(got["flicker/aba/hat"])


def test_the_rate_per_second_is_the_rate_times_the_frame_rate():
    got = result(AbaFlicker(NAMES, fps=Fraction(30000, 1001)), noise(5))
    assert got["flicker/aba_per_second"] == pytest.approx(got["flicker/aba"] * 30000 / 1001)
    assert "flicker/aba_per_second" not in result(AbaFlicker(NAMES), noise(5))


def blinking_face():
    """A disc that stands still, with 2 pixels at its edge and 3 in its middle that blink once."""
    labels_THW = disc(30, 24).long().repeat(6, 1, 1)
    labels_THW[1, 24, 41:43] = 1 - labels_THW[1, 24, 41:43]
    labels_THW[3, 24, 29:32] = 0
    return labels_THW


def test_flicker_at_edges_and_inside_add_up_to_all():
    pixels = 4 * 48 * 80
    got = result(AbaFlicker(FACE), blinking_face())
    assert got["flicker/aba_boundary"] == pytest.approx(2 / pixels)
    assert got["flicker/aba_interior"] == pytest.approx(3 / pixels)
    assert got["flicker/aba"] == pytest.approx(5 / pixels)


def test_a_wide_enough_band_holds_all_flicker():
    got = result(AbaFlicker(FACE, band_px=14), blinking_face())
    assert got["flicker/aba_boundary"] == got["flicker/aba"]
    assert got["flicker/aba_interior"] == 0


def test_renaming_the_classes_renames_their_values():
    labels_THW = noise(8)
    order = torch.arange(256)
    order[:4] = torch.tensor([2, 0, 3, 1])
    for metric in (AbaFlicker, SwitchRate):
        renamed = tuple(NAMES[order.tolist().index(k)] for k in range(4))
        assert result(metric(renamed), order[labels_THW]) == result(metric(NAMES), labels_THW)


def test_excess_is_the_difference_of_the_two_rates():
    labels_THW, reference_THW = noise(5, seed=1), noise(5, seed=2)
    both = torch.maximum(labels_THW, reference_THW) == 255
    rates = [value(SwitchRate(NAMES), ids.masked_fill(both, 255)) for ids in (labels_THW, reference_THW)]
    got = value(SwitchExcess(), (labels_THW, reference_THW), key="flicker/switch_excess")
    assert got == pytest.approx(rates[0] - rates[1], abs=1e-6)


def test_a_frozen_output_has_less_than_no_excess():
    truth_THW = torch.stack([disc(20 + 2 * t, 24) for t in range(8)]).long()
    frozen_THW = truth_THW[:1].expand(8, -1, -1)
    excess = value(SwitchExcess(), (frozen_THW, truth_THW), key="flicker/switch_excess")
    assert excess == pytest.approx(-value(SwitchRate(FACE), truth_THW))
    assert value(SwitchExcess(), (truth_THW, truth_THW), key="flicker/switch_excess") == 0


@pytest.mark.parametrize("metric", [AbaFlicker, SwitchRate])
@pytest.mark.parametrize("names", [["a"], ["a", "b", "a"]])
def test_missing_or_repeated_names_are_refused(metric, names):
    with pytest.raises(ValueError, match="class_names"):
        metric(names)


@pytest.mark.parametrize(("setting", "wrong"), [("fps", 0), ("fps", -25), ("band_px", 0)])
def test_settings_that_are_not_positive_are_refused(setting, wrong):
    with pytest.raises(ValueError, match=f"{setting}: .* got {wrong}"):
        AbaFlicker(NAMES, **{setting: wrong})
