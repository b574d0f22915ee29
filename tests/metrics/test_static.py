import math

import pytest
import torch

from facestab.metrics.static import StaticConsistency, StaticFlicker
from tests.functional import references
from tests.functional.toys import disc, noise
from tests.metrics.cases import NAMES, labels_and_rest

KEY = "vc/static_second"


def result(metric, *videos):
    for video in videos:
        metric.update(*video)
    return {name: v.item() for name, v in metric.compute().items()}


def test_static_flicker_equals_a_loop_over_the_static_pixels_of_all_videos():
    videos = [labels_and_rest(5, 1), labels_and_rest(7, 2)]
    got = result(StaticFlicker(NAMES), *videos)
    counts = [references.switches_by_class(labels, 4, static) for labels, static in videos]
    events, pixels = ([sum(video[k][i] for video in counts) for k in range(4)] for i in (0, 1))
    assert got["flicker/static"] == pytest.approx(sum(events) / sum(pixels))
    for k, name in enumerate(NAMES):
        assert got[f"flicker/static/{name}"] == pytest.approx(events[k] / pixels[k])


def test_what_changes_where_the_picture_moves_is_no_static_flicker():
    labels_THW = torch.stack([disc(20 + 3 * t, 24) for t in range(6)]).long()
    moving = labels_THW[1:] != labels_THW[:-1]
    assert result(StaticFlicker(NAMES[:2]), (labels_THW, ~moving))["flicker/static"] == 0
    assert result(StaticFlicker(NAMES[:2]), (labels_THW, torch.ones_like(moving)))["flicker/static"] > 0


def test_static_consistency_equals_loops_over_windows_of_all_videos():
    videos = [labels_and_rest(6, 1), labels_and_rest(9, 2)]
    counts = [references.static_windows(labels, static, 4) for labels, static in videos]
    kept, total = (sum(video[i] for video in counts) for i in (0, 1))
    assert result(StaticConsistency(4, KEY), *videos) == {KEY: pytest.approx(kept / total)}


def test_a_frozen_output_keeps_its_labels_and_one_blink_costs_the_windows_that_hold_it():
    labels_THW, static = torch.ones(9, 2, 2).long(), torch.ones(8, 2, 2, dtype=torch.bool)
    assert result(StaticConsistency(3, KEY), (labels_THW, static)) == {KEY: 1}
    labels_THW[4, 0, 0] = 0
    # 7 windows of 4 pixels, 3 of which hold frame 4
    assert result(StaticConsistency(3, KEY), (labels_THW, static)) == {KEY: pytest.approx(1 - 3 / 28)}


def test_pixels_that_move_or_are_ignored_within_a_window_are_left_out_of_it():
    labels_THW = torch.tensor([[[0, 0, 0]], [[0, 1, 1]], [[0, 1, 1]]])
    static = torch.tensor([[[True, False, True]], [[True, True, True]]])
    assert result(StaticConsistency(3, KEY), (labels_THW, static)) == {KEY: 1 / 2}
    labels_THW[2, 0, 2] = 255
    assert result(StaticConsistency(3, KEY), (labels_THW, static)) == {KEY: 1}


def test_without_a_static_pixel_there_is_no_value():
    nowhere = torch.zeros(4, 6, 7, dtype=torch.bool)
    for metric in (StaticFlicker(NAMES), StaticConsistency(2, KEY)):
        assert all(math.isnan(v) for v in result(metric, (noise(5), nowhere)).values())


@pytest.mark.parametrize("num_frames", [1, 0, -3])
def test_windows_of_fewer_than_two_frames_are_refused(num_frames):
    with pytest.raises(ValueError, match=f"num_frames: .* got {num_frames}"):
        StaticConsistency(num_frames, KEY)


def test_a_mask_of_another_length_is_refused():
    for metric in (StaticFlicker(NAMES), StaticConsistency(2, KEY)):
        with pytest.raises(ValueError, match=r"\(2, 6, 7\) is needed, got \(3, 6, 7\)"):
            metric.update(noise(3), torch.ones(3, 6, 7, dtype=torch.bool))


def test_missing_names_are_refused():
    with pytest.raises(ValueError, match="class_names"):
        StaticFlicker(["a"])
