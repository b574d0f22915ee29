import numpy as np
import pytest
from scipy.ndimage import median_filter

from facestab.video.crop_path import OneEuro, still_path

RNG = np.random.default_rng(0)


def test_noise_within_the_tolerance_does_not_move_the_path_at_all():
    assert still_path(60 + RNG.standard_normal(200), tolerance=4, window=5).std() < 1e-6


@pytest.mark.parametrize("number", [1, 2, 3, 5, 300])
def test_the_path_stays_within_the_tolerance_of_the_running_median(number):
    path = 20 * np.sin(np.arange(number) / 40) + RNG.standard_normal(number)
    found = still_path(path, tolerance=3, window=5)
    assert found.shape == (number,)
    assert np.abs(found - median_filter(path, 5, mode="reflect")).max() <= 3 + 1e-6


def test_a_steady_motion_is_followed_steadily_and_without_lag():
    path = 0.5 * np.arange(200) + RNG.standard_normal(200)
    found = still_path(path, tolerance=4, window=5)
    assert np.abs(np.diff(found, 2)).max() < 0.01
    assert abs(np.mean(found - path)) < 1.5
    # forwards as backwards
    np.testing.assert_allclose(found[::-1], still_path(path[::-1], tolerance=4, window=5), atol=0.5)


def test_a_single_wrong_value_has_no_say():
    path = np.full(100, 50.0)
    path[40] = 500
    np.testing.assert_allclose(still_path(path, tolerance=2, window=5), 50, atol=2)
    assert still_path(path, tolerance=2, window=5).std() < 1e-6


def test_a_long_path_has_no_seams():
    path = 30 * np.sin(np.arange(1500) / 60)
    found = still_path(path, tolerance=3, window=5)
    assert np.abs(found - path).max() <= 3.5
    jumps = np.abs(np.diff(found))
    assert jumps[595:605].max() <= 1.5 * jumps.max(initial=0, where=np.arange(1499) < 500)


def test_the_quick_filter_rests_on_noise_and_follows_motion_with_little_lag():
    rest = OneEuro(25, tolerance=0.05, window=15)
    noise = [rest(1 + 0.01 * value) for value in RNG.standard_normal(200)]
    assert np.std(noise[50:]) < 1e-9
    moving = OneEuro(25, tolerance=0.05, window=5)
    path = np.concatenate([np.zeros(25), 0.02 * np.arange(100)])
    found = np.array([moving(value) for value in path])
    assert (np.diff(found) >= -1e-12).all()
    # behind by the tolerance and about a third of a second, at half a width a second
    assert 0.05 < path[-1] - found[-1] < 0.4


def test_without_tolerance_and_median_it_is_the_published_filter():
    smooth = OneEuro(30, min_cutoff=0.5, beta=0.2, derivative_cutoff=1.0)
    values = RNG.standard_normal(20)
    weight = lambda cutoff: (r := 2 * np.pi * cutoff / 30) / (r + 1)  # noqa: E731
    expected, speed = values[0], 0.0
    assert smooth(values[0]) == values[0]
    for value in values[1:]:
        speed = weight(1.0) * (value - expected) * 30 + (1 - weight(1.0)) * speed
        w = weight(0.5 + 0.2 * abs(speed))
        expected = w * value + (1 - w) * expected
        assert smooth(value) == pytest.approx(expected)
