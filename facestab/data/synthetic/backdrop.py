"""The room behind a person: sharp shapes on a wall, larger than the frame so that it can move."""

import cv2
import numpy as np

from facestab.data.synthetic.seeds import generator

MARGIN = 0.35
"""How far the picture reaches beyond each side of the frame, in frame heights."""

_TEXELS_PER_FRAME = 256


class Backdrop:
    """A picture of shelves, frames, blinds and blobs, drawn from seeds.

    Args:
        keys: seeds of the picture.
    """

    def __init__(self, *keys: int) -> None:
        rng = generator("backdrop", *keys)
        side = round(_TEXELS_PER_FRAME * (1 + 2 * MARGIN))
        base = rng.uniform(0.12, 0.8, 3) * 0.5 + rng.uniform(0.1, 0.45)
        ramp = np.linspace(rng.uniform(0.7, 1.0), rng.uniform(0.8, 1.2), side)[:, None, None]
        picture_HW3 = np.ascontiguousarray(np.broadcast_to(base * ramp, (side, side, 3)).astype(np.float32))
        painters = (_shelves, _pictures, _blinds, _blobs)
        for painter in rng.permutation(len(painters))[: rng.integers(1, 4)]:
            painters[painter](rng, picture_HW3)
        picture_HW3 += rng.normal(0, 0.02, (side, side, 1)).astype(np.float32)
        blur = rng.uniform(0.4, 2.2)
        self._linear_HW3 = cv2.GaussianBlur(np.clip(picture_HW3, 0.01, 1), (0, 0), blur) ** 2

    def view(self, num_samples: int, pan_x: float, pan_y: float) -> np.ndarray:
        """float32 linear light (num_samples, num_samples, 3), the picture moved by the pan (frame heights)."""
        scale = _TEXELS_PER_FRAME / num_samples
        left, top = (_TEXELS_PER_FRAME * (MARGIN - pan) + 0.5 * scale - 0.5 for pan in (pan_x, pan_y))
        to_texel_23 = np.array([[scale, 0, left], [0, scale, top]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (num_samples, num_samples)
        found: np.ndarray = cv2.warpAffine(
            self._linear_HW3, to_texel_23, size, flags=flags, borderMode=cv2.BORDER_REFLECT
        )
        return found


def _tint(rng: np.random.Generator) -> tuple[float, float, float]:
    vivid = rng.uniform(0.1, 0.7)
    red, green, blue = (float(v) for v in vivid * rng.uniform(0.04, 0.95, 3) + (1 - vivid) * rng.uniform(0.05, 0.9))
    return red, green, blue


def _shelves(rng: np.random.Generator, picture_HW3: np.ndarray) -> None:
    side = len(picture_HW3)
    wood = _tint(rng)
    pitch = int(rng.integers(60, 120))
    for top in range(int(rng.integers(0, pitch)), side, pitch):
        column = int(rng.integers(0, 40))
        while column < side:
            width, height = int(rng.integers(8, 26)), int(pitch * rng.uniform(0.55, 0.9))
            if rng.random() < 0.85:
                cv2.rectangle(picture_HW3, (column, top - height), (column + width - 2, top), _tint(rng), -1)
            column += width
        cv2.rectangle(picture_HW3, (0, top), (side, top + 6), wood, -1)


def _pictures(rng: np.random.Generator, picture_HW3: np.ndarray) -> None:
    side = len(picture_HW3)
    for _ in range(int(rng.integers(2, 7))):
        left, top = (int(v) for v in rng.integers(-20, side - 40, 2))
        width, height = (int(v) for v in rng.integers(40, 160, 2))
        cv2.rectangle(picture_HW3, (left, top), (left + width, top + height), _tint(rng), -1)
        cv2.rectangle(picture_HW3, (left, top), (left + width, top + height), _tint(rng), int(rng.integers(3, 8)))
        centre, radius = (left + width // 2, top + height // 2), min(width, height) // 3
        cv2.circle(picture_HW3, centre, radius, _tint(rng), -1, cv2.LINE_AA)


def _blinds(rng: np.random.Generator, picture_HW3: np.ndarray) -> None:
    side = len(picture_HW3)
    left, width = int(rng.integers(0, side // 2)), int(rng.integers(side // 4, side // 2))
    pitch, tint = int(rng.integers(10, 24)), np.array(_tint(rng), np.float32)
    stripes = (np.arange(side) % pitch < pitch * rng.uniform(0.3, 0.7))[:, None, None]
    window_HW3 = picture_HW3[:, left : left + width]
    np.copyto(window_HW3, tint, where=stripes if rng.random() < 0.6 else stripes[:width].transpose(1, 0, 2))


def _blobs(rng: np.random.Generator, picture_HW3: np.ndarray) -> None:
    side = len(picture_HW3)
    for _ in range(int(rng.integers(5, 20))):
        centre = (int(rng.integers(0, side)), int(rng.integers(0, side)))
        axes = (int(rng.integers(6, 50)), int(rng.integers(6, 50)))
        cv2.ellipse(picture_HW3, centre, axes, float(rng.uniform(0, 180)), 0, 360, _tint(rng), -1, cv2.LINE_AA)
