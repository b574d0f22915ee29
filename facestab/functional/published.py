"""Consistency as the literature measures it, written anew from its descriptions, flaws included: T frames, H W pixels.

These numbers serve comparison with published tables only; `facestab.functional.consistency` measures the same things
without the flaws.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from facestab.functional.consistency import held
from facestab.functional.flicker import count_by_class
from facestab.functional.segmentation import confusion_matrix, is_known
from facestab.labels import IGNORE_ID


def warp_ids_etc(labels_HW: Tensor, flow_HW2: Tensor) -> Tensor:
    """Ids of frame t+1 on the grid of frame t as ETC warps them, uint8 (H, W).

    Ids are interpolated as if they were numbers and then cut to whole ones, which invents classes between neighbours.
    Samples outside the frame take its edge. Single precision loses another 1 to 3 in 100 pixels inside a class: four
    rounded parts of an id may add up to a little less, and are cut to the id below.

    Args:
        labels_HW: integer ids.
        flow_HW2: from t to t+1, (x, y) pixels.
    """
    height, width = labels_HW.shape
    x, y = (part.float() for part in flow_HW2.unbind(-1))
    x = x + torch.arange(width, device=x.device)
    y = y + torch.arange(height, device=y.device)[:, None]
    right_share, lower_share = x - x.floor(), y - y.floor()
    left, top = x.floor().long(), y.floor().long()
    ids_HW = labels_HW.double()

    def corner(rows: Tensor, columns: Tensor) -> Tensor:
        return ids_HW[rows.clamp(0, height - 1), columns.clamp(0, width - 1)]

    left_share, upper_share = 1 - right_share.double(), 1 - lower_share.double()
    # each part is rounded to single precision, the last one's share before it is multiplied, too
    parts = (
        left_share * upper_share * corner(top, left),
        right_share * upper_share * corner(top, left + 1),
        left_share * lower_share * corner(top + 1, left),
        (right_share * lower_share) * corner(top + 1, left + 1),
    )
    total_HW = torch.zeros_like(x)
    for part in parts:
        total_HW = total_HW + part.float()
    return total_HW.to(torch.uint8)


def warp_ids_vspw(labels_HW: Tensor, flow_HW2: Tensor) -> Tensor:
    """Ids of frame t+1 on the grid of frame t as VSPW warps them, int64 (H, W).

    The nearest pixel, but the grid is laid out for one convention and sampled with the other (align_corners): samples
    lie up to half a pixel too far left at the left edge and too far right at the right one. Samples outside the frame
    are class 0.

    Args:
        labels_HW: integer ids.
        flow_HW2: from t to t+1, (x, y) pixels.
    """
    height, width = labels_HW.shape
    x, y = (part.float() for part in flow_HW2.unbind(-1))
    x = 2 * (x + torch.arange(width, device=x.device)) / max(width - 1, 1) - 1
    y = 2 * (y + torch.arange(height, device=y.device)[:, None]) / max(height - 1, 1) - 1
    grid_HW2 = torch.stack([x, y], dim=-1)
    sampled = F.grid_sample(labels_HW.float()[None, None], grid_HW2[None], mode="nearest", align_corners=False)
    return sampled[0, 0].long()


def etc_counts(labels_THW: Tensor, flow_THW2: Tensor, num_classes: int) -> Tensor:
    """Intersections and unions of labels and the next frame's, warped as by ETC, int64 (K, 2), over all pairs."""
    _check(labels_THW, flow_THW2)
    warped_THW = _warp_all(warp_ids_etc, labels_THW, flow_THW2)
    now_THW = labels_THW[:-1]
    counted = is_known(warped_THW)
    # an invented id that is no class belongs to no union on its side
    warped_THW = warped_THW.masked_fill(warped_THW >= num_classes, IGNORE_ID)
    own_K2 = count_by_class(now_THW, now_THW == warped_THW, counted, num_classes)
    other_K2 = count_by_class(warped_THW, counted, counted, num_classes)
    return torch.stack([own_K2[:, 0], own_K2[:, 1] + other_K2[:, 1] - own_K2[:, 0]], dim=1)


def vspw_confusion(labels_THW: Tensor, flow_THW2: Tensor, num_classes: int) -> Tensor:
    """Confusion of labels (rows) with the next frame's, warped as by VSPW, int64 (K, K), over all pairs."""
    _check(labels_THW, flow_THW2)
    return confusion_matrix(_warp_all(warp_ids_vspw, labels_THW, flow_THW2), labels_THW[:-1], num_classes)


def vspw_windows(labels_THW: Tensor, truth_THW: Tensor, num_frames: int) -> Tensor:
    """For each window of frames: pixels where neither changes, and where the truth does not, int64 (windows, 2).

    The prediction is not compared with the truth, and the ignore id is an id like any other.

    Args:
        labels_THW: integer ids of the prediction.
        truth_THW: integer ids of the truth.
        num_frames: length of the windows, at least 2; without so many frames there is no window.
    """
    if labels_THW.shape != truth_THW.shape:
        shapes = tuple(truth_THW.shape), tuple(labels_THW.shape)
        raise ValueError(f"labels: the shape of truth {shapes[0]} is needed, got {shapes[1]}")
    truth_held = held(truth_THW[1:] == truth_THW[:-1], num_frames)
    both_held = held(labels_THW[1:] == labels_THW[:-1], num_frames) & truth_held
    # sums of bytes are four times faster than sums of bools
    return torch.stack([mask.view(torch.uint8).sum((1, 2)) for mask in (both_held, truth_held)], dim=1)


def _warp_all(warp: Callable[[Tensor, Tensor], Tensor], labels_THW: Tensor, flow_THW2: Tensor) -> Tensor:
    frames = [warp(*pair) for pair in zip(labels_THW[1:], flow_THW2, strict=True)]
    return torch.stack(frames).to(torch.uint8) if frames else labels_THW[1:].to(torch.uint8)


def _check(labels_THW: Tensor, flow_THW2: Tensor) -> None:
    shape = (*labels_THW[1:].shape, 2)
    if flow_THW2.shape != shape:
        raise ValueError(f"flow: shape {shape} is needed, got {tuple(flow_THW2.shape)}")
