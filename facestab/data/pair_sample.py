"""One pair of frames on its way from the disk into a batch."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from facestab.data.images import to_channels_first
from facestab.data.still_pairs import StillPair
from facestab.data.transforms import Augmentation, ignore_labels
from facestab.labels import IGNORE_ID
from facestab.types import FramePairBatch

# with fewer that agree the plane was not moved by an affine map
_LEAST_PIXELS = 16


@dataclass(frozen=True)
class PairSample:
    """Two frames and what is known of them.

    Attributes:
        frames: uint8 (2, H, W, 3) RGB.
        labels: uint8 (2, H, W), 255 is ignore.
        runner_up: uint8 (2, H, W), the second class of a soft label.
        share: float32 (2, H, W), how much of a soft label its first class has.
        flow_HW2: float32 in pixels from the first to the second, None for none.
        visible_HW: bool, where a point is seen in both, None for everywhere.
    """

    frames: np.ndarray
    labels: np.ndarray
    runner_up: np.ndarray
    share: np.ndarray
    flow_HW2: np.ndarray | None
    visible_HW: np.ndarray | None

    def only_agreeing(self) -> "PairSample":
        """The same with no label where the two labels of a pixel differ."""
        labels = np.where(self.labels[0] == self.labels[1], self.labels, np.uint8(IGNORE_ID))
        return replace(self, labels=labels)


def to_batch(sample: PairSample, augment: Augmentation, seed: int | None, is_padding: bool) -> FramePairBatch:
    """The sample augmented, as tensors without the batch axis.

    Args:
        sample: the pair.
        augment: one geometry for all of it.
        seed: of every random choice; None: nothing is left to chance.
        is_padding: whether the sample only fills up and must not count.
    """
    # ids of both kinds go as labels: a flip exchanges the sides of all of them
    ids = np.concatenate([sample.labels, sample.runner_up])
    maps = [*sample.share, *_motion_maps(sample)]
    if seed is None:
        frames, ids, moved = augment.evaluate_maps(sample.frames, ids, maps)
    else:
        frames, ids, moved = augment.train_maps(sample.frames, ids, maps, seed)
    labels, runner_up = ids[:2], ids[2:]
    # what was filled with the ignore id has that as its share, too
    share = np.where(labels == IGNORE_ID, np.float32(1), np.stack(moved[:2]))
    flow_HW2, visible_HW = _moved_motion(moved[2:], labels.shape[1:])
    return _tensors(frames, labels, runner_up, share, flow_HW2, visible_HW, is_padding)


def from_still(pair: StillPair, is_padding: bool) -> FramePairBatch:
    """A pair that was made of one image, as tensors without the batch axis."""
    share = np.ones(pair.labels.shape, np.float32)
    return _tensors(pair.frames, pair.labels, pair.labels, share, pair.flow_HW2, pair.visible_HW, is_padding)


def _tensors(
    frames: np.ndarray,
    labels: np.ndarray,
    runner_up: np.ndarray,
    share: np.ndarray,
    flow_HW2: np.ndarray,
    visible_HW: np.ndarray,
    is_padding: bool,
) -> FramePairBatch:
    if is_padding:
        labels, visible_HW = ignore_labels(labels), np.zeros_like(visible_HW)
    return FramePairBatch(
        to_channels_first(frames),
        torch.from_numpy(labels).long(),
        torch.from_numpy(np.ascontiguousarray(runner_up)).long(),
        torch.from_numpy(share),
        torch.from_numpy(flow_HW2),
        torch.from_numpy(visible_HW),
    )


def _motion_maps(sample: PairSample) -> list[np.ndarray]:
    """Flow, visibility and the pixels' own places, which show what an augmentation did to the plane."""
    if sample.flow_HW2 is None:
        return []
    height, width = sample.flow_HW2.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    visible_HW = np.ones((height, width), bool) if sample.visible_HW is None else sample.visible_HW
    flow_x, flow_y = (np.ascontiguousarray(sample.flow_HW2[..., axis]) for axis in (0, 1))
    return [columns, rows, flow_x, flow_y, visible_HW.astype(np.uint8)]


def _moved_motion(moved: list[np.ndarray], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The flow on the augmented plane: its vectors turn and stretch with the plane."""
    if not moved:
        return np.zeros((*shape, 2), np.float32), np.ones(shape, bool)
    columns, rows, flow_x, flow_y, visible = moved
    old_from_new, is_shown_HW = _affine_fit(np.stack([columns, rows], -1))
    # pinv: where nothing of the picture is left, there is no way back
    flow_HW2 = np.stack([flow_x, flow_y], -1) @ np.linalg.pinv(old_from_new)
    return flow_HW2.astype(np.float32), visible.astype(bool) & is_shown_HW


def _affine_fit(old_HW2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How the old plane lies below the new one, and where it is shown: all augmentations of the plane are affine.

    Pixels that were filled, or continued beyond an edge, do not lie as the others do. They may be up to about half.
    Places are whole pixels, so that a stretch of less than a pixel over the picture is not always seen: at 64 pixels a
    flow of 7 px was off by up to 0.08 px in 1500 random maps, at 256 by 0.006 px in 150.

    Args:
        old_HW2: float, the old place that each new pixel shows, x then y, to the nearest pixel.

    Returns:
        (2, 2), old vector = new vector @ it; bool (H, W), whether a pixel shows the place that it should.
    """
    height, width = old_HW2.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    new_HW3 = np.stack([columns, rows, np.ones_like(rows)], -1).astype(np.float64)
    # about 64 x 64 pixels are enough, and a large picture takes long
    every = max(1, min(height, width) // 64)
    fit_32 = _robust_fit(old_HW2[::every, ::every], new_HW3[::every, ::every], every)
    return fit_32[:2], _agrees(old_HW2, new_HW3, fit_32)


def _robust_fit(old_HW2: np.ndarray, new_HW3: np.ndarray, every: int) -> np.ndarray:
    """Old place = (x, y, 1) of the new place @ it, float64 (3, 2), by what agrees of pixels `every` so many apart."""
    step_y, step_x = (length // 4 for length in old_HW2.shape[:2])
    slope_x = np.median(old_HW2[:, step_x:] - old_HW2[:, :-step_x], axis=(0, 1)) / (every * step_x)
    slope_y = np.median(old_HW2[step_y:] - old_HW2[:-step_y], axis=(0, 1)) / (every * step_y)
    fit_32 = np.stack([slope_x, slope_y, np.zeros(2)])
    fit_32[2] = np.median(old_HW2 - new_HW3 @ fit_32, axis=(0, 1))
    # medians of whole numbers are coarse, so that at first more is let through
    for factor in (3, 1, 1, 1, 1):
        agrees_HW = _agrees(old_HW2, new_HW3, fit_32, factor)
        if agrees_HW.sum() < _LEAST_PIXELS:
            break
        fit_32 = np.linalg.lstsq(new_HW3[agrees_HW], old_HW2[agrees_HW], rcond=None)[0]
    return fit_32


def _agrees(old_HW2: np.ndarray, new_HW3: np.ndarray, fit_32: np.ndarray, factor: float = 1) -> np.ndarray:
    """Where the fit is off by no more than rounding to an old and to a new pixel, times a factor, bool (H, W)."""
    old_per_new = np.linalg.norm(fit_32[:2], 2)
    # half a pixel of each along both axes is 0.71, and OpenCV's own steps come on top
    tolerance = 0.75 * (1 + old_per_new)
    agrees_HW: np.ndarray = np.linalg.norm(old_HW2 - new_HW3 @ fit_32, axis=-1) <= factor * tolerance
    return agrees_HW
