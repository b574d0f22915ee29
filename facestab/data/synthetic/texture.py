"""Patterns that are drawn once: noise, the skin of an identity over its rest chart, the background of a clip."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from facestab.data.synthetic.chart import FaceChart
from facestab.data.synthetic.identity import Identity
from facestab.data.synthetic.seeds import generator

NOISE_SIZE = 512
_CHART = (-0.40, 0.40, -0.52, 0.56)
_TEXELS_PER_UNIT = 256


@dataclass(frozen=True)
class SkinMap:
    """What the skin looks like over the rest chart.

    Attributes:
        albedo_HW3: float32 linear reflectance.
        slope_HW2: float32 slopes (x, y) of the relief that the skull's ellipsoids lack.
    """

    albedo_HW3: np.ndarray
    slope_HW2: np.ndarray


@lru_cache(maxsize=1)
def noise_tile() -> np.ndarray:
    """float32 (512, 512, 2), tileable, zero mean, unit variance: cloudy noise, and fine grain."""
    rng = generator("noise map")
    frequency = np.hypot(np.fft.fftfreq(NOISE_SIZE)[:, None], np.fft.rfftfreq(NOISE_SIZE)[None, :]) * NOISE_SIZE
    channels = []
    for low, high, power in ((1, 60, 1.3), (40, 200, 0.5)):
        shape = np.where((frequency >= low) & (frequency <= high), np.maximum(frequency, 1.0) ** -power, 0)
        pattern = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((NOISE_SIZE, NOISE_SIZE))) * shape)
        channels.append(pattern / pattern.std())
    return np.stack(channels, -1).astype(np.float32)


def sample(texture: np.ndarray, column: np.ndarray, row: np.ndarray, *, wrap: bool) -> np.ndarray:
    """Bilinear samples (N, C) of a float32 texture (H, W, C) at float texel places (N,)."""
    count = len(column)
    # cv2.remap takes no side longer than 32766
    width = min(256, max(count, 1))
    places = np.zeros((2, -(-count // width) * width), np.float32)
    places[0, :count], places[1, :count] = column, row
    border = cv2.BORDER_WRAP if wrap else cv2.BORDER_REPLICATE
    grid = places.reshape(2, -1, width)
    taken = cv2.remap(texture, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=border)
    found: np.ndarray = taken.reshape(-1, texture.shape[2])[:count]
    return found


def sample_noise(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Cloudy and fine noise (N, 2); the tile repeats every 1 in u and v."""
    return sample(noise_tile(), (u % 1.0) * NOISE_SIZE, (v % 1.0) * NOISE_SIZE, wrap=True)


def sample_chart(texture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Samples (N, C) of a map over the rest chart."""
    x_low, _, y_low, _ = _CHART
    return sample(texture, (x - x_low) * _TEXELS_PER_UNIT - 0.5, (y - y_low) * _TEXELS_PER_UNIT - 0.5, wrap=False)


def _chart_grid() -> tuple[np.ndarray, np.ndarray]:
    x_low, x_high, y_low, y_high = _CHART
    columns, rows = round((x_high - x_low) * _TEXELS_PER_UNIT), round((y_high - y_low) * _TEXELS_PER_UNIT)
    x = (x_low + (np.arange(columns) + 0.5) / _TEXELS_PER_UNIT).astype(np.float32)
    y = (y_low + (np.arange(rows) + 0.5) / _TEXELS_PER_UNIT).astype(np.float32)
    return x[None, :], y[:, None]


@lru_cache(maxsize=8)
def skin_map(identity: Identity) -> SkinMap:
    """The skin of an identity, drawn once and kept for the identities used last."""
    x, y = _chart_grid()
    x_HW, y_HW = (np.ascontiguousarray(v) for v in np.broadcast_arrays(x, y))
    offset = generator("skin offset", identity.seed).random(2, np.float32)
    noise_N2 = sample_noise(x_HW.ravel() * 0.9 + offset[0], y_HW.ravel() * 0.9 + offset[1])
    noise_HW2 = noise_N2.reshape(*x_HW.shape, 2)
    albedo_HW3 = _skin_tone(identity, x, y, noise_HW2)
    chart = FaceChart(identity)
    albedo_HW3 *= _folds(identity, chart, x, y)[..., None]
    _paint_lips(identity, chart, albedo_HW3, x, y, noise_HW2)
    _paint_brows(identity, chart, albedo_HW3, x, y)
    _paint_lashes(chart, albedo_HW3, x, y)
    return SkinMap(albedo_HW3, _relief_slopes(identity, chart, x, y))


def _bump(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], spread: tuple[float, float]) -> np.ndarray:
    found: np.ndarray = np.exp(-(((np.abs(x) - centre[0]) / spread[0]) ** 2)) * np.exp(
        -(((y - centre[1]) / spread[1]) ** 2)
    )
    return found


def _skin_tone(identity: Identity, x: np.ndarray, y: np.ndarray, noise_HW2: np.ndarray) -> np.ndarray:
    tone = np.array(identity.skin, np.float32) ** 2
    cloudy, fine = noise_HW2[..., 0], noise_HW2[..., 1]
    spots = np.clip(fine - 1.3, 0, 1) * _bump(x, y, (0.12, 0.12), (0.14, 0.12)) * identity.freckles
    brightness = 1 + 0.05 * cloudy + 0.035 * fine - 0.5 * spots
    brightness = brightness * (1 - 0.30 * identity.stubble * _beard(x, y) * (1 + 0.25 * fine))
    redness = (
        0.20 * _bump(x, y, (0.185, 0.17), (0.09, 0.08)) + 0.16 * _bump(x, y, (0, 0.19), (0.07, 0.05)) + 0.02 * cloudy
    )
    albedo_HW3 = brightness[..., None] * tone
    albedo_HW3[..., 0] *= 1 + 0.3 * redness
    albedo_HW3[..., 1:] *= (1 - 0.6 * redness)[..., None]
    found: np.ndarray = albedo_HW3.astype(np.float32)
    return found


def _beard(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    jaw = 1 / (1 + np.exp(-(y + 0.35 * np.abs(x) - 0.335) / 0.018))
    moustache = _bump(x, y, (0.05, 0.255), (0.075, 0.022))
    found: np.ndarray = np.maximum(jaw, moustache)
    return found


def _folds(identity: Identity, chart: FaceChart, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Soft shadows (H, W), 1 where there is none."""
    eye_x, eye_y = identity.eye_x, identity.eye_y
    shade = 0.26 * _bump(x, y, (eye_x - 0.02, eye_y - 0.045), (0.095, 0.035))
    shade = shade + 0.16 * _bump(x, y, (eye_x - 0.01, eye_y + 0.055), (0.07, 0.022))
    shade = shade + 0.2 * _bump(x, y, (0.055, eye_y - 0.03), (0.025, 0.05))
    crease_y = eye_y - 0.032 + 3.2 * (np.abs(x) - eye_x) ** 2
    inside = np.clip(1 - ((np.abs(x) - eye_x) / (1.1 * identity.eye_half_width)) ** 2, 0, 1)
    shade = shade + 0.35 * inside * np.exp(-(((y - crease_y) / 0.006) ** 2))
    fold_x = 0.085 + 0.55 * np.clip(y - 0.2, 0, 0.14)
    shade = shade + 0.16 * np.exp(-(((np.abs(x) - fold_x) / 0.011) ** 2)) * _bump(x, y, (0.11, 0.255), (0.2, 0.06))
    under_nose = 0.22 * identity.nose_length
    shade = shade + 0.34 * _bump(x, y, (0, under_nose), (0.08, 0.02))
    shade = shade + 0.45 * _bump(x, y, (0.032 * identity.nose_width, under_nose - 0.007), (0.014, 0.008))
    below_lip = identity.mouth_y + identity.lower_lip + 0.018
    shade = shade + 0.22 * _bump(x, y, (0, below_lip), (0.075, 0.016))
    corner = chart.mouth.half_width + 0.004
    found: np.ndarray = 1 - np.clip(shade + 0.3 * _bump(x, y, (corner, identity.mouth_y), (0.014, 0.014)), 0, 0.85)
    return found


def _blend(albedo_HW3: np.ndarray, cover_HW: np.ndarray, tone: np.ndarray) -> None:
    albedo_HW3 += cover_HW[..., None] * (tone - albedo_HW3)


def _cover(depth: np.ndarray) -> np.ndarray:
    """Depth inside an outline to the share of a texel that is inside."""
    return np.clip(depth * _TEXELS_PER_UNIT + 0.5, 0, 1).astype(np.float32)


def _paint_lips(
    identity: Identity, chart: FaceChart, albedo_HW3: np.ndarray, x: np.ndarray, y: np.ndarray, noise_HW2: np.ndarray
) -> None:
    upper, lower = chart.lip_depths(x, y)
    tone = np.array(identity.lip, np.float32) ** 2
    creases = 1 + 0.10 * np.sin(x * 330 + 2 * noise_HW2[..., 0]) * np.exp(-((x / 0.08) ** 2))
    _blend(albedo_HW3, 0.92 * _cover(upper), (0.78 * creases)[..., None] * tone)
    _blend(albedo_HW3, 0.92 * _cover(lower), (1.06 * creases)[..., None] * tone)
    inside = np.abs(x) < chart.mouth.half_width
    seam = np.exp(-(((y - chart.mouth.line(x)) / 0.006) ** 2)) * inside
    albedo_HW3 *= (1 - 0.55 * seam)[..., None]


def _paint_brows(identity: Identity, chart: FaceChart, albedo_HW3: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    tone = np.array(identity.brow, np.float32) ** 2
    for slit, side in ((chart.brow_left, -1), (chart.brow_right, 1)):
        depth = chart.brow_depth(slit, x, y)
        hairs = 0.82 + 0.18 * np.sin(side * x * 420 + y * 520 + 3 * np.sin(x * 90))
        _blend(albedo_HW3, _cover(depth) * (identity.brow_density * hairs).astype(np.float32), tone)


def _paint_lashes(chart: FaceChart, albedo_HW3: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    for slit in (chart.eye_left, chart.eye_right):
        inside = np.clip(1 - ((x - slit.centre_x) / slit.half_width) ** 2, 0, 1) ** 0.5
        offset = slit.line(x) - y
        upper = np.clip((0.009 - offset) / 0.003, 0, 1) * (offset > 0)
        lower = 0.45 * np.clip((0.006 + offset) / 0.003, 0, 1) * (offset <= 0)
        albedo_HW3 *= (1 - 0.88 * inside * (upper + lower))[..., None].astype(np.float32)


def _relief_slopes(identity: Identity, chart: FaceChart, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    eye_x, eye_y = identity.eye_x, identity.eye_y
    height = -0.030 * _bump(x, y, (eye_x - 0.015, eye_y - 0.02), (0.10, 0.06))
    height = height + 0.016 * _bump(x, y, (eye_x, eye_y), (0.06, 0.045))
    height = height + 0.012 * _bump(x, y, (0.1, identity.brow_y - 0.01), (0.14, 0.04))
    height = height + 0.016 * _bump(x, y, (0.19, 0.14), (0.07, 0.07))
    height = height + 0.022 * _bump(x, y, (0, identity.chin_y - 0.07), (0.08, 0.045))
    height = height - 0.008 * _bump(x, y, (0, identity.mouth_y + identity.lower_lip + 0.02), (0.07, 0.02))
    height = height - 0.006 * _bump(x, y, (0, 0.25), (0.012, 0.025))
    height = height + 0.02 * _bump(x, y, (0, identity.mouth_y), (0.12, 0.07))
    upper, lower = chart.lip_depths(x, y)
    for depth, half in ((upper, identity.upper_lip / 2), (lower, identity.lower_lip / 2)):
        fullness = np.clip(depth / half, 0, 1)
        height = height + 0.011 * fullness * (2 - fullness)
    slope_y, slope_x = np.gradient(height.astype(np.float32), 1 / _TEXELS_PER_UNIT)
    found: np.ndarray = cv2.GaussianBlur(np.stack([slope_x, slope_y], -1), (0, 0), 1.2)
    return found
