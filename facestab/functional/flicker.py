"""Counts of labels that flip in time, from labels alone: T frames, H W pixels, K classes.

Each kind of event has a mask of where it happened and where it could have, counts of both by class, and a rate per
frame for plots. A pixel that is ignored in any frame involved takes no part.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from facestab.functional.histogram import count_true, id_counts
from facestab.functional.regions import boundary_band
from facestab.functional.segmentation import as_bytes, is_known
from facestab.labels import IGNORE_ID


class AbaCounts(NamedTuple):
    """Labels that leave for one frame and come back.

    Attributes:
        by_class_K2: int64; column 1: pixels with S[t-1] = S[t+1] = k, column 0: those of them whose label at t differs.
        num_boundary: int64 scalar, events within the boundary band of frame t-1.
        num_valid: int64 scalar, all pixels where an event could be told.
    """

    by_class_K2: Tensor
    num_boundary: Tensor
    num_valid: Tensor


def aba_mask(labels_THW: Tensor) -> tuple[Tensor, Tensor]:
    """Where a label leaves for one frame and comes back, S[t-1] == S[t+1] != S[t], and where that could be told.

    Returns:
        Two bool masks of the T - 2 interior frames, (max(T - 2, 0), H, W). The first lies within the second.
    """
    before, now, after = labels_THW[:-2], labels_THW[1:-1], labels_THW[2:]
    valid = is_known(torch.maximum(torch.maximum(before, now), after))
    return valid & (before == after) & (before != now), valid


def switch_mask(labels_THW: Tensor) -> tuple[Tensor, Tensor]:
    """Where a label differs from the frame before, S[t-1] != S[t], and where that could be told.

    Returns:
        Two bool masks of the frames but the first, (max(T - 1, 0), H, W). The first lies within the second.
    """
    before, now = labels_THW[:-1], labels_THW[1:]
    valid = is_known(torch.maximum(before, now))
    return valid & (before != now), valid


def count_by_class(labels: Tensor, events: Tensor, where: Tensor, num_classes: int) -> Tensor:
    """Events and pixels by class, int64 (K, 2): column 1 the pixels of each class, column 0 those with an event.

    Args:
        labels: integer ids of any shape; ignored pixels are left out.
        events: bool of the same shape.
        where: bool of the same shape; only these pixels count.
        num_classes: K.

    Raises:
        ValueError: when an id is neither a class nor ignore.
    """
    ids = _bytes(labels, num_classes)
    pixels_N = id_counts(ids, where)
    unknown = pixels_N[num_classes:IGNORE_ID].nonzero()
    if len(unknown):
        raise ValueError(f"labels: ids go from 0 to {num_classes - 1}, got {num_classes + int(unknown.max())}")
    return torch.stack([id_counts(ids, events & where)[:num_classes], pixels_N[:num_classes]], dim=1)


def aba_counts(labels_THW: Tensor, num_classes: int, band_px: int) -> AbaCounts:
    """Flips away and back over all interior frames; all zero when T < 3.

    Args:
        labels_THW: integer ids, 255 is ignore.
        num_classes: K.
        band_px: width of the band on each side of a boundary, see `boundary_band`.
    """
    labels_THW = _bytes(labels_THW, num_classes)
    events, valid = aba_mask(labels_THW)
    before, after = labels_THW[:-2], labels_THW[2:]
    by_class_K2 = count_by_class(before, events, valid & (before == after), num_classes)
    in_band = events & boundary_band(before, band_px)
    return AbaCounts(by_class_K2, count_true(in_band), count_true(valid))


def switch_counts(labels_THW: Tensor, num_classes: int, where_THW: Tensor | None = None) -> Tensor:
    """Switches by the class that is left, int64 (K, 2): column 1 its pixels at t-1, column 0 those that switch.

    Args:
        labels_THW: integer ids, 255 is ignore.
        num_classes: K.
        where_THW: bool, one frame less: the pixels of the pairs that count; None for all.
    """
    events, valid = switch_mask(labels_THW)
    if where_THW is not None:
        if where_THW.shape != valid.shape:
            raise ValueError(f"where: shape {tuple(valid.shape)} is needed, got {tuple(where_THW.shape)}")
        valid = valid & where_THW.bool()
    return count_by_class(labels_THW[:-1], events, valid, num_classes)


def excess_counts(labels_THW: Tensor, reference_THW: Tensor) -> Tensor:
    """Switches of labels and of a reference over the pixels valid in both, int64 (3,): both numbers, and the pixels."""
    if labels_THW.shape != reference_THW.shape:
        shapes = tuple(reference_THW.shape), tuple(labels_THW.shape)
        raise ValueError(f"labels: the shape of the reference {shapes[0]} is needed, got {shapes[1]}")
    own, own_valid = switch_mask(labels_THW)
    other, other_valid = switch_mask(reference_THW)
    valid = own_valid & other_valid
    return torch.stack([count_true(own & valid), count_true(other & valid), count_true(valid)])


def aba_per_frame(labels_THW: Tensor, num_classes: int = 0) -> Tensor:
    """Pixels of frame t that flip away and back, float (T, 1 + K); nan at both ends.

    Column 0 is the share of the valid pixels, column 1 + k that of the pixels with S[t-1] == S[t+1] == k.

    Args:
        labels_THW: uint8 ids; 255 and ids from K on have no column.
        num_classes: K.
    """
    events_THW, valid_THW = aba_mask(labels_THW)
    overall_T1 = _rates(events_THW, valid_THW, num_frames=len(labels_THW))[:, None]
    rates_TK = torch.full((len(labels_THW), num_classes), torch.nan, device=labels_THW.device)
    if num_classes:
        before_THW = labels_THW[:-2]
        where_THW = valid_THW & (before_THW == labels_THW[2:])
        for t, before_HW in enumerate(before_THW):
            pixels_N, events_N = id_counts(before_HW, where_THW[t]), id_counts(before_HW, events_THW[t])
            rates_TK[t + 1] = (events_N / pixels_N)[:num_classes]
    return torch.cat([overall_T1, rates_TK], dim=1)


def switch_per_frame(labels_THW: Tensor) -> Tensor:
    """Share of the valid pixels whose label differs from frame t-1, float (T,); nan at frame 0."""
    return _rates(*switch_mask(labels_THW), num_frames=len(labels_THW))


def _bytes(labels: Tensor, num_classes: int) -> Tensor:
    """The ids as uint8, in which comparisons are fast."""
    return labels if labels.dtype == torch.uint8 else as_bytes("labels", labels, num_classes)


def _rates(events_THW: Tensor, valid_THW: Tensor, *, num_frames: int) -> Tensor:
    rates = torch.full((num_frames,), torch.nan, device=events_THW.device)
    for t, (events_HW, valid_HW) in enumerate(zip(events_THW, valid_THW, strict=True), start=1):
        rates[t] = count_true(events_HW) / count_true(valid_HW)
    return rates
