"""Counts of what stays the same over pairs and windows of frames: T frames, H W pixels, K classes."""

from typing import NamedTuple

import torch
from torch import Tensor

from facestab.functional.flicker import count_by_class, switch_mask
from facestab.functional.histogram import count_true
from facestab.functional.segmentation import class_areas, confusion_matrix
from facestab.functional.warping import warp_bilinear, warp_labels
from facestab.labels import IGNORE_ID

FIXED_ONE = 1 << 20
"""Real numbers are added up as integers, in this part of a unit: the sum is the same in any order."""


class MotionCounts(NamedTuple):
    """Labels of frame t against those of a later frame, brought onto it along the motion.

    Attributes:
        confusion_KK: int64, frame t in rows; pixels that are seen in both frames and ignored in none.
        seen_K2: int64; column 1: pixels of frame t by class, column 0: those of them that are seen in both frames.
        area_2: int64, the pixels of frame t that are seen in both, whatever their label, and all.
    """

    confusion_KK: Tensor
    seen_K2: Tensor
    area_2: Tensor


def motion_counts(
    labels_THW: Tensor, flow_THW2: Tensor, visible_THW: Tensor, num_classes: int, gap: int = 1
) -> MotionCounts:
    """Compares all pairs of frames t and t + gap; all zero when T <= gap.

    Args:
        labels_THW: integer ids, 255 is ignore.
        flow_THW2: from t to t + gap, (x, y) pixels, gap frames less than labels.
        visible_THW: bool, where frame t is seen in frame t + gap, gap frames less; see `visible_mask`.
        num_classes: K.
        gap: at least 1.

    Raises:
        ValueError: when the shapes do not fit, or an id is neither a class nor ignore.
    """
    now_THW = labels_THW[:-gap]
    for name, part in (("flow", flow_THW2), ("visible", visible_THW)):
        if part.shape[:3] != now_THW.shape:
            raise ValueError(f"{name}: frames of shape {tuple(now_THW.shape)} are needed, got {tuple(part.shape)}")
    seen_THW, mask_THW = torch.empty_like(now_THW), torch.empty_like(visible_THW, dtype=torch.bool)
    # frame by frame the pixels stay in the processor's cache
    for t, flow_HW2 in enumerate(flow_THW2):
        warped_HW, inside_HW = warp_labels(labels_THW[t + gap], flow_HW2)
        mask_THW[t] = inside_HW & visible_THW[t].bool()
        seen_THW[t] = warped_HW.masked_fill(~mask_THW[t], IGNORE_ID)
    everywhere_THW = torch.ones_like(mask_THW)
    return MotionCounts(
        confusion_matrix(seen_THW, now_THW, num_classes),
        count_by_class(now_THW, mask_THW, everywhere_THW, num_classes),
        _totals(mask_THW, everywhere_THW),
    )


def held(pairs_THW: Tensor, num_frames: int) -> Tensor:
    """Whether something that is true of pairs of frames is true of all pairs within a window of frames.

    Args:
        pairs_THW: bool (T - 1, H, W).
        num_frames: length of the windows, at least 2.

    Returns:
        bool (max(T - num_frames + 1, 0), H, W), one for each window; windows overlap.
    """
    # windows twice as long from two that follow each other: few steps, however long the window
    length, wanted = 1, num_frames - 1
    while length < wanted:
        step = min(length, wanted - length)
        pairs_THW = pairs_THW[step:] & pairs_THW[:-step]
        length += step
    return pairs_THW


def static_counts(labels_THW: Tensor, static_THW: Tensor, num_frames: int) -> Tensor:
    """Pixels that keep one label over a window in which the picture stands still, int64 (2,): those, and all.

    The counts of all windows are added up; a pixel that is ignored in any frame of a window is left out of it.

    Args:
        labels_THW: integer ids, 255 is ignore.
        static_THW: bool, one frame less, see `static_mask`.
        num_frames: length of the windows, at least 2.
    """
    switched, valid = switch_mask(labels_THW)
    if static_THW.shape != valid.shape:
        raise ValueError(f"static: shape {tuple(valid.shape)} is needed, got {tuple(static_THW.shape)}")
    static = valid & static_THW.bool()
    return _totals(held(static & ~switched, num_frames), held(static, num_frames))


def correct_counts(pred_THW: Tensor, truth_THW: Tensor, num_frames: int) -> Tensor:
    """Pixels that are right over a window in which the truth does not change, int64 (2,): those, and all.

    The counts of all windows are added up. A pixel is left out where the truth is ignored; a prediction that leaves it
    open is wrong.

    Args:
        pred_THW: integer ids.
        truth_THW: integer ids, 255 is ignore.
        num_frames: length of the windows, at least 2.
    """
    truth_still = _still_truth(pred_THW, truth_THW)
    right = pred_THW == truth_THW
    hits = truth_still & right[:-1] & right[1:]
    return _totals(held(hits, num_frames), held(truth_still, num_frames))


def interval_counts(pred_THW: Tensor, truth_THW: Tensor) -> Tensor:
    """Pixels that keep their label where the truth does from a frame to the next, int64 (2,): those, and all.

    Args:
        pred_THW: integer ids; to become open (255) is a change like any other.
        truth_THW: integer ids, 255 is ignore.
    """
    truth_still = _still_truth(pred_THW, truth_THW)
    return _totals(truth_still & (pred_THW[:-1] == pred_THW[1:]), truth_still)


def probability_counts(probs_TKHW: Tensor, flow_THW2: Tensor, visible_THW: Tensor) -> tuple[Tensor, Tensor]:
    """How far probabilities change along the motion, over all pairs of frames.

    Args:
        probs_TKHW: float, 0..1.
        flow_THW2: from t to t+1, (x, y) pixels, one frame less than probabilities.
        visible_THW: bool, where frame t is seen in frame t+1, one frame less; see `visible_mask`.

    Returns:
        Two int64 tensors. (2,): the sum over the pixels seen in both frames of half the L1 distance of their
        probabilities, in units of 1 / FIXED_ONE, and the number of those pixels. (K, 2): the sum over the seen pixels
        whose largest probability at t is that of the class, of the change of this probability, and their number.
    """
    num_classes, shape = probs_TKHW.shape[1], probs_TKHW[1:, 0].shape
    for name, part in (("flow", flow_THW2), ("visible", visible_THW)):
        if part.shape[:3] != shape:
            raise ValueError(f"{name}: frames of shape {tuple(shape)} are needed, got {tuple(part.shape)}")
    sums_K2 = probs_TKHW.new_zeros((num_classes, 2), dtype=torch.long)
    total_2 = sums_K2[0].clone()
    for t, flow_HW2 in enumerate(flow_THW2):
        now_KHW = probs_TKHW[t].float()
        later_KHW, inside_HW = warp_bilinear(probs_TKHW[t + 1].float(), flow_HW2)
        # in place: fresh memory costs more than the sums
        change_KHW = later_KHW.sub_(now_KHW).abs_()
        seen_HW = inside_HW & visible_THW[t].bool()
        total_2 += torch.stack([_fixed(change_KHW.sum(0) / 2)[seen_HW].sum(), seen_HW.count_nonzero()])
        # max is five times faster than argmax on planes of a CPU tensor
        best_HW = now_KHW.max(0).indices
        own_N = _fixed(change_KHW.gather(0, best_HW[None])[0][seen_HW])
        best_N = best_HW[seen_HW]
        # doubles hold these integers exactly
        sums_K2[:, 0] += torch.bincount(best_N, own_N.double(), minlength=num_classes).long()
        sums_K2[:, 1] += torch.bincount(best_N, minlength=num_classes)
    return total_2, sums_K2


def derivative_errors(probs_TKHW: Tensor, target_THW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Squares of (p[t] - p[t-1]) - (g[t] - g[t-1]), g the target as 0 and 1, for each pair of frames.

    Args:
        probs_TKHW: float, 0..1.
        target_THW: integer ids; a pixel that is 255 (ignore) in either frame of a pair is left out.

    Returns:
        Sums over the pixels by class, int64 (max(T - 1, 0), K) in units of 1 / FIXED_ONE; the target's pixels by class
        at t, int64 of the same shape; and the pixels that count, int64 (max(T - 1, 0),).
    """
    if probs_TKHW[:, 0].shape != target_THW.shape:
        shapes = tuple(target_THW.shape), tuple(probs_TKHW.shape)
        raise ValueError(f"probs: frames of the shape of target {shapes[0]} are needed, got {shapes[1]}")
    _, valid_THW = switch_mask(target_THW)
    areas_TK = class_areas(target_THW[1:].masked_fill(~valid_THW, IGNORE_ID), probs_TKHW.shape[1], "target")
    squares_TK = torch.zeros_like(areas_TK)
    for t, valid_HW in enumerate(valid_THW):
        before_1HW, now_1HW = (target_THW[i].masked_fill(~valid_HW, 0).long()[None] for i in (t, t + 1))
        error_KHW = probs_TKHW[t + 1].float() - probs_TKHW[t].float()
        ones_1HW = torch.ones_like(error_KHW[:1])
        error_KHW.scatter_add_(0, now_1HW, -ones_1HW).scatter_add_(0, before_1HW, ones_1HW)
        squares_TK[t] = _fixed((error_KHW * valid_HW).square().sum((1, 2), dtype=torch.float64))
    return squares_TK, areas_TK, areas_TK.sum(1)


def _fixed(values: Tensor) -> Tensor:
    return (values * FIXED_ONE).round().long()


def _still_truth(pred_THW: Tensor, truth_THW: Tensor) -> Tensor:
    if pred_THW.shape != truth_THW.shape:
        raise ValueError(f"pred: the shape of truth {tuple(truth_THW.shape)} is needed, got {tuple(pred_THW.shape)}")
    switched, valid = switch_mask(truth_THW)
    return valid & ~switched


def _totals(hits: Tensor, pixels: Tensor) -> Tensor:
    return torch.stack([count_true(hits), count_true(pixels)])
