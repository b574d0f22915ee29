"""Labelled stills: one person each, in a pose, an expression and a light of its own."""

import numpy as np

from facestab.data.synthetic.annotation import label_map
from facestab.data.synthetic.backdrop import Backdrop
from facestab.data.synthetic.camera import CameraState, damage
from facestab.data.synthetic.clip import MIN_SIZE
from facestab.data.synthetic.conditions import Conditions
from facestab.data.synthetic.identity import Identity
from facestab.data.synthetic.scene import Scene
from facestab.data.synthetic.seeds import generator
from facestab.data.synthetic.shading import render
from facestab.data.synthetic.state import HandPose, State

_CLEAN = Conditions.clean()


def labelled_image(seed: int, *, size: int, conditions: Conditions = _CLEAN) -> tuple[np.ndarray, np.ndarray]:
    """A picture, uint8 RGB (size, size, 3), and its classes, uint8 (size, size).

    Args:
        seed: an identity's seed, so that a seed from a split's range shows nobody from another split.
        size: height and width in pixels, at least 16.
        conditions: what the camera does to the picture, and how often a hand is in it.

    Raises:
        ValueError: for a negative seed or too small a size.
    """
    if size < MIN_SIZE:
        raise ValueError(f"size: at least {MIN_SIZE} pixels are needed, got {size}")
    identity = Identity.sample(seed)
    rng = generator("still", seed)
    scene = Scene(identity, _draw_state(rng, conditions))
    camera = CameraState(conditions.blur / 1000 * size * rng.random(), (0.0, 0.0))
    clean_HW3 = render(scene, Backdrop(seed), size)
    image_HWC = damage(clean_HW3, conditions, camera, clip_keys=(seed,), t=0)
    return image_HWC, label_map(scene, size)


def _draw_state(rng: np.random.Generator, conditions: Conditions) -> State:
    scale = float(rng.uniform(0.56, 0.74))
    x, y = (float(v) for v in rng.normal((0.0, 0.03), (0.05, 0.03)))
    brows = np.clip(rng.normal(0.006, 0.01) + rng.normal(0, 0.003, 2), -0.010, 0.035).tolist()
    is_blinking = rng.random() < 0.12
    lids = rng.uniform(0.0, 0.8) if is_blinking else rng.uniform(0.8, 1.08)
    return State(
        yaw=float(np.clip(rng.normal(0, 0.28), -0.9, 0.9)),
        pitch=float(np.clip(rng.normal(0.02, 0.12), -0.4, 0.4)),
        roll=float(np.clip(rng.normal(0, 0.10), -0.4, 0.4)),
        x=x,
        y=y,
        scale=scale * float(rng.uniform(0.98, 1.02)),
        body_x=0.7 * x,
        body_y=y,
        body_scale=scale,
        mouth=float(rng.uniform(0.05, 1.0) ** 1.3) if rng.random() < 0.55 else 0.0,
        smile=float(np.clip(rng.normal(0.005, 0.01), -0.012, 0.024)),
        brow_left=brows[0],
        brow_right=brows[1],
        eye_left=float(lids),
        eye_right=float(lids) * float(rng.uniform(0.94, 1.0)),
        gaze_x=float(np.clip(rng.normal(0, 0.012), -0.025, 0.025)),
        gaze_y=float(np.clip(rng.normal(0, 0.006), -0.012, 0.012)),
        pan_x=float(rng.uniform(-0.15, 0.15)),
        pan_y=float(rng.uniform(-0.15, 0.15)),
        light_azimuth=float(rng.normal(0, 0.5)),
        light_elevation=float(rng.uniform(0.1, 0.9)),
        light_gain=float(rng.uniform(0.8, 1.2)),
        hand=_draw_hand(rng) if rng.random() < conditions.hand else None,
    )


def _draw_hand(rng: np.random.Generator) -> HandPose:
    side = float(rng.choice((-1.0, 1.0)))
    place = (side * float(rng.uniform(-0.1, 0.45)), float(rng.uniform(0.1, 0.5)))
    return HandPose(*place, angle=-side * float(rng.uniform(0.1, 0.9)))
