"""What stands between a scene and the frame that a user gets: light, lens, sensor and codec."""

import math
from dataclasses import dataclass, fields

import cv2
import numpy as np

from facestab.data.synthetic.seeds import generator


@dataclass(frozen=True)
class Conditions:
    """Strengths of everything that moves or damages a picture; 0 switches each one off.

    Attributes:
        noise: standard deviation of the sensor noise in mid-grey, where white is 1; the dark has up to twice as much.
        gain_flicker: standard deviation of the log brightness that is drawn for each frame.
        colour_flicker: the same for each colour channel on its own.
        colour_cast: standard deviation of the log gain of each channel that is drawn for each clip.
        dimming: share of the light that a clip may lack at most.
        blur: largest standard deviation of the lens blur, in thousandths of the frame height.
        motion_blur: share of the frame time during which the shutter is open.
        jpeg_quality: lowest and highest quality of the codec, 1 to 100; None for no codec.
        light_drift: standard deviation of the lamp's wander, in radians, and of its log strength.
        motion: head, expression and background relative to a real talking head; 0 freezes them.
        hand: probability that a hand passes by in a clip.
    """

    noise: float = 0.0
    gain_flicker: float = 0.0
    colour_flicker: float = 0.0
    colour_cast: float = 0.0
    dimming: float = 0.0
    blur: float = 0.0
    motion_blur: float = 0.0
    jpeg_quality: tuple[int, int] | None = None
    light_drift: float = 0.0
    motion: float = 1.0
    hand: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "jpeg_quality" and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{field.name}: a strength of 0 or more is needed, got {value}")
        for name in ("dimming", "motion_blur", "hand"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name}: a share from 0 to 1 is needed, got {getattr(self, name)}")
        if self.jpeg_quality is not None:
            object.__setattr__(self, "jpeg_quality", _checked_range(self.jpeg_quality))

    @classmethod
    def clean(cls) -> "Conditions":
        """A good still camera: what labelled images are taken with."""
        return cls(noise=0.006, colour_cast=0.03, blur=1.0, hand=0.1)

    @classmethod
    def video(cls) -> "Conditions":
        """A cheap webcam in a dim room: what flickers when a network learnt from clean stills."""
        return cls(
            noise=0.045,
            gain_flicker=0.04,
            colour_flicker=0.015,
            colour_cast=0.08,
            dimming=0.45,
            blur=7.0,
            motion_blur=0.5,
            jpeg_quality=(22, 55),
            light_drift=0.25,
            hand=0.3,
        )


def _checked_range(quality: tuple[int, int]) -> tuple[int, int]:
    low, high = (int(v) for v in quality)
    if not 1 <= low <= high <= 100:
        raise ValueError(f"jpeg_quality: low and high from 1 to 100 are needed, got {tuple(quality)}")
    return low, high


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
        clip_keys: seeds of the clip; with t they decide every draw.
    """
    frame_HW3 = _blur(clean_HW3, camera)
    frame_HW3 *= _gains(conditions, clip_keys, t)
    if conditions.noise:
        frame_HW3 += _noise(frame_HW3, conditions.noise, generator("noise", *clip_keys, t))
    frame_HW3 *= 255
    frame_HW3 += 0.5
    frame_HW3_u8 = np.clip(frame_HW3, 0, 255).astype(np.uint8)
    if conditions.jpeg_quality is None:
        return frame_HW3_u8
    return _compress(frame_HW3_u8, conditions.jpeg_quality, generator("jpeg", *clip_keys, t))


def _blur(clean_HW3: np.ndarray, camera: CameraState) -> np.ndarray:
    frame_HW3 = clean_HW3.copy()
    if camera.blur_px > 0.15:
        cv2.GaussianBlur(frame_HW3, (0, 0), camera.blur_px, dst=frame_HW3)
    length = math.hypot(*camera.shift_px)
    if length < 0.3:
        return frame_HW3
    steps = min(2 + int(length), 7)
    total_HW3 = np.zeros_like(frame_HW3)
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
    """Noise of the sensor, half of it in blotches of two pixels as a camera's own denoising leaves them."""
    height, width, _ = frame_HW3.shape
    fine_HW3 = rng.standard_normal(frame_HW3.shape, np.float32)
    coarse_HW3 = rng.standard_normal(((height + 1) // 2, (width + 1) // 2, 3), np.float32)
    fine_HW3 += 1.2 * cv2.resize(coarse_HW3, (width, height), interpolation=cv2.INTER_LINEAR)
    level_HW1 = frame_HW3[..., 1:2]
    fine_HW3 *= (strength / 1.3) * np.clip(1.9 - 1.8 * level_HW1, 0.7, 2.0)
    return fine_HW3


def _compress(frame_HW3: np.ndarray, quality: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    level = int(rng.integers(quality[0], quality[1] + 1))
    is_done, code = cv2.imencode(".jpg", frame_HW3[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, level])
    if not is_done:
        raise RuntimeError("OpenCV cannot encode JPEG pictures; reinstall opencv-python-headless")
    return np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1])
