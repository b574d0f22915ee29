"""Optical flow by polynomial expansion."""

import pickle

import cv2
import numpy as np
import pytest

from facestab.video.farneback import FarnebackFlow
from facestab.video.flow import VideoFrame
from tests.video.test_flow import SMALL_SIZES
from tests.video.textures import shifted


@pytest.mark.parametrize("size", [(128, 128), (97, 131), (240, 135)])
@pytest.mark.parametrize("shift", [(3, 0), (0, -2), (-4, 3), (0, 0)])
def test_the_flow_of_an_integer_shift_is_right_in_the_interior(size: tuple[int, int], shift: tuple[int, int]) -> None:
    flow_HW2 = FarnebackFlow().flow(*shifted(*size, *shift))
    assert flow_HW2.dtype == np.float32
    assert flow_HW2.shape == (*size, 2)
    assert np.abs(flow_HW2[12:-12, 12:-12] - shift).max() < 0.3


@pytest.mark.parametrize("size", SMALL_SIZES)
def test_small_and_odd_frames_give_a_flow_of_their_size(size: tuple[int, int]) -> None:
    flow_HW2 = FarnebackFlow().flow(*shifted(*size, 1, 0))
    assert flow_HW2.shape == (*size, 2)
    assert np.isfinite(flow_HW2).all()


def test_a_wider_window_gives_a_smoother_flow() -> None:
    rng = np.random.default_rng(0)
    noise_a, noise_b = (rng.integers(0, 256, (64, 64, 3)).astype(np.uint8) for _ in "ab")
    roughness = [np.abs(np.diff(FarnebackFlow(window).flow(noise_a, noise_b), axis=1)).mean() for window in (0.1, 0.5)]
    assert roughness[1] < 0.5 * roughness[0]


def test_a_large_frame_is_estimated_small_and_its_flow_is_in_its_own_pixels() -> None:
    flow_HW2 = FarnebackFlow(max_side=100).flow(*shifted(300, 240, 6, -4))
    assert np.abs(flow_HW2[40:-40, 40:-40] - (6, -4)).max() < 0.5


def test_a_shifted_picture_is_visible_but_for_what_leaves_it() -> None:
    frame_a, frame_b = (VideoFrame("a", index, picture) for index, picture in enumerate(shifted(96, 96, 5, 0)))
    visible_HW = FarnebackFlow().correspondence(frame_a, frame_b).visible_HW
    assert visible_HW[:, :85].mean() > 0.95
    assert not visible_HW[16:-16, -4:].any()


def test_the_flow_depends_on_neither_threads_nor_earlier_calls_nor_pickling() -> None:
    frames = shifted(120, 160, 3, 2)
    backend = FarnebackFlow(0.3, 2, 300)
    first_HW2 = backend.flow(*frames)
    backend.flow(*shifted(20, 20, 1, 0))
    copy = pickle.loads(pickle.dumps(backend))
    threads = cv2.getNumThreads()
    try:
        for number in (1, 4):
            cv2.setNumThreads(number)
            np.testing.assert_array_equal(backend.flow(*frames), first_HW2)
            np.testing.assert_array_equal(copy.flow(*frames), first_HW2)
    finally:
        cv2.setNumThreads(threads)


def test_what_does_not_fit_is_a_value_error() -> None:
    assert FarnebackFlow().name == "farneback"
    for window in (0, -0.1, 1.1):
        with pytest.raises(ValueError, match=f"window.*got {window}"):
            FarnebackFlow(window)
    with pytest.raises(ValueError, match=r"iterations.*got 0"):
        FarnebackFlow(iterations=0)
    with pytest.raises(ValueError, match="max_side"):
        FarnebackFlow(max_side=8)
    with pytest.raises(ValueError, match="frame_b_HWC"):
        FarnebackFlow().flow(np.zeros((32, 32, 3), np.uint8), np.zeros((32, 30, 3), np.uint8))
