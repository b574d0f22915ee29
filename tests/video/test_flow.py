"""Optical flow by DIS."""

import pickle

import cv2
import numpy as np
import pytest

from facestab.video.flow import DisFlow, flow_pair


def _shifted(height: int, width: int, x: int, y: int) -> tuple[np.ndarray, np.ndarray]:
    """Two frames of one texture; what is at p in the first is at p + (x, y) in the second."""
    noise = np.random.default_rng(0).integers(0, 256, (height + 40, width + 40, 3)).astype(np.uint8)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    return texture[20 : 20 + height, 20 : 20 + width], texture[20 - y : 20 - y + height, 20 - x : 20 - x + width]


@pytest.mark.parametrize("size", [(128, 128), (97, 131), (240, 135)])
@pytest.mark.parametrize("shift", [(3, 0), (0, -2), (-4, 3), (0, 0)])
def test_the_flow_of_an_integer_shift_is_right_in_the_interior(size: tuple[int, int], shift: tuple[int, int]) -> None:
    flow_HW2 = DisFlow()(*_shifted(*size, *shift))
    assert flow_HW2.dtype == np.float32
    assert flow_HW2.shape == (*size, 2)
    assert np.abs(flow_HW2[12:-12, 12:-12] - shift).max() < 0.3


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "medium"])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 64), (9, 9), (12, 12), (15, 17), (16, 16), (31, 33), (64, 7)])
def test_small_and_odd_frames_give_a_flow_of_their_size(preset: str, size: tuple[int, int]) -> None:
    flow_HW2 = DisFlow(preset)(*_shifted(*size, 1, 0))
    assert flow_HW2.shape == (*size, 2)
    assert np.isfinite(flow_HW2).all()


def test_a_small_frame_still_shows_its_motion() -> None:
    assert np.abs(np.median(DisFlow()(*_shifted(16, 16, 1, 0)), axis=(0, 1)) - (1, 0)).max() < 0.3


def test_a_pair_of_flows_goes_there_and_back() -> None:
    frame_a, frame_b = _shifted(96, 96, 2, -1)
    forward_HW2, backward_HW2 = flow_pair(DisFlow(), frame_a, frame_b)
    np.testing.assert_allclose(forward_HW2[40, 40], (2, -1), atol=0.3)
    np.testing.assert_allclose(backward_HW2[40, 40], (-2, 1), atol=0.3)


def test_the_flow_depends_on_neither_threads_nor_earlier_calls_nor_pickling() -> None:
    frame_a, frame_b = _shifted(120, 160, 3, 2)
    flow = DisFlow("fast")
    first = flow(frame_a, frame_b)
    flow(frame_b, frame_a)
    threads = cv2.getNumThreads()
    try:
        for number in (1, 4):
            cv2.setNumThreads(number)
            np.testing.assert_array_equal(flow(frame_a, frame_b), first)
            np.testing.assert_array_equal(pickle.loads(pickle.dumps(flow))(frame_a, frame_b), first)
    finally:
        cv2.setNumThreads(threads)


def test_what_does_not_fit_is_a_value_error() -> None:
    assert DisFlow("fast").name == "dis_fast"
    with pytest.raises(ValueError, match=r"preset.*'slow'"):
        DisFlow("slow")
    with pytest.raises(ValueError, match="frame_b_HWC"):
        DisFlow()(np.zeros((32, 32, 3), np.uint8), np.zeros((32, 30, 3), np.uint8))
