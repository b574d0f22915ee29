"""How far a flow backend can be trusted on the user's own video, without ground truth."""

import math
from typing import NamedTuple

import cv2
import numpy as np
import torch

from facestab.functional.warping import warp_bilinear
from facestab.video.flow import Correspondence, EstimatedFlow, FlowBackend, VideoFrame

# mean length of the motion as a share of the shorter side: what a talking head moves in two frames at 25 frames/s
_MEAN_MOTION = 0.004
# distance of the points that the local part of the motion goes through, as a share of the shorter side
_BEND_STEP = 0.2
# Codecs and the cameras' own filters turn noise into blotches of about this standard deviation, which mislead more
# than fine grain. On clips with exact flow it foretells the error within a fifth at 96 pixels; noisy clips at 256
# pixels have up to 1.7 times what it says.
_GRAIN_PX = 1.6
# what the frames' own noise is smoothed by
_SMOOTHING_PX = 1.0


class FlowCheck(NamedTuple):
    """What `check_flow` found.

    Attributes:
        endpoint_error_px: mean distance between estimated and true target of a pixel, over the pixels that the backend
            calls visible; nan when there are none.
        coverage: share of the pixels in 0..1 that the backend calls visible, of those that are.
        motion_px: mean length of the true motion, which is the error of a backend that sees no motion: one with a
            larger error is worse than none.
    """

    endpoint_error_px: float
    coverage: float
    motion_px: float


def check_flow(backend: FlowBackend, frames_THWC: np.ndarray, seed: int = 0) -> FlowCheck | None:
    """Error of a backend on frames that are moved in a known way, None for one that does not look at pixels.

    Each frame is warped by a smooth random motion (turn, zoom, shift, and a bending of the picture) as large as that of
    a talking head in two frames. The frame is smoothed first and both pictures get new noise of the strength that the
    frames have, or the noise would move along and make the task easy. Light does not change and nothing is covered:
    real video is harder.

    Args:
        backend: to be checked.
        frames_THWC: uint8 RGB, consecutive frames, at least two; a handful is enough.
        seed: of motion and noise.

    Raises:
        ValueError: when there are fewer than two frames.
    """
    if not isinstance(backend, EstimatedFlow):
        return None
    if len(frames_THWC) < 2:
        raise ValueError(f"frames_THWC: at least 2 frames are needed to know their noise, got {len(frames_THWC)}")
    rng = np.random.default_rng(seed)
    noise_std = _noise_std(frames_THWC)
    total = np.zeros(4)
    for frame_HWC in frames_THWC:
        flow_HW2 = _motion(frame_HWC.shape[0], frame_HWC.shape[1], rng)
        first, second = _moved(frame_HWC, flow_HW2, noise_std, rng)
        found = backend.correspondence(VideoFrame("check", 0, first), VideoFrame("check", 1, second))
        total += _compare(found, flow_HW2)
    error, covered, motion, inside = total.tolist()
    return FlowCheck(_mean(error, covered), _mean(covered, inside), _mean(motion, inside))


def photometric_error(frame_a_HWC: np.ndarray, frame_b_HWC: np.ndarray, correspondence: Correspondence) -> float:
    """Mean absolute difference between frame a and frame b brought onto it: the floor of what warping can compare.

    Args:
        frame_a_HWC: uint8 RGB.
        frame_b_HWC: uint8 RGB.
        correspondence: from a to b.

    Returns:
        In 0..1, over the visible pixels and the channels; nan when none is visible.
    """
    frame_a, frame_b = (torch.from_numpy(f).movedim(-1, 0).float() / 255 for f in (frame_a_HWC, frame_b_HWC))
    warped_CHW, in_bounds_HW = warp_bilinear(frame_b, torch.from_numpy(correspondence.flow_HW2))
    mask_HW = in_bounds_HW & torch.from_numpy(correspondence.visible_HW)
    return float((warped_CHW - frame_a).abs()[:, mask_HW].mean())


def _noise_std(frames_THWC: np.ndarray) -> float:
    """Standard deviation of the luma's noise, from the median change between frames, which motion hardly moves."""
    # float first: in whole grey levels the median would be coarse
    luma_THW = np.stack([cv2.cvtColor(f.astype(np.float32), cv2.COLOR_RGB2GRAY) for f in frames_THWC])
    change_THW = np.diff(luma_THW, axis=0)
    # the lamp and the camera's gain change all pixels alike
    change_THW -= np.median(change_THW, axis=(1, 2), keepdims=True)
    # 0.6745 is the median of |x| for a normal x; a difference carries the noise of two frames
    return float(np.median(np.abs(change_THW)) / (0.6745 * math.sqrt(2)))


def _motion(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (H, W, 2): affine motion and a smooth bending of equal parts, scaled to the mean length."""
    side = min(height, width)
    y_HW, x_HW = np.indices((height, width), dtype=np.float32)
    place_HW3 = np.stack([(x_HW - width / 2) / side, (y_HW - height / 2) / side, np.full_like(x_HW, 0.5)], -1)
    affine_HW2 = place_HW3 @ rng.standard_normal((3, 2)).astype(np.float32)
    rows, columns = (math.ceil(length / (_BEND_STEP * side)) for length in (height, width))
    points_HW2 = rng.standard_normal((rows, columns, 2)).astype(np.float32)
    bend_HW2 = cv2.resize(points_HW2, (width, height), interpolation=cv2.INTER_CUBIC)
    parts = [part_HW2 / _mean_length(part_HW2) for part_HW2 in (affine_HW2, bend_HW2)]
    flow_HW2 = parts[0] + parts[1]
    found: np.ndarray = flow_HW2 * np.float32(_MEAN_MOTION * side / _mean_length(flow_HW2))
    return found


def _mean_length(flow_HW2: np.ndarray) -> float:
    return max(float(np.linalg.norm(flow_HW2, axis=-1).mean()), 1e-9)


def _moved(
    frame_HWC: np.ndarray, flow_HW2: np.ndarray, noise_std: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Two frames, uint8 RGB: what is at p in the first is at p + flow[p] in the second."""
    second_HWC = cv2.GaussianBlur(frame_HWC, (0, 0), _SMOOTHING_PX).astype(np.float32)
    y_HW, x_HW = np.indices(flow_HW2.shape[:2], dtype=np.float32)
    targets = x_HW + flow_HW2[..., 0], y_HW + flow_HW2[..., 1]
    first_HWC = cv2.remap(second_HWC, *targets, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return _noisy(first_HWC, noise_std, rng), _noisy(second_HWC, noise_std, rng)


def _noisy(frame_HWC: np.ndarray, noise_std: float, rng: np.random.Generator) -> np.ndarray:
    grain_HW = cv2.GaussianBlur(rng.standard_normal(frame_HWC.shape[:2]).astype(np.float32), (0, 0), _GRAIN_PX)
    grain_HW *= noise_std / max(float(grain_HW.std()), 1e-9)
    found: np.ndarray = np.clip(frame_HWC + grain_HW[..., None] + 0.5, 0, 255).astype(np.uint8)
    return found


def _mean(total: float, count: float) -> float:
    return total / count if count else math.nan


def _compare(found: Correspondence, true_HW2: np.ndarray) -> np.ndarray:
    """Sum of the errors, number of pixels they are of, sum of the true motion, and number of pixels in the frame."""
    height, width = true_HW2.shape[:2]
    y_HW, x_HW = np.indices((height, width), dtype=np.float32)
    x_HW, y_HW = x_HW + true_HW2[..., 0], y_HW + true_HW2[..., 1]
    inside_HW = (x_HW >= 0) & (x_HW <= width - 1) & (y_HW >= 0) & (y_HW <= height - 1)
    covered_HW = inside_HW & found.visible_HW
    error_HW = np.linalg.norm(found.flow_HW2 - true_HW2, axis=-1)
    motion_HW = np.linalg.norm(true_HW2, axis=-1)
    return np.array([error_HW[covered_HW].sum(), covered_HW.sum(), motion_HW[inside_HW].sum(), inside_HW.sum()])
