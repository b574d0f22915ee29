"""Pictures that move in a known way."""

import cv2
import numpy as np


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8 RGB (H, W, 3) with detail of a few pixels everywhere."""
    noise_HWC = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise_HWC, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)


def shifted(height: int, width: int, x: int, y: int) -> tuple[np.ndarray, np.ndarray]:
    """Two frames of one texture; what is at p in the first is at p + (x, y) in the second."""
    margin = 20
    whole_HWC = texture(height + 2 * margin, width + 2 * margin)
    first_HWC = whole_HWC[margin : margin + height, margin : margin + width]
    return first_HWC, whole_HWC[margin - y : margin - y + height, margin - x : margin - x + width]
