"""Colour: from the hits of a scene to linear light, and from samples to a picture."""

import cv2
import numpy as np

from facestab.data.synthetic.backdrop import Backdrop
from facestab.data.synthetic.parts import Layer, Part, hand_depth
from facestab.data.synthetic.scene import Group, Scene, pixel_rays
from facestab.data.synthetic.texture import sample_chart, sample_noise, skin_map

SAMPLES = 2
"""Rays per pixel and axis."""

_AMBIENT = 0.42
_LENS_SIGMA_PX = 0.45


def render(scene: Scene, backdrop: Backdrop, size: int) -> np.ndarray:
    """The picture of a scene: float32 sRGB-like (size, size, 3) from 0 to 1, with soft edges like a lens's."""
    num_samples = size * SAMPLES
    hits = scene.cast(*pixel_rays(size, SAMPLES))
    state = scene.state
    colour_HW3 = backdrop.view(num_samples, state.pan_x, state.pan_y)
    colour_HW3 *= 0.55 + 0.45 * state.light_gain
    colour_N3 = colour_HW3.reshape(-1, 3)
    light = _Light(scene)
    for group, paint in zip(hits.groups, (_paint_skin, _paint_head, _paint_body, _paint_hand), strict=True):
        if len(group.index):
            colour_N3[group.index] = paint(scene, light, group)
    sigma = _LENS_SIGMA_PX * SAMPLES
    blurred_HW3 = cv2.GaussianBlur(colour_HW3, (5, 5), sigma)
    linear_HW3 = cv2.resize(blurred_HW3, (size, size), interpolation=cv2.INTER_AREA)
    return np.sqrt(np.clip(linear_HW3, 0, 1))


class _Light:
    """One lamp and what the room scatters, as seen from the camera and from the head."""

    def __init__(self, scene: Scene) -> None:
        azimuth, elevation = scene.state.light_azimuth, scene.state.light_elevation
        flat = np.cos(elevation)
        self.world_3 = np.array([flat * np.sin(azimuth), -np.sin(elevation), flat * np.cos(azimuth)])
        self.head_3 = scene.placement.head.matrix_33.T @ self.world_3 / scene.state.scale
        self.gain = scene.state.light_gain

    def shade(self, nx: np.ndarray, ny: np.ndarray, nz: np.ndarray, *, of_head: bool) -> np.ndarray:
        """Irradiance (N,) of surfaces with normals of any length."""
        lx, ly, lz = (self.head_3 if of_head else self.world_3).tolist()
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        facing = (lx * nx + ly * ny + lz * nz) / np.maximum(length, 1e-6)
        wrapped = np.maximum((facing + 0.25) * 0.8, 0)
        return self.gain * (_AMBIENT * (0.8 - 0.2 * ny / np.maximum(length, 1e-6)) + 0.95 * wrapped * wrapped**0.2)


def _paint_skin(scene: Scene, light: _Light, group: Group) -> np.ndarray:
    skin = skin_map(scene.identity)
    colour_N3 = sample_chart(skin.albedo_HW3, group.x, group.rest_y)
    slope_N2 = sample_chart(skin.slope_HW2, group.x, group.rest_y)
    front = np.clip(group.z * 6, 0, 1)
    nx, ny, nz = _head_normal(group)
    nx = nx - slope_N2[:, 0] * front
    ny = ny - slope_N2[:, 1] * front
    shade = light.shade(nx, ny, nz, of_head=True)
    colour_N3 *= shade[:, None]
    colour_N3 += (_gloss(light, nx, ny, nz) * (0.05 * front))[:, None]
    _paint_eyes(scene, group, shade, colour_N3)
    _paint_mouth(scene, group, shade, colour_N3)
    return colour_N3


def _head_normal(group: Group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A smooth field over the whole head, so that no crease shows where its ellipsoids meet; about unit length."""
    return group.x * 2.55, (group.y - 0.02) * 1.75, (group.z + 0.02) * 2.3


def _gloss(light: _Light, nx: np.ndarray, ny: np.ndarray, nz: np.ndarray) -> np.ndarray:
    half = light.head_3 + light.head_3 * 0 + np.array([0.0, 0.0, 1.0])
    hx, hy, hz = (half / np.linalg.norm(half)).tolist()
    facing = (hx * nx + hy * ny + hz * nz) / np.sqrt(nx * nx + ny * ny + nz * nz)
    shine = np.maximum(facing, 0) ** 2
    shine *= shine
    shine *= shine
    return light.gain * shine * shine


def _paint_eyes(scene: Scene, group: Group, shade: np.ndarray, colour_N3: np.ndarray) -> None:
    who, state = scene.identity, scene.state
    pairs = ((Layer.EYE_LEFT, scene.openings[2]), (Layer.EYE_RIGHT, scene.openings[3]))
    for layer, opening in pairs:
        at = np.flatnonzero(group.layer == layer)
        x, y = group.x[at], group.rest_y[at]
        up, _ = opening.moves(x)
        lid_gap = y - (opening.slit.line(x) - up)
        dx = x - opening.slit.centre_x - state.gaze_x
        dy = y - (who.eye_y - 0.45 * who.eye_rise) - state.gaze_y
        radius = np.sqrt(dx * dx + dy * dy)
        side = np.abs(x - opening.slit.centre_x) / who.eye_half_width
        eye_N3 = np.array([0.78, 0.74, 0.71], np.float32) * (1 - 0.45 * side**3)[:, None]
        iris = np.array(who.iris, np.float32) ** 2
        rays = 1.15 + 0.25 * np.sin(9 * np.arctan2(dy, dx)) - 0.6 * np.clip((radius / who.iris_radius - 0.8) * 5, 0, 1)
        _over(eye_N3, _inside(who.iris_radius - radius), rays[:, None] * iris)
        _over(eye_N3, _inside(0.42 * who.iris_radius - radius), np.array([0.004, 0.004, 0.005], np.float32))
        eye_N3 *= (shade[at] * np.clip(0.42 + lid_gap / 0.03, 0, 1))[:, None]
        glint_x, glint_y = (
            0.35 * np.array([np.sin(state.light_azimuth), -np.sin(state.light_elevation)]) * who.iris_radius
        )
        glint = np.hypot(dx - float(glint_x), dy - float(glint_y) - 0.004)
        _over(eye_N3, _inside(0.0085 - glint), np.full(3, 0.85 * state.light_gain, np.float32))
        colour_N3[at] = eye_N3


def _inside(depth: np.ndarray) -> np.ndarray:
    return np.clip(depth / 0.004 + 0.5, 0, 1)


def _over(colour_N3: np.ndarray, cover: np.ndarray, tone: np.ndarray) -> None:
    colour_N3 += cover[:, None] * (tone - colour_N3)


def _paint_mouth(scene: Scene, group: Group, shade: np.ndarray, colour_N3: np.ndarray) -> None:
    at = np.flatnonzero(group.layer == Layer.MOUTH)
    x, y = group.x[at], group.rest_y[at]
    opening = scene.openings[4]
    up, down = opening.moves(x)
    line = opening.slit.line(x)
    mouth_N3 = np.full((len(at), 3), (0.035, 0.010, 0.010), np.float32)
    tongue = np.clip((y - line - 0.5 * down) / 0.012, 0, 1) * np.clip(
        1 - (x / (0.75 * opening.slit.half_width)) ** 2, 0, 1
    )
    _over(mouth_N3, 0.8 * tongue, np.array([0.30, 0.085, 0.085], np.float32))
    u = np.abs(x) / opening.slit.half_width
    edge = scene.identity.mouth_y + 0.020 - 0.010 * u * u
    gaps = 1 - 0.35 * np.exp(-((((np.abs(x) % 0.026) - 0.026) / 0.003) ** 2))
    teeth = np.array([0.70, 0.66, 0.58], np.float32) * (gaps * (1 - 0.55 * u))[:, None]
    _over(mouth_N3, _inside(edge - y) * np.clip(8 * (0.85 - u), 0, 1), teeth)
    depth = np.minimum(y - line + up, line + down - y)
    mouth_N3 *= (shade[at] * np.clip(0.45 + depth / 0.016, 0, 1))[:, None]
    colour_N3[at] = mouth_N3


def _paint_head(scene: Scene, light: _Light, group: Group) -> np.ndarray:
    colour_N3 = np.empty((len(group.index), 3), np.float32)
    painters = ((Part.EAR, _ear), (Part.NOSE, _nose), (Part.HAIR, _hair), (Part.GLASSES, _rims))
    for part, paint in painters:
        at = np.flatnonzero(group.part == part)
        if len(at):
            colour_N3[at] = paint(scene, light, group.x[at], group.y[at], group.z[at])
    return colour_N3


def _ear(scene: Scene, light: _Light, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    tone = np.array(scene.identity.skin, np.float32) ** 2 * np.array([1.0, 0.86, 0.84], np.float32)
    inner = 1 - 0.45 * np.exp(-(((y - 0.04) / 0.05) ** 2) - ((z + 0.03) / 0.022) ** 2)
    shade = light.shade(x * 2.5, y * 0.5, z * 4 + 0.5, of_head=True) * inner * 0.85
    return shade[:, None] * tone


def _nose(scene: Scene, light: _Light, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    skin = skin_map(scene.identity)
    colour_N3 = sample_chart(skin.albedo_HW3, x, y)
    tip_y = 0.185 * scene.identity.nose_length
    width = scene.identity.nose_width
    sway = np.tanh(x / (0.045 * width))
    below = np.clip((y - tip_y) / 0.045, -1.2, 1.1)
    slope = np.where(below > 0, 1.0 * below, -0.28 + 0.1 * below)
    shade = light.shade(0.75 * sway + x * 2, slope, 1.05 - 0.35 * sway * sway, of_head=True)
    nostril = np.exp(-(((np.abs(x) - 0.034 * width) / 0.015) ** 2) - ((y - tip_y - 0.036) / 0.010) ** 2)
    wing = np.exp(-(((np.abs(x) - 0.062 * width) / 0.008) ** 2) - ((y - tip_y) / 0.03) ** 2)
    colour_N3 *= (shade * (1 - 0.7 * nostril) * (1 - 0.15 * wing))[:, None]
    gloss = np.exp(-((x / 0.022) ** 2) - ((y - tip_y + 0.015) / 0.03) ** 2)
    return colour_N3 + (0.07 * light.gain * gloss)[:, None]


def _hair(scene: Scene, light: _Light, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    who = scene.identity
    crown = np.sqrt((x - 0.6 * who.hair_part) ** 2 + 0.6 * (z + 0.1) ** 2)
    angle = np.arctan2(x - 0.6 * who.hair_part, z + 0.45)
    wave = 0.02 * who.curl * np.sin(24 * y + 6 * angle)
    strands_N2 = sample_noise(angle * 1.1 + wave + who.seed % 89 / 89, 0.10 * y + 0.12 * crown)
    locks_N2 = sample_noise(angle * 0.45 + 2 * wave, 0.12 * y + 0.1 * crown + 0.5)
    tone = np.array(who.hair, np.float32) ** 2
    grain = 1 + 0.20 * strands_N2[:, 0] + 0.12 * strands_N2[:, 1] + 0.24 * locks_N2[:, 0]
    shade = light.shade(x * 2.4, (y + 0.1) * 1.8 - 0.1, (z + 0.07) * 2.2, of_head=True)
    behind = np.clip(0.62 + 0.9 * (z + 0.1) - 0.7 * y, 0.35, 1)
    band = np.exp(-(((y + 0.36 - 0.25 * x * x) / 0.06) ** 2)) * np.clip(z * 4, 0, 1)
    lit = shade * behind * np.clip(grain, 0.25, 2)
    shine = 0.10 * light.gain * band * np.clip(0.6 + 0.5 * strands_N2[:, 0], 0, 2)
    return lit[:, None] * tone + shine[:, None] * (0.35 + 0.65 * np.sqrt(tone))


def _rims(scene: Scene, light: _Light, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    tone = np.array(scene.identity.glasses, np.float32) ** 2
    shine = 0.15 * np.clip(np.sin(18 * x + 31 * y), 0, 1) ** 8
    return (light.gain * (0.9 * tone + shine[:, None])).astype(np.float32)


def _paint_body(scene: Scene, light: _Light, group: Group) -> np.ndarray:
    who = scene.identity
    x, y, z = group.x, group.y, group.z
    is_neck = group.part == Part.NECK
    shade = light.shade(
        np.where(is_neck, x * 5, x * 1.2), np.where(is_neck, 0.25, -0.45), np.where(is_neck, 0.8, 0.9), of_head=False
    )
    chin_shadow = np.where(
        is_neck, np.clip(0.42 + (y - 0.50) * 2.2, 0.35, 0.9), np.clip(0.6 + 1.2 * (y - 0.75), 0.6, 1)
    )
    stripes = np.sin(38 * y + 12 * who.curl * x) if who.seed % 3 else np.sin(30 * x)
    noise_N2 = sample_noise(x * 0.7, y * 0.7)
    accent = ((stripes > 0.35) & (who.seed % 5 < 3))[:, None]
    cloth_N3 = np.where(accent, np.array(who.cloth_accent, np.float32), np.array(who.cloth, np.float32)) ** 2
    collar = (~is_neck) & (y < 0.80 + 0.3 * np.abs(x))
    cloth_N3 *= (1 + 0.12 * noise_N2[:, 0] + 0.10 * noise_N2[:, 1] - 0.25 * collar)[:, None]
    colour_N3 = np.where(is_neck[:, None], np.array(who.skin, np.float32) ** 2 * (1 + 0.05 * noise_N2[:, :1]), cloth_N3)
    return colour_N3 * (shade * chin_shadow)[:, None]


def _paint_hand(scene: Scene, light: _Light, group: Group) -> np.ndarray:
    x, y = group.x, group.y
    depth = hand_depth(x, y)
    round_off = np.sqrt(np.clip(depth / 0.035, 0, 1))
    tone = np.array(scene.identity.skin, np.float32) ** 2 * np.array([1.0, 0.9, 0.88], np.float32)
    sleeve = (y > 0.42)[:, None]
    noise_N2 = sample_noise(x + 0.3, y)
    base_N3 = np.where(sleeve, np.array(scene.identity.cloth, np.float32) ** 2, tone) * (1 + 0.06 * noise_N2[:, :1])
    lit = light.gain * (0.5 + 0.55 * round_off)
    return (base_N3 * lit[:, None]).astype(np.float32)
