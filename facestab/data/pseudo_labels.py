"""What is kept of a teacher's probabilities in a video, and how it is read."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from facestab.errors import VideoError
from facestab.labels import IGNORE_ID
from facestab.video.label_video import LabelVideo, read_label
from facestab.video.source import VideoSource

NUM_LEVELS = 256
"""Steps in which a share is kept: level 0 is a share of 0.5, level 255 one of 1."""


class SoftLabel(NamedTuple):
    """The label of a frame. A hard one has share 1, and its own class as the second.

    Attributes:
        label_HW: uint8, the best class, 255 is ignore.
        runner_up_HW: uint8, the second class; 255 where the label is.
        share_HW: float32, 0.5..1, p1 / (p1 + p2) of the two classes; 1 where the label is ignored.
    """

    label_HW: np.ndarray
    runner_up_HW: np.ndarray
    share_HW: np.ndarray


def encode(probs_KHW: Tensor) -> np.ndarray:
    """uint8 (3, H, W): best class, runner-up and level, which is round(255 * (2 * share - 1)).

    Args:
        probs_KHW: float; K is at least 2.
    """
    label_HW, runner_up_HW, first_HW, second_HW = _best_two(np.ascontiguousarray(probs_KHW.float().cpu().numpy()))
    certainty_HW = (first_HW - second_HW) / (first_HW + second_HW)
    level_HW = np.rint((NUM_LEVELS - 1) * certainty_HW).astype(np.uint8)
    return np.stack([label_HW, runner_up_HW, level_HW])


def _best_two(probs_KHW: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The largest and the second largest of every pixel: uint8 (H, W) classes, then values; the first of equals counts.

    Class after class, with operations that a processor does for many pixels at once: four times faster than torch's
    maximum with indices and than its topk.
    """
    first_HW, second_HW = probs_KHW[0], np.full_like(probs_KHW[0], -1.0)
    label_HW, runner_up_HW = np.zeros((2, *first_HW.shape), np.uint8)
    for number, prob_HW in enumerate(probs_KHW[1:], start=1):
        # all bits of a byte where it holds
        best_HW = -(prob_HW > first_HW).view(np.uint8)
        next_HW = -(prob_HW > second_HW).view(np.uint8) & ~best_HW
        kept_HW = runner_up_HW & ~(best_HW | next_HW)
        runner_up_HW = kept_HW | (label_HW & best_HW) | (np.uint8(number) & next_HW)
        label_HW = (label_HW & ~best_HW) | (np.uint8(number) & best_HW)
        second_HW = np.maximum(second_HW, np.minimum(first_HW, prob_HW))
        first_HW = np.maximum(first_HW, prob_HW)
    return label_HW, runner_up_HW, first_HW, second_HW


def count_levels(encoded_3HW: np.ndarray, num_classes: int) -> np.ndarray:
    """int64 (K, 256): pixels of each best class by their level."""
    label_HW, _, level_HW = encoded_3HW
    joint_HW = (label_HW.astype(np.uint16) << 8) | level_HW
    counts = np.bincount(joint_HW.ravel(), minlength=NUM_LEVELS * num_classes)
    return counts.reshape(num_classes, NUM_LEVELS)


def confident_levels(pixels_KL: np.ndarray, keep: float) -> np.ndarray:
    """int64 (K,): the level from which a class's pixels are its most certain `keep` of all, 0 for one without pixels.

    It is the highest level that leaves at least that share; pixels of one level stay together, so that it may be more.

    Args:
        pixels_KL: pixels of each class by their level, (K, 256).
        keep: above 0, up to 1.
    """
    at_least_KL = pixels_KL[:, ::-1].cumsum(1)[:, ::-1]
    total_K1 = at_least_KL[:, :1]
    # the share times the total may be a whole number but for rounding
    enough_KL = at_least_KL >= keep * total_K1 - 1e-6
    return np.where(total_K1[:, 0] > 0, enough_KL.sum(1) - 1, 0)


class PseudoLabels:
    """The labels of one video, every frame or any. Nothing stays open, so that workers can be sent it.

    Args:
        path: a label video that `PseudoLabelStore` wrote, or true labels as `LabelVideo` takes them.
        is_true: whether they are true ones, which are hard and all kept.
        soft: whether the runner-up and the shares are given; else labels are hard.
        least_level_K: the level below which pixels of a class are ignored, (K,).
        true_frames: number of a frame to the image of its true label, which counts instead (patent [0074]).

    Raises:
        VideoError: when there is no such file.
    """

    def __init__(
        self,
        path: Path,
        is_true: bool,
        soft: bool,
        least_level_K: np.ndarray,
        true_frames: Mapping[int, Path] | None = None,
    ) -> None:
        self.path = path
        self.is_true = is_true
        self.soft = soft
        self.least_level_K = least_level_K
        self.true_frames = dict(true_frames or {})
        self.source: LabelVideo | VideoSource = LabelVideo(path)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[SoftLabel]:
        """Labels of frames start .. stop - 1 as a slice takes them, in order."""
        numbers = range(self.source.info.num_frames)[start:stop]
        stored = self.source.frames(numbers.start, numbers.stop)
        return (self._label(number, frame) for number, frame in zip(numbers, stored, strict=True))

    def picked(self, numbers: Sequence[int]) -> list[SoftLabel]:
        """Labels of the frames with these numbers, in the order given.

        Raises:
            IndexError: when there is no frame of a number.
        """
        numbers = list(numbers)
        if len(numbers) == 2 and numbers[1] == numbers[0] + 1:
            return list(map(self._label, numbers, self.source.pair(numbers[0])))
        return [self._label(number, self._stored(number)) for number in numbers]

    def close(self) -> None:
        """Forget the index; the next use reads it again."""
        self.source.close()

    def _stored(self, number: int) -> np.ndarray:
        num_frames = self.source.info.num_frames
        if not 0 <= number < num_frames:
            raise IndexError(f"{self.path}: there is no frame {number} among {num_frames}")
        if num_frames == 1:
            return next(self.source.frames(0, 1))
        # a run is decoded by all cores, which is no good in a worker; a pair by one
        first = min(number, num_frames - 2)
        found: np.ndarray = self.source.pair(first)[number - first]
        return found

    def _label(self, number: int, stored: np.ndarray) -> SoftLabel:
        if self.is_true:
            return _hard(stored)
        label_HW, runner_up_HW, level_HW = stored.reshape(3, -1, stored.shape[1])
        if number in self.true_frames:
            return _hard(self._true(number, label_HW.shape))
        is_kept_HW = level_HW >= self.least_level_K[label_HW]
        kept_HW = np.where(is_kept_HW, label_HW, np.uint8(IGNORE_ID))
        if not self.soft:
            return _hard(kept_HW)
        share_HW = np.where(is_kept_HW, (1 + level_HW / np.float32(NUM_LEVELS - 1)) / 2, np.float32(1))
        return SoftLabel(kept_HW, np.where(is_kept_HW, runner_up_HW, np.uint8(IGNORE_ID)), share_HW)

    def _true(self, number: int, size: tuple[int, ...]) -> np.ndarray:
        path = self.true_frames[number]
        try:
            label_HW = read_label(path)
        except (OSError, SyntaxError, ValueError) as error:
            raise VideoError(f"{path}: the true label of frame {number} cannot be read ({error})") from None
        if label_HW.shape != size:
            sizes = [f"{shape[1]}x{shape[0]}" for shape in (label_HW.shape, size)]
            raise VideoError(f"{path}: is {sizes[0]}, the video is {sizes[1]}; labels need the video's size")
        return label_HW


def _hard(label_HW: np.ndarray) -> SoftLabel:
    return SoftLabel(label_HW, label_HW.copy(), np.ones(label_HW.shape, np.float32))
