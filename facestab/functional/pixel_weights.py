"""Weights of pixels by what their labels are part of: rare classes and thin parts are easily smoothed away."""

import torch
import torch.nn.functional as F
from torch import Tensor

from facestab.labels import IGNORE_ID


def rare_class_weight(labels_BHW: Tensor, class_share_K: Tensor, rare: float, reach: int) -> Tensor:
    """Weight share / rare of a pixel whose class has a smaller share than `rare`, else 1.

    Args:
        labels_BHW: class ids; 255 (ignore) lowers no weight.
        class_share_K: how much of the labelled pixels each class has, summing to 1.
        rare: a share, > 0.
        reach: pixels in rows and columns over which the smallest weight spreads.

    Returns:
        float (B, H, W), 0..1.
    """
    weight_K = (class_share_K / rare).clamp(max=1)
    ignored_BHW = labels_BHW == IGNORE_ID
    weight_BHW = torch.where(ignored_BHW, 1.0, weight_K[torch.where(ignored_BHW, 0, labels_BHW)])
    return _smallest_around(weight_BHW, reach)


def thin_part_weight(labels_BHW: Tensor, thin: float, reach: int) -> Tensor:
    """Weight (share / thin)^2 of a pixel whose label holds a smaller share than `thin` of what is around it, else 1.

    Around is a square window, an eighth of the picture's shorter side wide, as far as it lies in the picture. Beside a
    straight boundary the share is about a half, at a right-angled corner a quarter, on a line of 2 px in a picture of
    128 about an eighth.

    Args:
        labels_BHW: class ids; 255 (ignore) lowers no weight.
        thin: a share, > 0.
        reach: pixels in rows and columns over which the smallest weight spreads.

    Returns:
        float32 (B, H, W), 0..1.
    """
    radius = max(1, min(labels_BHW.shape[-2:]) // 16)
    share_BHW = torch.zeros_like(labels_BHW, dtype=torch.float32)
    for label in labels_BHW.unique():
        is_label_BHW = labels_BHW == label
        share_BHW = torch.where(is_label_BHW, _mean_around(is_label_BHW.float(), radius), share_BHW)
    weight_BHW = (share_BHW / thin).clamp(max=1).square()
    return _smallest_around(torch.where(labels_BHW == IGNORE_ID, 1.0, weight_BHW), reach)


def _mean_around(values_BHW: Tensor, radius: int) -> Tensor:
    """Mean over the part of a square window that lies in the picture: along rows, then along columns."""
    for size, padding in (((1, 2 * radius + 1), (0, radius)), ((2 * radius + 1, 1), (radius, 0))):
        values_BHW = F.avg_pool2d(values_BHW, size, stride=1, padding=padding, count_include_pad=False)
    return values_BHW


def _smallest_around(weight_BHW: Tensor, reach: int) -> Tensor:
    # the smallest of a window is the largest of the negative; what lies outside of the picture counts as -inf
    return -F.max_pool2d(-weight_BHW[:, None], 2 * reach + 1, stride=1, padding=reach)[:, 0]
