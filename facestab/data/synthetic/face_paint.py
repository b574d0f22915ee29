"""Colour of the face: skin, eyes and the inside of the mouth."""

import numpy as np

from facestab.data.synthetic.light import Light
from facestab.data.synthetic.parts import Layer
from facestab.data.synthetic.scene import Group, Scene
from facestab.data.synthetic.texture import sample_chart, skin_map


def paint_skin(scene: Scene, light: Light, group: Group) -> np.ndarray:
    """Linear light (N, 3) of the hits on the skin and in its openings."""
    skin = skin_map(scene.identity)
    colour_N3 = sample_chart(skin.albedo_HW3, group.x, group.rest_y)
    slope_N2 = sample_chart(skin.slope_HW2, group.x, group.rest_y)
    front = np.clip(group.z * 6, 0, 1)
    nx, ny, nz = _head_normal(group)
    nx = nx - slope_N2[:, 0] * front
    ny = ny - slope_N2[:, 1] * front
    shade = light.shade(nx, ny, nz, of_head=True)
    colour_N3 *= shade[:, None]
    colour_N3 += (light.gloss(nx, ny, nz) * (0.05 * front))[:, None]
    _paint_eyes(scene, group, shade, colour_N3)
    _paint_mouth(scene, group, shade, colour_N3)
    return colour_N3


def _head_normal(group: Group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A smooth field over the whole head, so that no crease shows where its ellipsoids meet; about unit length."""
    return group.x * 2.55, (group.y - 0.02) * 1.75, (group.z + 0.02) * 2.3


def _paint_eyes(scene: Scene, group: Group, shade: np.ndarray, colour_N3: np.ndarray) -> None:
    for layer, opening in ((Layer.EYE_LEFT, scene.openings[2]), (Layer.EYE_RIGHT, scene.openings[3])):
        at = np.flatnonzero(group.layer == layer)
        x, y = group.x[at], group.rest_y[at]
        up, _ = opening.moves(x)
        lid_gap = y - (opening.slit.line(x) - up)
        side = np.abs(x - opening.slit.centre_x) / scene.identity.eye_half_width
        dx = x - opening.slit.centre_x - scene.state.gaze_x
        dy = y - (scene.identity.eye_y - 0.45 * scene.identity.eye_rise) - scene.state.gaze_y
        colour_N3[at] = _eyeball(scene, dx, dy, side, shade[at] * np.clip(0.42 + lid_gap / 0.03, 0, 1))


def _eyeball(scene: Scene, dx: np.ndarray, dy: np.ndarray, side: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """Sclera, iris, pupil and the lamp's reflection; dx and dy from the centre of the iris."""
    who, state = scene.identity, scene.state
    radius = np.sqrt(dx * dx + dy * dy)
    eye_N3 = np.array([0.78, 0.74, 0.71], np.float32) * (1 - 0.45 * side**3)[:, None]
    iris = np.array(who.iris, np.float32) ** 2
    rays = 1.15 + 0.25 * np.sin(9 * np.arctan2(dy, dx)) - 0.6 * np.clip((radius / who.iris_radius - 0.8) * 5, 0, 1)
    _over(eye_N3, _inside(who.iris_radius - radius), rays[:, None] * iris)
    _over(eye_N3, _inside(0.42 * who.iris_radius - radius), np.array([0.004, 0.004, 0.005], np.float32))
    eye_N3 *= shade[:, None]
    glint_x = 0.35 * who.iris_radius * float(np.sin(state.light_azimuth))
    glint_y = 0.004 - 0.35 * who.iris_radius * float(np.sin(state.light_elevation))
    glint = _inside(0.0085 - np.hypot(dx - glint_x, dy - glint_y))
    _over(eye_N3, glint, np.full(3, 0.85 * state.light_gain, np.float32))
    return eye_N3


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
