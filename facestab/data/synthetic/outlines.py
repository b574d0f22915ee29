"""Where solids are cut: hairline, hanging hair, rims of glasses, and the hand."""

import numpy as np

from facestab.data.synthetic.identity import Identity


class Hairline:
    """Where the shell carries hair: above a plane that falls toward the ears, with a ragged edge and a parting."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.phase = float(identity.seed % 997)

    def __call__(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """True where hair grows."""
        who = self.identity
        edge = who.hairline_y + who.hairline_slope * (0.36 - z)
        edge = edge - 0.10 * np.exp(-(((x - who.hair_part) / 0.09) ** 2)) * (who.fringe < 0.03)
        ragged = np.sin(x * 61 + self.phase) + np.sin(x * 97 + 2 * self.phase) + np.sin(x * 29 + self.phase)
        edge = edge + (who.fringe + 0.006) * 0.4 * (ragged + 1.2)
        return y < np.minimum(edge, 0.30)


class Curtain:
    """Which of the hanging hair is there: beside the face, not in front of neck and chin."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.phase = float(identity.seed % 991)

    def far_side(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """True above the ragged lower edge."""
        ragged = np.sin(x * 71 + self.phase) + np.sin(x * 33 + 2 * self.phase)
        return y < self.identity.hair_length + 0.02 * ragged

    def near_side(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """True there and beside the face."""
        inner = 0.225 + 0.012 * np.sin(y * 23 + self.phase) + 0.008 * np.sin(y * 57 + x * 20)
        found: np.ndarray = (np.abs(x) > inner) & self.far_side(x, y, z)
        return found


class Rims:
    """Two rounded frames before the eyes and the bridge between them."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    def __call__(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """True on the rims."""
        eye_x, eye_y, width = self.identity.eye_x, self.identity.eye_y, self.identity.glasses_width
        u, v = np.abs(np.abs(x) - eye_x) / 0.118, np.abs(y - eye_y) / 0.088
        radius = np.sqrt(np.sqrt(u**4 + v**4))
        is_rim = np.abs(radius - 1) < width / 0.1
        is_bridge = (np.abs(x) < eye_x - 0.118) & (np.abs(y - eye_y + 0.03 - 0.4 * x * x) < 0.8 * width)
        found: np.ndarray = is_rim | is_bridge
        return found


_FINGERS = ((-0.115, -0.36, 0.030), (-0.045, -0.43, 0.033), (0.028, -0.42, 0.033), (0.1, -0.35, 0.029))


def hand_depth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How deep (x, y) lies inside the outline of a hand with forearm, in its own coordinates; negative outside."""
    palm_x, palm_y = np.abs(x) - 0.08, np.abs(y) - 0.09
    depth = 0.055 - np.hypot(np.maximum(palm_x, 0), np.maximum(palm_y, 0))
    for tip_x, tip_y, radius in _FINGERS:
        depth = np.maximum(depth, _capsule(x, y, (0.82 * tip_x, -0.08), (tip_x, tip_y), radius))
    depth = np.maximum(depth, _capsule(x, y, (0.07, 0.08), (0.23, -0.10), 0.036))
    found: np.ndarray = np.maximum(depth, _capsule(x, y, (0.0, 0.1), (0.0, 1.6), 0.09))
    return found


def _capsule(
    x: np.ndarray, y: np.ndarray, start: tuple[float, float], end: tuple[float, float], radius: float
) -> np.ndarray:
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    dx, dy = x - start[0], y - start[1]
    place = np.clip((dx * along_x + dy * along_y) / (along_x**2 + along_y**2), 0, 1)
    return radius - np.hypot(dx - place * along_x, dy - place * along_y)


def is_hand(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """True on the hand and its forearm."""
    return hand_depth(x, y) > 0
