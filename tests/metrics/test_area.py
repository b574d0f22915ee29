import math

import pytest
import torch

from facestab.keys import is_video_key
from facestab.metrics.area import AreaVolatility
from tests.functional import reference_signals as reference
from tests.functional.toys import disc, noise

NAMES = ["background", "skin", "hair", "nose"]


def result(*videos, fps=4, min_area_px=2, names=NAMES):
    metric = AreaVolatility(names, fps=fps, min_area_px=min_area_px)
    for labels_THW in videos:
        metric.update(labels_THW)
    return {key: value.item() for key, value in metric.compute().items()}


def mean(numbers):
    known = [number for number in numbers if not math.isnan(number)]
    return sum(known) / len(known)


def test_values_equal_loops_over_frames_averaged_over_videos():
    videos = [noise(num_frames, seed=seed) for num_frames, seed in ((12, 0), (30, 1))]
    for t, class_id in ((3, 1), (5, 2), (6, 2), (8, 1)):
        for labels_THW in videos:
            labels_THW[t][labels_THW[t] == class_id] = 0
    # the nose is in the second video only
    videos[0][videos[0] == 3] = 2
    courses = [[[int((frame == k).sum()) for frame in video] for k in range(4)] for video in videos]
    volatility = [[reference.area_volatility(course, 5) for course in video] for video in courses]
    rate = [[reference.dropouts(course, 5) * 4 / len(course) for course in video] for video in courses]
    expected = {
        "flicker/area_volatility": mean(mean(video[1:]) for video in volatility),
        "flicker/dropouts": mean(sum(number for number in video[1:] if number > 0) for video in rate),
    }
    for key, measured in (("flicker/area_volatility", volatility), ("flicker/dropouts", rate)):
        by_class = (mean(column) for column in zip(*measured, strict=True))
        expected |= {f"{key}/{name}": value for name, value in zip(NAMES, by_class, strict=True)}
    assert expected["flicker/dropouts"] > 0.4
    assert math.isnan(volatility[0][3])
    got = result(*videos, min_area_px=5)
    assert got == pytest.approx(expected)
    assert all(is_video_key(key) for key in got)


def test_growth_is_stable_and_shaking_is_not():
    growing = torch.stack([disc(40, 24, radius=10 + 0.2 * t) for t in range(30)]).long()
    shaking = torch.stack([disc(40, 24, radius=12 + t % 2) for t in range(30)]).long()
    calm, shaky = (result(v, names=["background", "disc"])["flicker/area_volatility"] for v in (growing, shaking))
    assert shaky > 5 * calm


def test_dropouts_are_counted_a_second_and_summed_over_classes():
    labels_THW = torch.zeros(50, 8, 20, dtype=torch.long)
    labels_THW[:, :, :5], labels_THW[:, :, 5:10] = 1, 2
    # the second of hair's gaps is too long
    labels_THW[[10, 20, 21]], labels_THW[30:33, :, 5:10] = 0, 0
    got = result(labels_THW, fps=25, min_area_px=16)
    assert got["flicker/dropouts/skin"] == got["flicker/dropouts/hair"] == 1
    assert got["flicker/dropouts/background"] == 0
    assert math.isnan(got["flicker/dropouts/nose"])
    assert got["flicker/dropouts"] == 2


def test_an_output_without_any_object_has_no_values():
    got = result(torch.zeros(10, 8, 8, dtype=torch.long))
    assert got.pop("flicker/area_volatility/background") == got.pop("flicker/dropouts/background") == 0
    assert all(math.isnan(value) for value in got.values())


def test_a_still_video_has_neither():
    got = result(noise(1).expand(10, -1, -1))
    assert set(got.values()) == {0}


@pytest.mark.parametrize("settings", [{"fps": 0}, {"fps": 25, "min_area_px": -1}])
def test_bad_settings_are_refused(settings):
    name = list(settings)[-1]
    with pytest.raises(ValueError, match=f"{name}: .*got {settings[name]}"):
        AreaVolatility(NAMES, **settings)


@pytest.mark.parametrize("names", [["a"], ["a", "b", "a"]])
def test_missing_or_repeated_names_are_refused(names):
    with pytest.raises(ValueError, match="class_names"):
        AreaVolatility(names, fps=25)


def test_windows_and_the_order_of_videos_do_not_change_a_bit():
    videos = [noise(num_frames, seed=seed) for num_frames, seed in ((12, 0), (5, 1), (31, 2))]
    metric = AreaVolatility(NAMES, fps=4, min_area_px=2)
    for labels_THW in reversed(videos):
        for start in range(0, len(labels_THW), 4):
            metric.update(labels_THW[start : start + 4], first=start == 0)
    assert {key: value.item() for key, value in metric.compute().items()} == result(*videos)


def test_two_videos_are_not_taken_for_one():
    labels_THW = noise(12, seed=0)
    jump_THW = labels_THW.clone()
    jump_THW[:, 1:] = 3
    assert result(labels_THW, labels_THW) == result(labels_THW)
    assert result(labels_THW, jump_THW) != result(torch.cat([labels_THW, jump_THW]))
