"""The self-check of flow backends."""

import cv2
import numpy as np
import pytest

from facestab.video.farneback import FarnebackFlow
from facestab.video.flow import Correspondence, DisFlow, EstimatedFlow, VideoFrame
from facestab.video.flow_check import check_flow, photometric_error
from tests.video.textures import shifted, texture


class _Constant(EstimatedFlow):
    """Says the same of any two frames."""

    def __init__(self, x: float, is_visible: bool = True) -> None:
        super().__init__("constant", 10_000)
        self.x = x
        self.is_visible = is_visible

    def _estimate(self, frame_a_HWC: np.ndarray, frame_b_HWC: np.ndarray) -> np.ndarray:
        return np.full((*frame_a_HWC.shape[:2], 2), [self.x, 0], np.float32)

    def correspondence(self, frame_a: VideoFrame, frame_b: VideoFrame) -> Correspondence:
        flow_HW2 = self.flow(frame_a.pixels_HWC, frame_b.pixels_HWC)
        return Correspondence(flow_HW2, np.full(flow_HW2.shape[:2], self.is_visible))


class _Known:
    """Does not look at pixels."""

    name = "known"

    def correspondence(self, frame_a: VideoFrame, frame_b: VideoFrame) -> Correspondence:
        raise AssertionError("was asked for the motion of frames that are none of its own")


def _video(noise: float, size: tuple[int, int] = (128, 160), num_frames: int = 3) -> np.ndarray:
    """A still picture under a noisy camera."""
    rng = np.random.default_rng(5)
    picture_HWC = cv2.GaussianBlur(texture(*size), (0, 0), 2).astype(np.float32)
    picture_HWC = cv2.normalize(picture_HWC, None, 40, 215, cv2.NORM_MINMAX)
    grain_THW = noise * rng.standard_normal((num_frames, *size, 1))
    return np.clip(picture_HWC + grain_THW + 0.5, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("backend", [DisFlow(), DisFlow("fast"), FarnebackFlow()], ids=lambda backend: backend.name)
def test_a_good_estimator_has_a_small_error_on_a_textured_picture(backend: EstimatedFlow) -> None:
    check = check_flow(backend, _video(noise=1.0))
    assert check is not None
    assert check.endpoint_error_px < 0.25
    assert check.endpoint_error_px < 0.5 * check.motion_px
    assert check.coverage > 0.97


def test_a_backend_that_sees_no_motion_has_the_motion_as_its_error() -> None:
    check = check_flow(_Constant(0.0), _video(noise=1.0))
    assert check is not None
    assert check.endpoint_error_px == pytest.approx(check.motion_px, rel=1e-5)
    # 0.4 percent of the shorter side, but for what leaves the frame
    assert check.motion_px == pytest.approx(0.004 * 128, rel=0.05)
    assert check.coverage == 1


def test_an_offset_in_the_flow_is_found_as_an_error_of_that_size() -> None:
    check = check_flow(_Constant(40.0), _video(noise=1.0))
    assert check is not None
    assert check.endpoint_error_px == pytest.approx(40, abs=1)


def test_noise_makes_the_check_harder() -> None:
    errors = [check_flow(DisFlow(), _video(noise)) for noise in (1.0, 8.0, 20.0)]
    quiet, loud, deafening = (check.endpoint_error_px for check in errors if check is not None)
    assert quiet < 0.8 * loud < 0.64 * deafening


def test_a_backend_that_calls_nothing_visible_has_no_error_and_no_coverage() -> None:
    check = check_flow(_Constant(0.0, is_visible=False), _video(noise=1.0))
    assert check is not None
    assert np.isnan(check.endpoint_error_px)
    assert check.coverage == 0


def test_the_check_depends_on_its_seed_alone() -> None:
    frames_THWC = _video(noise=3.0)
    before_THWC = frames_THWC.copy()
    first = check_flow(DisFlow(), frames_THWC, seed=1)
    assert check_flow(DisFlow(), frames_THWC, seed=1) == first
    assert check_flow(DisFlow(), frames_THWC, seed=2) != first
    np.testing.assert_array_equal(frames_THWC, before_THWC)


@pytest.mark.parametrize("size", [(16, 90), (33, 7), (3, 3)])
def test_small_frames_can_be_checked(size: tuple[int, int]) -> None:
    check = check_flow(DisFlow("fast"), np.stack([texture(*size)] * 2))
    assert check is not None
    assert 0 < check.coverage <= 1


def test_a_single_pixel_has_nothing_to_compare() -> None:
    check = check_flow(DisFlow("fast"), np.stack([texture(1, 1)] * 2))
    assert check is not None
    assert np.isnan(check).all()


def test_a_backend_that_does_not_look_at_pixels_is_not_checked() -> None:
    assert check_flow(_Known(), _video(noise=1.0)) is None


def test_one_frame_does_not_tell_its_noise() -> None:
    with pytest.raises(ValueError, match=r"frames_THWC.*got 1"):
        check_flow(DisFlow(), _video(noise=1.0, num_frames=1))


def test_the_photometric_error_is_zero_where_the_right_flow_leads_and_counts_visible_pixels_only() -> None:
    frame_a, frame_b = shifted(40, 50, 3, 1)
    flow_HW2 = np.full((40, 50, 2), [3, 1], np.float32)
    visible_HW = np.ones((40, 50), bool)
    assert photometric_error(frame_a, frame_b, Correspondence(flow_HW2, visible_HW)) == pytest.approx(0, abs=1e-6)
    assert photometric_error(frame_a, frame_b, Correspondence(0 * flow_HW2, visible_HW)) > 0.03
    changed_HWC = frame_b.copy()
    changed_HWC[10:20, 10:20] = 255 - changed_HWC[10:20, 10:20]
    assert photometric_error(frame_a, changed_HWC, Correspondence(flow_HW2, visible_HW)) > 0.001
    visible_HW[9:19, 7:17] = False
    assert photometric_error(frame_a, changed_HWC, Correspondence(flow_HW2, visible_HW)) == pytest.approx(0, abs=1e-6)


def test_the_photometric_error_is_a_mean_over_pixels_and_channels_and_nan_without_any() -> None:
    frame_a, frame_b = np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3, 3), np.uint8)
    frame_b[0, 0] = (51, 102, 0)
    still_HW2 = np.zeros((2, 3, 2), np.float32)
    error = photometric_error(frame_a, frame_b, Correspondence(still_HW2, np.ones((2, 3), bool)))
    assert error == pytest.approx((0.2 + 0.4) / 18)
    assert np.isnan(photometric_error(frame_a, frame_b, Correspondence(still_HW2, np.zeros((2, 3), bool))))
