"""Augmentation behind one door: albumentations inside, seeds and shared geometry outside."""

import os
import random
from collections.abc import Iterable, Sequence

# must be set before the import: albumentations asks the network for its newest version otherwise
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2
import numpy as np

from facestab.labels import IGNORE_ID, LabelSet

# places of a square that are tried, and the share of a picture below which a class is a small part
_CROP_DRAWS = 4
_SMALL_SHARE = 0.02


class Augmentation:
    """Resizes, crops and augments frames that belong together.

    Geometry is drawn once for all frames of a sample, photometric damage once per frame. The shorter side is brought
    to `size`, then a square is cut out: at random in training, where small parts such as eyes stay in it if a few draws
    allow it, from the middle otherwise.

    Args:
        size: pixels of the square.
        labels: for the exchange of sides in a flip.
        geometry: albumentations transforms that move pixels; new pixels should be filled with the ignore id.
        photometric: albumentations transforms that change values: light, noise, blur, compression.
        flip: probability of a horizontal flip.

    Raises:
        ValueError: for a size below 16, or a probability outside 0..1.
    """

    def __init__(
        self,
        size: int,
        labels: LabelSet,
        geometry: Sequence[A.BasicTransform] = (),
        photometric: Sequence[A.BasicTransform] = (),
        flip: float = 0.0,
    ) -> None:
        if size < 16:
            raise ValueError(f"size must be at least 16 pixels, got {size}")
        if not 0 <= flip <= 1:
            raise ValueError(f"augment.flip is a probability, got {flip}")
        self.size = size
        self.labels = labels
        self.flip = flip
        self._geometry = A.Compose(list(geometry))
        self._photometric = A.Compose(list(photometric))

    def train(self, frames: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Augmented frames and labels.

        Args:
            frames: uint8 (N, H, W, 3) RGB, frames that share one geometry.
            labels: uint8 (N, H, W).
            seed: of every random choice.

        Returns:
            uint8 (N, size, size, 3) and uint8 (N, size, size).
        """
        return self.train_maps(frames, labels, (), seed)[:2]

    def train_maps(
        self, frames: np.ndarray, labels: np.ndarray, maps: Sequence[np.ndarray], seed: int
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """The same draws as `train`, for maps that belong to the frames as well.

        Args:
            frames: uint8 (N, H, W, 3) RGB, frames that share one geometry.
            labels: uint8 (N, H, W).
            maps: uint8 or float32 (H, W) each, fetched by the nearest pixel; their values stay as they are.
            seed: of every random choice.

        Returns:
            uint8 (N, size, size, 3), uint8 (N, size, size), and the maps (size, size).
        """
        rng = np.random.default_rng(seed)
        frames, labels, moved = self._shape(frames, labels, maps, rng)
        frames = np.stack([self.damage(frame, rng) for frame in frames])
        return np.ascontiguousarray(frames), np.ascontiguousarray(labels), list(map(np.ascontiguousarray, moved))

    def shape(self, frames: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """The geometric part of `train` alone."""
        frames, labels, _ = self._shape(frames, labels, (), np.random.default_rng(seed))
        return np.ascontiguousarray(frames), np.ascontiguousarray(labels)

    def _shape(
        self, frames: np.ndarray, labels: np.ndarray, maps: Sequence[np.ndarray], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        frames, labels, moved = self._square(frames, labels, maps, rng)
        if self._geometry.transforms:
            frames, labels, moved = self._move(frames, labels, moved, rng)
        if rng.random() < self.flip:
            frames, labels = frames[:, :, ::-1], self.labels.flip(labels)
            moved = [plane[:, ::-1] for plane in moved]
        return frames, labels, moved

    def _move(
        self, frames: np.ndarray, labels: np.ndarray, maps: Sequence[np.ndarray], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        _seed(self._geometry, rng)
        given = [*labels, *maps]
        moved = self._geometry(images=frames, masks=given)
        # albumentations stacks masks, which makes floats of ids that stand beside floats
        planes = [new.astype(old.dtype) for new, old in zip(moved["masks"], given, strict=True)]
        return moved["images"], np.stack(planes[: len(labels)]), planes[len(labels) :]

    def evaluate(self, frames: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same as `train` with nothing left to chance."""
        return self.evaluate_maps(frames, labels, ())[:2]

    def evaluate_maps(
        self, frames: np.ndarray, labels: np.ndarray, maps: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """The same as `train_maps` with nothing left to chance."""
        frames, labels, moved = self._square(frames, labels, maps, None)
        return np.ascontiguousarray(frames), np.ascontiguousarray(labels), list(map(np.ascontiguousarray, moved))

    def damage(self, frame_HWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The photometric part alone: uint8 (H, W, 3)."""
        if not self._photometric.transforms:
            return frame_HWC
        _seed(self._photometric, rng)
        found: np.ndarray = self._photometric(image=np.ascontiguousarray(frame_HWC))["image"]
        return found

    def _square(
        self, frames: np.ndarray, labels: np.ndarray, maps: Sequence[np.ndarray], rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        height, width = frames.shape[1:3]
        if (height, width) == (self.size, self.size):
            return frames, labels, list(maps)
        scale = self.size / min(height, width)
        target = (max(self.size, round(width * scale)), max(self.size, round(height * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        frames = np.stack([cv2.resize(frame, target, interpolation=method) for frame in frames])
        labels, moved = np.stack(_nearest(labels, target)), _nearest(maps, target)
        spare = (target[1] - self.size, target[0] - self.size)
        top, left = (n // 2 for n in spare) if rng is None else self._corner(labels[0], spare, rng)
        rows, columns = slice(top, top + self.size), slice(left, left + self.size)
        return frames[:, rows, columns], labels[:, rows, columns], [plane[rows, columns] for plane in moved]

    def _corner(self, labels_HW: np.ndarray, spare: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
        """Top and left of a square by chance: of a few draws the one that loses least of the small parts."""
        draws = [(int(rng.integers(spare[0] + 1)), int(rng.integers(spare[1] + 1))) for _ in range(_CROP_DRAWS)]
        whole = np.bincount(labels_HW.ravel(), minlength=256)
        small = np.flatnonzero((whole > 0) & (whole < _SMALL_SHARE * labels_HW.size))
        if not len(small):
            return draws[0]

        def kept(corner: tuple[int, int]) -> float:
            top, left = corner
            square_HW = labels_HW[top : top + self.size, left : left + self.size]
            return float((np.bincount(square_HW.ravel(), minlength=256)[small] / whole[small]).sum())

        # the first of the best: where all keep all, chance alone decides
        return max(draws, key=kept)


def _nearest(planes: Iterable[np.ndarray], target: tuple[int, int]) -> list[np.ndarray]:
    return [cv2.resize(plane, target, interpolation=cv2.INTER_NEAREST_EXACT) for plane in planes]


def _seed(compose: A.Compose, rng: np.random.Generator) -> None:
    seed = int(rng.integers(2**31))
    # one stream for all transforms: set_random_seed gives each the same seed, and with it the same draws
    compose.set_random_state(np.random.default_rng(seed), random.Random(seed))


def ignore_labels(labels: np.ndarray) -> np.ndarray:
    """Labels of the same shape that count for nothing."""
    return np.full_like(labels, IGNORE_ID)
