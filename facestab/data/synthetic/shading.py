"""Colour: from the hits of a scene to linear light, and from samples to a picture."""

import cv2
import numpy as np

from facestab.data.synthetic.backdrop import Backdrop
from facestab.data.synthetic.face_paint import paint_skin
from facestab.data.synthetic.light import Light
from facestab.data.synthetic.outlines import hand_depth
from facestab.data.synthetic.parts import Part
from facestab.data.synthetic.scene import Group, Scene, pixel_rays
from facestab.data.synthetic.texture import sample_chart, sample_noise, skin_map

SAMPLES = 2
"""Rays per pixel and axis."""

_LENS_SIGMA_PX = 0.45


def render(scene: Scene, backdrop: Backdrop, size: int) -> np.ndarray:
    """The picture of a scene: float32 sRGB-like (size, size, 3) from 0 to 1, with soft edges like a lens's."""
    num_samples = size * SAMPLES
    hits = scene.cast(*pixel_rays(size, SAMPLES))
    state = scene.state
    colour_HW3 = backdrop.view(num_samples, state.pan_x, state.pan_y)
    colour_HW3 *= 0.55 + 0.45 * state.light_gain
    colour_N3 = colour_HW3.reshape(-1, 3)
    light = Light(scene)
    for group, paint in zip(hits.groups, (paint_skin, _paint_head, _paint_body, _paint_hand), strict=True):
        if len(group.index):
            colour_N3[group.index] = paint(scene, light, group)
    sigma = _LENS_SIGMA_PX * SAMPLES
    blurred_HW3 = cv2.GaussianBlur(colour_HW3, (5, 5), sigma)
    linear_HW3 = cv2.resize(blurred_HW3, (size, size), interpolation=cv2.INTER_AREA)
    found: np.ndarray = np.sqrt(np.clip(linear_HW3, 0, 1))
    return found


def _paint_head(scene: Scene, light: Light, group: Group) -> np.ndarray:
    colour_N3 = np.empty((len(group.index), 3), np.float32)
    painters = ((Part.EAR, _ear), (Part.NOSE, _nose), (Part.HAIR, _hair), (Part.GLASSES, _rims))
    for part, paint in painters:
        at = np.flatnonzero(group.part == part)
        if len(at):
            colour_N3[at] = paint(scene, light, group.x[at], group.y[at], group.z[at])
    return colour_N3


def _ear(scene: Scene, light: Light, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    tone = np.array(scene.identity.skin, np.float32) ** 2 * np.array([1.0, 0.86, 0.84], np.float32)
    inner = 1 - 0.45 * np.exp(-(((y - 0.04) / 0.05) ** 2) - ((z + 0.03) / 0.022) ** 2)
    shade = light.shade(x * 2.5, y * 0.5, z * 4 + 0.5, of_head=True) * inner * 0.85
    return shade[:, None] * tone


def _nose(scene: Scene, light: Light, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
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


def _hair(scene: Scene, light: Light, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
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
    found: np.ndarray = lit[:, None] * tone + shine[:, None] * (0.35 + 0.65 * np.sqrt(tone))
    return found


def _rims(scene: Scene, light: Light, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    tone = np.array(scene.identity.glasses, np.float32) ** 2
    shine = 0.15 * np.clip(np.sin(18 * x + 31 * y), 0, 1) ** 8
    found: np.ndarray = (light.gain * (0.9 * tone + shine[:, None])).astype(np.float32)
    return found


def _paint_body(scene: Scene, light: Light, group: Group) -> np.ndarray:
    x, y = group.x, group.y
    is_neck = group.part == Part.NECK
    noise_N2 = sample_noise(x * 0.7, y * 0.7)
    skin_N3 = np.array(scene.identity.skin, np.float32) ** 2 * (1 + 0.05 * noise_N2[:, :1])
    colour_N3 = np.where(is_neck[:, None], skin_N3, _cloth(scene, x, y, noise_N2))
    nx, ny, nz = (np.where(is_neck, neck, torso) for neck, torso in ((x * 5, x * 1.2), (0.25, -0.45), (0.8, 0.9)))
    # The head shades the neck and, a little, the collar.
    below_chin = np.where(is_neck, np.clip(0.42 + (y - 0.50) * 2.2, 0.35, 0.9), np.clip(0.6 + 1.2 * (y - 0.6), 0.6, 1))
    found: np.ndarray = colour_N3 * (light.shade(nx, ny, nz, of_head=False) * below_chin)[:, None]
    return found


def _cloth(scene: Scene, x: np.ndarray, y: np.ndarray, noise_N2: np.ndarray) -> np.ndarray:
    who = scene.identity
    stripes = np.sin(38 * y + 12 * who.curl * x) if who.seed % 3 else np.sin(30 * x)
    has_accent = (stripes > 0.35) & (who.seed % 5 < 3)
    cloth_N3 = (
        np.where(has_accent[:, None], np.array(who.cloth_accent, np.float32), np.array(who.cloth, np.float32)) ** 2
    )
    collar = y < 0.66 + 0.3 * np.abs(x)
    found: np.ndarray = cloth_N3 * (1 + 0.12 * noise_N2[:, 0] + 0.10 * noise_N2[:, 1] - 0.25 * collar)[:, None]
    return found


def _paint_hand(scene: Scene, light: Light, group: Group) -> np.ndarray:
    x, y = group.x, group.y
    depth = hand_depth(x, y)
    round_off = np.sqrt(np.clip(depth / 0.035, 0, 1))
    tone = np.array(scene.identity.skin, np.float32) ** 2 * np.array([1.0, 0.9, 0.88], np.float32)
    sleeve = (y > 0.42)[:, None]
    noise_N2 = sample_noise(x + 0.3, y)
    base_N3 = np.where(sleeve, np.array(scene.identity.cloth, np.float32) ** 2, tone) * (1 + 0.06 * noise_N2[:, :1])
    lit = light.gain * (0.5 + 0.55 * round_off)
    return (base_N3 * lit[:, None]).astype(np.float32)
