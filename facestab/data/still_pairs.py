"""Pairs of frames from one labelled image: a known small motion and two cameras, without any video.

After Eilertsen et al., "Single-Frame Regularization for Temporally Stable CNNs" (CVPR 2019), where the
correspondence is exact.
"""

from typing import NamedTuple

import cv2
import numpy as np

from facestab.data.images import ImageSplit
from facestab.data.transforms import Augmentation


class StillPair(NamedTuple):
    """Two pictures of one scene.

    Attributes:
        frames: uint8 (2, H, W, 3) RGB.
        labels: uint8 (2, H, W).
        flow_HW2: float32, x then y, in pixels from the first to the second.
        visible_HW: bool, where a point of the first is inside the second.
    """

    frames: np.ndarray
    labels: np.ndarray
    flow_HW2: np.ndarray
    visible_HW: np.ndarray


class StillPairs:
    """Makes a pair of an image: it is shifted, turned and scaled a little, then each of the two is damaged on its own.

    Args:
        split: labelled images.
        augment: what is done to the image before it moves, and to each of the two pictures.
        shift: standard deviation of the shift in pixels.
        turn: standard deviation of the rotation in degrees.
        zoom: standard deviation of the log scale.

    Raises:
        ValueError: for a negative strength.
    """

    def __init__(
        self, split: ImageSplit, augment: Augmentation, shift: float = 0.5, turn: float = 0.5, zoom: float = 0.005
    ) -> None:
        for name, value in (("shift", shift), ("turn", turn), ("zoom", zoom)):
            if not value >= 0:
                raise ValueError(f"{name}: 0 or more is needed, got {value}")
        self.split = split
        self.augment = augment
        self.shift = shift
        self.turn = turn
        self.zoom = zoom

    def __len__(self) -> int:
        return len(self.split)

    def pair(self, seed: int) -> StillPair:
        """A pair of an image that the seed chooses."""
        rng = np.random.default_rng(seed)
        position, shape_seed = int(rng.integers(len(self.split))), int(rng.integers(2**31))
        still = self.split.draw(position, shape_seed)
        images, labels = self.augment.shape(still.image_HWC[None], still.labels_HW[None], shape_seed)
        frames, moved_labels, matrix_23 = self._move(images[0], labels[0], rng)
        flow_HW2, visible_HW = affine_flow(matrix_23, *labels.shape[1:])
        damaged = np.stack([self.augment.damage(frame, rng) for frame in (images[0], frames)])
        return StillPair(damaged, np.stack([labels[0], moved_labels]), flow_HW2, visible_HW)

    def _move(
        self, image_HWC: np.ndarray, labels_HW: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        height, width = labels_HW.shape
        centre = ((width - 1) / 2, (height - 1) / 2)
        scale = float(np.exp(self.zoom * rng.standard_normal()))
        matrix_23 = cv2.getRotationMatrix2D(centre, self.turn * float(rng.standard_normal()), scale)
        matrix_23[:, 2] += self.shift * rng.standard_normal(2)
        size, border = (width, height), cv2.BORDER_REPLICATE
        moved = cv2.warpAffine(image_HWC, matrix_23, size, flags=cv2.INTER_LINEAR, borderMode=border)
        moved_labels = cv2.warpAffine(labels_HW, matrix_23, size, flags=cv2.INTER_NEAREST, borderMode=border)
        return moved, moved_labels, matrix_23


def affine_flow(matrix_23: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The motion of a map p -> M p: float32 (H, W, 2) in pixels, and bool (H, W), where p stays inside."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    x, y = (matrix_23[i, 0] * columns + matrix_23[i, 1] * rows + matrix_23[i, 2] for i in (0, 1))
    visible_HW = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return np.stack([x - columns, y - rows], -1).astype(np.float32), visible_HW
