"""The losses as functions of tensors: B batch, K classes, C channels, H W pixels.

The first frame of a pair carries the suffix _1, the second _2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from facestab.labels import IGNORE_ID


def feature_l1(features_1_BCHW: Tensor, features_2_BCHW: Tensor) -> Tensor:
    """Mean absolute difference of two frames' features, with gradient into both.

    L1(f1 - f2) of patent CN110427899A, as a mean, so that it does not grow with the layer. Summed in float32 at least.

    Raises:
        ValueError: when the shapes differ (broadcasting would hide it).
    """
    shape_1, shape_2 = tuple(features_1_BCHW.shape), tuple(features_2_BCHW.shape)
    if shape_1 != shape_2:
        raise ValueError(f"features: both frames need one shape, got {shape_1} and {shape_2}")
    difference_BCHW = (features_1_BCHW - features_2_BCHW).abs()
    return difference_BCHW.mean(dtype=_wide(difference_BCHW))


def cross_entropy(logits_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
    """Mean cross-entropy [nats] over the pixels that are not ignored, the J of patent CN110427899A.

    Without any such pixel it is 0 and still has a graph, so that a step on it changes nothing.

    Args:
        logits_BKHW: float of any width; computed in float32 at least.
        labels_BHW: integer ids 0..K-1, 255 is ignore.
    """
    labels_BHW = labels_BHW.long()
    # reduction="sum" adds atomically on CUDA and is refused under deterministic algorithms
    losses_BHW = F.cross_entropy(
        logits_BKHW.to(_wide(logits_BKHW)), labels_BHW, ignore_index=IGNORE_ID, reduction="none"
    )
    return losses_BHW.sum() / (labels_BHW != IGNORE_ID).sum().clamp(min=1)


def combine(
    feature_distance: Tensor, cross_entropy_1: Tensor, cross_entropy_2: Tensor, *, w: float
) -> dict[str, Tensor]:
    """The parts of L = feature_distance + w * (J1 + J2) by name, and L as `loss` (patent CN110427899A, S570)."""
    cross_entropy_sum = cross_entropy_1 + cross_entropy_2
    return {
        "feature_distance": feature_distance,
        "cross_entropy_1": cross_entropy_1,
        "cross_entropy_2": cross_entropy_2,
        "cross_entropy": cross_entropy_sum,
        "loss": feature_distance + w * cross_entropy_sum,
    }


def temporal_loss(
    features_1_BCHW: Tensor,
    features_2_BCHW: Tensor,
    logits_1_BKHW: Tensor,
    logits_2_BKHW: Tensor,
    labels_1_BHW: Tensor,
    labels_2_BHW: Tensor,
    *,
    w: float,
) -> dict[str, Tensor]:
    """The loss of patent CN110427899A, L = L1(f1 - f2) + w * (J1 + J2), and its parts.

    Returns:
        Scalars feature_distance, cross_entropy_1, cross_entropy_2, cross_entropy (J1 + J2) and loss (L).
    """
    return combine(
        feature_l1(features_1_BCHW, features_2_BCHW),
        cross_entropy(logits_1_BKHW, labels_1_BHW),
        cross_entropy(logits_2_BKHW, labels_2_BHW),
        w=w,
    )


def _wide(values: Tensor) -> torch.dtype:
    """At least float32: the sum over the pixels of a batch overflows float16."""
    return torch.promote_types(values.dtype, torch.float32)
