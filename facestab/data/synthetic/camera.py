"""What a camera does to a picture: lens, shutter, gain, sensor and codec."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from facestab.data.synthetic.conditions import Conditions
from facestab.data.synthetic.seeds import generator


@dataclass(frozen=True)
class CameraState:
    """What changes slowly in a camera, at one frame.

    Attributes:
        blur_px: standard deviation of the lens blur.
        shift_px: movement of the face while the shutter is open, x and y.
    """

    blur_px: float
    shift_px: tuple[float, float]


def damage(
    clean_HW3: np.ndarray, conditions: Conditions, camera: CameraState, *, clip_keys: tuple[int, ...], t: int
) -> np.ndarray:
    """The frame that a camera delivers: uint8 RGB (H, W, 3).

    Args:
        clean_HW3: float32 from 0 to 1.
        conditions: how strong each damage is.
        camera: lens and shutter at this frame.
        clip_keys: seeds of the clip; with t they decide every draw.
        t: number of the frame.
    """
    frame_HW3 = _blur(clean_HW3, camera)
    frame_HW3 *= _gains(conditions, clip_keys, t)
    if conditions.noise:
        frame_HW3 += _noise(frame_HW3, conditions.noise, generator("noise", *clip_keys, t))
    frame_HW3 *= 255
    frame_HW3 += 0.5
    frame_HW3_u8 = np.clip(frame_HW3, 0, 255).astype(np.uint8)
    if conditions.jpeg_quality is None:
        found: np.ndarray = frame_HW3_u8
        return found
    return _compress(frame_HW3_u8, conditions.jpeg_quality, generator("jpeg", *clip_keys, t))


def _blur(clean_HW3: np.ndarray, camera: CameraState) -> np.ndarray:
    frame_HW3: np.ndarray = clean_HW3.copy()
    if camera.blur_px > 0.15:
        cv2.GaussianBlur(frame_HW3, (0, 0), camera.blur_px, dst=frame_HW3)
    length = math.hypot(*camera.shift_px)
    if length < 0.3:
        return frame_HW3
    steps = min(2 + int(length), 7)
    total_HW3: np.ndarray = np.zeros_like(frame_HW3)
    for place in np.linspace(-0.5, 0.5, steps):
        shift_23 = np.array([[1, 0, place * camera.shift_px[0]], [0, 1, place * camera.shift_px[1]]])
        total_HW3 += cv2.warpAffine(frame_HW3, shift_23, frame_HW3.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    total_HW3 /= steps
    return total_HW3


def _gains(conditions: Conditions, clip_keys: tuple[int, ...], t: int) -> np.ndarray:
    of_clip, of_frame = generator("cast", *clip_keys), generator("gain", *clip_keys, t)
    dimming = 1 - conditions.dimming * of_clip.random()
    log_gain = conditions.colour_cast * of_clip.standard_normal(3)
    log_gain += conditions.gain_flicker * of_frame.standard_normal()
    log_gain += conditions.colour_flicker * of_frame.standard_normal(3)
    return (dimming * np.exp(log_gain)).astype(np.float32)


def _noise(frame_HW3: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of the sensor: brightness more than colour, half in blotches as a camera's own denoising leaves them."""
    height, width, _ = frame_HW3.shape
    coarse_HW4 = rng.standard_normal(((height + 1) // 2, (width + 1) // 2, 4), np.float32)
    grain_HW4 = rng.standard_normal((height, width, 4), np.float32)
    grain_HW4 += 1.2 * cv2.resize(coarse_HW4, (width, height), interpolation=cv2.INTER_LINEAR)
    noise_HW3 = 0.6 * grain_HW4[..., :3] + 0.8 * grain_HW4[..., 3:]
    noise_HW3 *= (strength / 1.3) * np.clip(1.9 - 1.8 * frame_HW3[..., 1:2], 0.7, 2.0)
    return noise_HW3


def _compress(frame_HW3: np.ndarray, quality: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    level = int(rng.integers(quality[0], quality[1] + 1))
    is_done, code = cv2.imencode(".jpg", frame_HW3[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, level])
    if not is_done:
        raise RuntimeError("OpenCV cannot encode JPEG pictures; reinstall opencv-python-headless")
    decoded_HW3: np.ndarray = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(decoded_HW3[..., ::-1])
