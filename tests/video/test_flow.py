"""Optical flow by DIS, and what all estimators share."""

import pickle

import cv2
import numpy as np
import pytest

from facestab.build import build
from facestab.video.flow import DisFlow, VideoFrame
from tests.video.textures import shifted, texture

SMALL_SIZES = [(1, 1), (1, 40), (7, 64), (9, 9), (12, 12), (15, 17), (16, 16), (31, 33), (64, 7), (16, 90), (20, 600)]


def _frames(*pictures_HWC: np.ndarray) -> list[VideoFrame]:
    return [VideoFrame("a", index, picture_HWC) for index, picture_HWC in enumerate(pictures_HWC)]


@pytest.mark.parametrize("size", [(128, 128), (97, 131), (240, 135)])
@pytest.mark.parametrize("shift", [(3, 0), (0, -2), (-4, 3), (0, 0)])
def test_the_flow_of_an_integer_shift_is_right_in_the_interior(size: tuple[int, int], shift: tuple[int, int]) -> None:
    flow_HW2 = DisFlow().flow(*shifted(*size, *shift))
    assert flow_HW2.dtype == np.float32
    assert flow_HW2.shape == (*size, 2)
    assert np.abs(flow_HW2[12:-12, 12:-12] - shift).max() < 0.3


def test_a_jump_of_a_twentieth_of_the_frame_is_found() -> None:
    flow_HW2 = DisFlow().flow(*shifted(256, 256, 12, -8))
    assert np.abs(flow_HW2[24:-24, 24:-24] - (12, -8)).max() < 0.3


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "medium"])
@pytest.mark.parametrize("size", SMALL_SIZES)
def test_small_and_odd_frames_give_a_flow_of_their_size(preset: str, size: tuple[int, int]) -> None:
    flow_HW2 = DisFlow(preset).flow(*shifted(*size, 1, 0))
    assert flow_HW2.shape == (*size, 2)
    assert np.isfinite(flow_HW2).all()


def test_a_small_frame_still_shows_its_motion() -> None:
    assert np.abs(np.median(DisFlow().flow(*shifted(16, 16, 1, 0)), axis=(0, 1)) - (1, 0)).max() < 0.3


@pytest.mark.parametrize("size", [(300, 240), (201, 320)])
def test_a_large_frame_is_estimated_small_and_its_flow_is_in_its_own_pixels(size: tuple[int, int]) -> None:
    shift = (6, -4)
    flow_HW2 = DisFlow(max_side=100).flow(*shifted(*size, *shift))
    assert flow_HW2.dtype == np.float32
    assert flow_HW2.shape == (*size, 2)
    assert np.abs(flow_HW2[40:-40, 40:-40] - shift).max() < 0.5


def test_a_still_picture_is_visible_everywhere_and_has_no_motion() -> None:
    flow_HW2, visible_HW = DisFlow().correspondence(*_frames(texture(64, 64), texture(64, 64)))
    assert np.abs(flow_HW2).max() < 0.05
    assert visible_HW.dtype == bool
    assert visible_HW.mean() > 0.97


def test_flow_goes_from_the_first_frame_to_the_second() -> None:
    frame_a, frame_b = _frames(*shifted(96, 96, 2, -1))
    np.testing.assert_allclose(DisFlow().correspondence(frame_a, frame_b).flow_HW2[40, 40], (2, -1), atol=0.3)
    np.testing.assert_allclose(DisFlow().correspondence(frame_b, frame_a).flow_HW2[40, 40], (-2, 1), atol=0.3)


def test_what_a_moving_object_covers_is_not_visible_and_what_it_does_not_touch_is() -> None:
    ground_HWC, object_HWC = texture(128, 128), texture(40, 40, seed=1)
    before_HWC, after_HWC = ground_HWC.copy(), ground_HWC.copy()
    before_HWC[44:84, 30:70] = object_HWC
    after_HWC[44:84, 38:78] = object_HWC
    flow_HW2, visible_HW = DisFlow().correspondence(*_frames(before_HWC, after_HWC))
    np.testing.assert_allclose(np.median(flow_HW2[50:78, 36:64], axis=(0, 1)), (8, 0), atol=0.2)
    assert visible_HW[50:78, 36:64].mean() > 0.95
    # eight columns of the ground are covered; the estimate blurs two at their rim
    assert visible_HW[48:80, 71:77].mean() < 0.2
    assert visible_HW[:30].mean() > 0.95
    assert visible_HW[98:].mean() > 0.95


def test_the_flow_depends_on_neither_threads_nor_earlier_calls_nor_pickling() -> None:
    frames = shifted(120, 160, 3, 2)
    backend = DisFlow("fast", max_side=300)
    first_HW2 = backend.flow(*frames)
    backend.flow(*frames[::-1])
    # OpenCV leaves other settings behind when it sees a small frame
    backend.flow(*shifted(20, 20, 1, 0))
    copy = pickle.loads(pickle.dumps(backend))
    assert (copy.name, copy.max_side) == ("dis_fast", 300)
    threads = cv2.getNumThreads()
    try:
        for number in (1, 4):
            cv2.setNumThreads(number)
            np.testing.assert_array_equal(backend.flow(*frames), first_HW2)
            np.testing.assert_array_equal(copy.flow(*frames), first_HW2)
    finally:
        cv2.setNumThreads(threads)


def test_what_does_not_fit_is_a_value_error() -> None:
    assert DisFlow("fast").name == "dis_fast"
    with pytest.raises(ValueError, match=r"preset.*'slow'"):
        DisFlow("slow")
    with pytest.raises(ValueError, match=r"max_side.*got 15"):
        DisFlow(max_side=15)
    with pytest.raises(ValueError, match="frame_b_HWC"):
        DisFlow().flow(np.zeros((32, 32, 3), np.uint8), np.zeros((32, 30, 3), np.uint8))


def test_a_config_can_choose_no_flow() -> None:
    assert build({"_target_": "facestab.video.flow.no_flow"}) is None
