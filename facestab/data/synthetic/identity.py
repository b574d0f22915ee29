"""A person: proportions, tones, hair, glasses. Lengths are in head heights (crown to chin is about 1)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from facestab.data.synthetic.seeds import generator

Colour = tuple[float, float, float]

# Anchors of the tone scales, sRGB 0..255, from light to dark.
_SKIN_TONES = ((242, 208, 184), (226, 180, 146), (196, 146, 110), (156, 106, 74), (112, 74, 52), (80, 54, 42))
_HAIR_TONES = (
    (28, 24, 24),
    (58, 40, 30),
    (104, 70, 44),
    (122, 60, 36),
    (190, 150, 94),
    (150, 148, 146),
    (214, 210, 204),
)
_IRIS_TONES = ((74, 46, 28), (48, 32, 24), (92, 108, 62), (84, 118, 150), (110, 122, 132))


@dataclass(frozen=True)
class Identity:
    """One person, drawn from a seed. Colours are sRGB from 0 to 1; lengths are in head heights.

    Attributes:
        seed: what the texture patterns are drawn from.
        face_width: half the width of the face; the cranium's is `cranium_width`.
        eye_rise: how far the open upper lid stands above the closed lid line; `eye_drop` is the lower lid's.
        eye_tilt: slope of the lid line, positive when the outer corner is higher.
        brow_thickness: half of it, at the inner third.
        hairline_y: height of the front hairline; y points down and 0 lies between the eyes' level and the centre.
        hairline_slope: how fast the hairline falls toward the ears.
        hair_volume: size of the hair shell over the cranium's.
        hair_length: y at which hanging hair ends; 0 or less means none.
        hair_clumps: head x, y, z and size of balls of hair that break the outline of the shell.
        fringe: how far ragged strands hang below the hairline.
    """

    seed: int
    cranium_width: float
    face_width: float
    chin_y: float
    eye_x: float
    eye_y: float
    eye_half_width: float
    eye_rise: float
    eye_drop: float
    eye_tilt: float
    iris_radius: float
    brow_y: float
    brow_half_length: float
    brow_thickness: float
    brow_arch: float
    brow_density: float
    nose_width: float
    nose_length: float
    nose_height: float
    mouth_y: float
    mouth_half_width: float
    mouth_bend: float
    upper_lip: float
    lower_lip: float
    hairline_y: float
    hairline_slope: float
    hair_volume: float
    hair_length: float
    hair_part: float
    hair_clumps: tuple[tuple[float, float, float, float], ...]
    fringe: float
    curl: float
    freckles: float
    stubble: float
    has_glasses: bool
    glasses_width: float
    skin: Colour
    lip: Colour
    hair: Colour
    brow: Colour
    iris: Colour
    cloth: Colour
    cloth_accent: Colour
    glasses: Colour

    @classmethod
    def sample(cls, seed: int) -> "Identity":
        """The person of a seed.

        Raises:
            ValueError: for a negative seed.
        """
        rng = generator("identity", seed)
        drawn: dict[str, Any] = {**_sample_face(rng), **_sample_hair(rng), **_sample_tones(rng)}
        return cls(seed=seed, **drawn)


def _sample_face(rng: np.random.Generator) -> dict[str, float]:
    ranges = {
        "cranium_width": (0.342, 0.368),
        "face_width": (0.298, 0.332),
        "chin_y": (0.485, 0.53),
        "eye_x": (0.142, 0.162),
        "eye_y": (0.008, 0.028),
        "eye_half_width": (0.066, 0.078),
        "eye_rise": (0.046, 0.060),
        "eye_drop": (0.014, 0.022),
        "eye_tilt": (-0.04, 0.14),
        "iris_radius": (0.031, 0.036),
        "brow_y": (-0.142, -0.122),
        "brow_half_length": (0.088, 0.108),
        "brow_thickness": (0.015, 0.024),
        "brow_arch": (0.02, 0.06),
        "brow_density": (0.65, 0.95),
        "nose_width": (0.85, 1.2),
        "nose_length": (0.92, 1.06),
        "nose_height": (0.8, 1.25),
        "mouth_y": (0.295, 0.32),
        "mouth_half_width": (0.118, 0.145),
        "mouth_bend": (-0.012, 0.008),
        "upper_lip": (0.036, 0.05),
        "lower_lip": (0.044, 0.06),
    }
    return {name: float(rng.uniform(low, high)) for name, (low, high) in ranges.items()}


def _sample_clumps(rng: np.random.Generator) -> tuple[tuple[float, float, float, float], ...]:
    clumps = []
    for _ in range(int(rng.integers(1, 5))):
        angle, lean = rng.uniform(-0.95, 0.95), rng.uniform(-0.6, 0.4)
        x, y, z = np.sin(angle), -np.cos(angle) * np.cos(lean), np.sin(lean)
        size = rng.uniform(0.14, 0.2)
        reach = 0.44 - size + rng.uniform(0.0, 0.035)
        clumps.append((float(0.9 * reach * x), float(-0.1 + reach * y), float(-0.06 + reach * z), float(size)))
    return tuple(clumps)


def _sample_hair(rng: np.random.Generator) -> dict[str, object]:
    is_long = bool(rng.random() < 0.5)
    has_fringe = bool(rng.random() < 0.35)
    return {
        "hairline_y": float(rng.uniform(-0.30, -0.24) if has_fringe else rng.uniform(-0.36, -0.28)),
        "hairline_slope": float(rng.uniform(0.8, 1.0) if is_long else rng.uniform(0.5, 0.75)),
        "hair_volume": float(rng.uniform(1.10, 1.20) if is_long else rng.uniform(1.05, 1.15)),
        "hair_length": float(rng.uniform(0.45, 1.0) if is_long else 0.0),
        "hair_part": float(rng.uniform(-0.16, 0.16)),
        "hair_clumps": _sample_clumps(rng),
        "fringe": float(rng.uniform(0.04, 0.1) if has_fringe else rng.uniform(0.0, 0.02)),
        "curl": float(rng.uniform(0.0, 1.0)),
        "freckles": float(max(rng.uniform(-1.0, 1.0), 0.0)),
        "stubble": float(0.0 if is_long else max(rng.uniform(-0.6, 1.0), 0.0)),
    }


def _sample_tones(rng: np.random.Generator) -> dict[str, object]:
    skin = _tone(rng, _SKIN_TONES, 0.01)
    hair = np.clip(np.array(_HAIR_TONES[rng.integers(len(_HAIR_TONES))]) / 255 * rng.uniform(0.85, 1.15), 0.04, 0.9)
    rouge = rng.uniform(0.0, 0.6)
    lip = (
        skin * (1 - 0.25 * np.array([0.55, 1.35, 1.1])) * (1 - rouge)
        + rouge * np.array([0.66, 0.22, 0.24]) * skin.max()
    )
    brow = np.minimum(hair, 0.55) * 0.75 + 0.03
    return {
        "has_glasses": bool(rng.random() < 0.25),
        "glasses_width": float(rng.uniform(0.009, 0.016)),
        "skin": _colour(skin),
        "lip": _colour(lip),
        "hair": _colour(hair),
        "brow": _colour(brow),
        "iris": _colour(_tone(rng, _IRIS_TONES, 0.02)),
        "cloth": _colour(rng.uniform(0.06, 0.85, 3)),
        "cloth_accent": _colour(rng.uniform(0.06, 0.9, 3)),
        "glasses": _colour(rng.uniform(0.02, 0.25) * np.array([1.0, rng.uniform(0.6, 1.0), rng.uniform(0.5, 1.0)])),
    }


def _tone(rng: np.random.Generator, scale: tuple[tuple[int, int, int], ...], spread: float) -> np.ndarray:
    place = rng.uniform(0, len(scale) - 1)
    tone = np.array([np.interp(place, range(len(scale)), channel) for channel in np.transpose(scale)]) / 255
    return np.clip(tone + rng.normal(0, spread, 3), 0.03, 0.97)


def _colour(rgb: np.ndarray) -> Colour:
    red, green, blue = (float(np.clip(v, 0.0, 1.0)) for v in rgb)
    return red, green, blue
