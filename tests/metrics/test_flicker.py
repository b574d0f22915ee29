import pytest
import torch

from facestab.metrics.flicker import AbaFlicker, SwitchRate
from tests.functional import references
from tests.functional.toys import disc, noise


def value(metric, *windows):
    for window in windows:
        metric.update(window)
    return metric.compute().item()


def test_rates_are_events_over_valid_pixels_of_all_videos_together():
    videos = [noise(5, seed=1), noise(9, seed=2)]
    for metric, reference in ((AbaFlicker(), references.aba), (SwitchRate(), references.switches)):
        events, valid = (sum(counts) for counts in zip(*map(reference, videos), strict=True))
        assert value(metric, *videos) == pytest.approx(events / valid)


@pytest.mark.parametrize("metric", [AbaFlicker, SwitchRate])
def test_a_still_video_does_not_flicker(metric):
    assert value(metric(), noise(1).expand(6, -1, -1)) == 0


@pytest.mark.parametrize("metric", [AbaFlicker, SwitchRate])
def test_a_video_that_blinks_in_every_frame_flickers_everywhere(metric):
    assert value(metric(), (torch.arange(6) % 2).view(6, 1, 1).expand(6, 3, 4)) == 1


def test_smooth_motion_is_no_aba_but_one_blink_is():
    labels_THW = torch.stack([disc(20 + 1.5 * t, 24) for t in range(12)]).long()
    assert value(AbaFlicker(), labels_THW) == 0
    labels_THW[5, 0, 0] = 1
    assert value(AbaFlicker(), labels_THW) == pytest.approx(1 / (10 * 48 * 80))


def test_a_constant_output_does_not_flicker_however_wrong_it_is():
    for metric in (AbaFlicker(), SwitchRate()):
        assert value(metric, torch.full((7, 4, 4), 3)) == 0


def test_ignored_pixels_are_left_out():
    labels_THW = torch.tensor([[[1, 1, 255]], [[2, 1, 1]], [[1, 1, 2]]])
    assert value(AbaFlicker(), labels_THW) == 1 / 2
    assert value(SwitchRate(), labels_THW) == pytest.approx(3 / 5)
