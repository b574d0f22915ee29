"""The contours of classes in two label maps: what agrees, and how far apart they are. H W pixels, K classes.

A class is looked at within the box that holds it on both sides. Contours are those of the image's inside: where the
frame cuts a class off there is none.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from facestab.labels import IGNORE_ID

_BLOCK = np.ones((2, 2), np.uint8)
_NEIGHBOURS = np.ones((3, 3), np.uint8)
Window = tuple[slice, slice]


def _disk(squared_radius: int) -> np.ndarray:
    """uint8, 1 at the pixels whose centres are not farther than the radius from the middle."""
    steps = np.arange(-math.isqrt(squared_radius), math.isqrt(squared_radius) + 1)
    return (steps**2 + steps[:, None] ** 2 <= squared_radius).astype(np.uint8)


# the distances between pixels up to 3, each with its disk
_DISKS = [(math.sqrt(square), _disk(square)) for square in (1, 2, 4, 5, 8, 9)]


class ClassMasks(NamedTuple):
    """One class in two label maps, cut out.

    Attributes:
        class_id: 0..K-1.
        first_HW: uint8, 255 where the first map holds the class.
        second_HW: the same of the second map.
        window: the rows and columns of the cut.
    """

    class_id: int
    first_HW: np.ndarray
    second_HW: np.ndarray
    window: Window


def contour(mask_HW: np.ndarray) -> np.ndarray:
    """uint8 (H, W), 255 at pixels that differ from their right, lower or lower right neighbour.

    So the benchmarks BSDS and DAVIS draw a boundary: one pixel wide, whichever side of it the object is.

    Args:
        mask_HW: uint8, 0 and 255.
    """
    found: np.ndarray = cv2.morphologyEx(mask_HW, cv2.MORPH_GRADIENT, _BLOCK, anchor=(0, 0))
    return found


def contour_matches(pred_HW: np.ndarray, target_HW: np.ndarray, num_classes: int, tolerance_px: int) -> np.ndarray:
    """Numbers of contour pixels by class, int64 (K, 2, 2): of prediction and target; those matched, and all.

    A contour pixel is matched when the other side has one within the tolerance (Perazzi et al., CVPR 2016). Those that
    touch a pixel ignored by the target are not counted, but what is counted may be matched by them: nobody knows how
    the contour goes on there.

    Args:
        pred_HW: uint8 ids.
        target_HW: uint8 ids.
        num_classes: K.
        tolerance_px: distance between pixel centres.
    """
    counts_K22 = np.zeros((num_classes, 2, 2), np.int64)
    known_HW = _known(target_HW)
    disk = _disk(tolerance_px**2)
    for class_id, pred_mask, target_mask, window in _class_masks(pred_HW, target_HW, num_classes):
        sides = contour(pred_mask), contour(target_mask)
        for side, (own, other) in enumerate((sides, sides[::-1])):
            counted = own if known_HW is None else own & known_HW[window]
            matched = counted & cv2.dilate(other, disk)
            counts_K22[class_id, side] = cv2.countNonZero(matched), cv2.countNonZero(counted)
    return counts_K22


def band_overlap(pred_HW: np.ndarray, target_HW: np.ndarray, num_classes: int, width_px: int) -> np.ndarray:
    """Pixels of the bands along the inside of the contours, int64 (K, 2): in both bands, and in either.

    The bands of Boundary IoU (Cheng et al., CVPR 2021): what a square of 2 width + 1 pixels erodes. As there, the edge
    of the frame is a contour too. Pixels that the target ignores make no contour, and pixels at them are not counted.

    Args:
        pred_HW: uint8 ids.
        target_HW: uint8 ids.
        num_classes: K.
        width_px: of the band, at least 1.
    """
    counts_K2 = np.zeros((num_classes, 2), np.int64)
    known_HW = _known(target_HW)
    ignored_HW = None if known_HW is None else cv2.compare(target_HW, IGNORE_ID, cv2.CMP_EQ)
    margin = 0 if known_HW is None else width_px
    square = np.ones((2 * width_px + 1,) * 2, np.uint8)
    for class_id, *masks, window in _class_masks(pred_HW, target_HW, num_classes, margin):
        bands = []
        for mask in masks:
            filled = mask if ignored_HW is None else mask | ignored_HW[window]
            inside = cv2.erode(filled, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
            bands.append(mask & ~inside if known_HW is None else mask & ~inside & known_HW[window])
        counts_K2[class_id] = cv2.countNonZero(bands[0] & bands[1]), cv2.countNonZero(bands[0] | bands[1])
    return counts_K2


def contour_distances(
    first_HW: np.ndarray, second_HW: np.ndarray, comparable_HW: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """How far the contours of two label maps are apart.

    Args:
        first_HW: uint8 ids.
        second_HW: uint8 ids.
        comparable_HW: bool; a contour pixel counts where its block of 2 x 2 pixels is wholly comparable.
        num_classes: K.

    Returns:
        By class, over the contour pixels of both maps: the sum of the distances to the nearest contour pixel of the
        other map, float64 (K,) in pixels, and their number, int64 (K,). Both are 0 without a contour in either map.
    """
    sums_K, numbers_K = np.zeros(num_classes), np.zeros(num_classes, np.int64)
    comparable_HW = cv2.erode(comparable_HW.astype(np.uint8) * 255, _BLOCK, anchor=(0, 0))
    for class_id, *masks, window in _class_masks(first_HW, second_HW, num_classes):
        sides = [contour(mask) for mask in masks]
        if not all(cv2.countNonZero(side) for side in sides):
            continue
        for own, other in (sides, sides[::-1]):
            counted = own & comparable_HW[window]
            numbers_K[class_id] += cv2.countNonZero(counted)
            sums_K[class_id] += _sum_of_distances(counted & ~other, other)
    return sums_K, numbers_K


def contour_f(counts_K22: Tensor) -> Tensor:
    """Boundary F from the numbers of `contour_matches`, float (K,).

    The harmonic mean of precision and recall; 0 when only one side has a contour, nan when neither has.
    """
    precision_K, recall_K = (counts_K22[..., 0] / counts_K22[..., 1]).nan_to_num(0).unbind(-1)
    f_K = (2 * precision_K * recall_K / (precision_K + recall_K)).nan_to_num(0)
    return f_K.masked_fill(counts_K22[..., 1].sum(-1) == 0, torch.nan)


def object_size(labels_HW: np.ndarray) -> float:
    """Diagonal in pixels of the box around all that is neither background nor ignored (uint8 ids); 0 without any."""
    _, _, width, height = cv2.boundingRect(cv2.inRange(labels_HW, 1, IGNORE_ID - 1))
    return math.hypot(width, height)


def _sum_of_distances(pixels_HW: np.ndarray, contour_HW: np.ndarray) -> float:
    """Over the pixels, that to the nearest pixel of the contour, which they are not on."""
    total, num_left = 0.0, cv2.countNonZero(pixels_HW)
    # nearly all are close, and a few dilations take a fifth of the time of the transform
    for distance, disk in _DISKS:
        if not num_left:
            return total
        pixels_HW = pixels_HW & ~cv2.dilate(contour_HW, disk)
        num_beyond = cv2.countNonZero(pixels_HW)
        total, num_left = total + distance * (num_left - num_beyond), num_beyond
    distance_HW = cv2.distanceTransform(~contour_HW, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # the transform's last bit depends on where in memory it runs; a squared distance is a whole number of pixels
    squares_N = np.rint(np.square(distance_HW[pixels_HW > 0], dtype=np.float64))
    return total + float(np.sqrt(squares_N).sum())


def _class_masks(
    first_HW: np.ndarray, second_HW: np.ndarray, num_classes: int, margin: int = 0
) -> Iterator[ClassMasks]:
    """The classes that either map holds. One pixel beyond their box is cut out too, and the margin."""
    height, width = first_HW.shape
    for class_id in range(num_classes):
        masks = [cv2.compare(labels_HW, class_id, cv2.CMP_EQ) for labels_HW in (first_HW, second_HW)]
        x, y, box_width, box_height = cv2.boundingRect(masks[0] | masks[1])
        if not box_width:
            continue
        rows = slice(max(0, y - 1 - margin), min(height, y + box_height + 1 + margin))
        columns = slice(max(0, x - 1 - margin), min(width, x + box_width + 1 + margin))
        yield ClassMasks(class_id, masks[0][rows, columns], masks[1][rows, columns], (rows, columns))


def _known(target_HW: np.ndarray) -> np.ndarray | None:
    """uint8, 0 at ignored pixels and their neighbours, else 255; None when nothing is ignored."""
    ignored_HW = cv2.compare(target_HW, IGNORE_ID, cv2.CMP_EQ)
    return ~cv2.dilate(ignored_HW, _NEIGHBOURS) if cv2.countNonZero(ignored_HW) else None
