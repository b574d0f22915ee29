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


def cross_entropy(
    logits_BKHW: Tensor,
    labels_BHW: Tensor,
    runner_up_BHW: Tensor | None = None,
    share_BHW: Tensor | None = None,
    class_weight_K: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy [nats] over the pixels that are not ignored, the J of patent CN110427899A.

    A soft label counts as share * CE(label) + (1 - share) * CE(runner-up). The weight of a pixel is that of its label;
    the mean divides by the number of pixels, not by their weights. Without any valid pixel it is 0 and still has a
    graph, so that a step on it changes nothing.

    Args:
        logits_BKHW: float of any width; computed in float32 at least.
        labels_BHW: integer ids 0..K-1, 255 is ignore.
        runner_up_BHW: integer ids of the second class of soft labels, 0..K-1 where `labels_BHW` is valid.
        share_BHW: float from 0 to 1, how much of a soft label its first class has.
        class_weight_K: float >= 0, see `class_weights`.

    Raises:
        ValueError: when only one of runner-up and share is given, or there is not one weight for each class.
    """
    if (runner_up_BHW is None) != (share_BHW is None):
        raise ValueError("runner_up, share: both or neither are needed, got one of them")
    labels_BHW = labels_BHW.long()
    valid_BHW = labels_BHW != IGNORE_ID
    losses_BHW = _negative_log(logits_BKHW, labels_BHW)
    if runner_up_BHW is not None and share_BHW is not None:
        second_BHW = _negative_log(logits_BKHW, torch.where(valid_BHW, runner_up_BHW.long(), IGNORE_ID))
        losses_BHW = share_BHW * losses_BHW + (1 - share_BHW) * second_BHW
    if class_weight_K is not None:
        if class_weight_K.shape != logits_BKHW.shape[1:2]:
            raise ValueError(
                f"class weights: shape {(logits_BKHW.shape[1],)} is needed, got {(*class_weight_K.shape,)}"
            )
        losses_BHW = class_weight_K[torch.where(valid_BHW, labels_BHW, 0)] * losses_BHW
    return losses_BHW.sum() / valid_BHW.sum().clamp(min=1)


def class_weights(class_share_K: Tensor, balance: float) -> Tensor:
    """Weights of the classes, share ** -balance, such that the mean weight of a labelled pixel is 1.

    Args:
        class_share_K: float >= 0, how much of the labelled pixels each class has, in any unit. A class that has none
            gets the weight of the rarest one that has some.
        balance: 0 weighs all pixels alike, 1 all classes.

    Returns:
        float32 at least, (K,).
    """
    share_K = class_share_K.to(_wide(class_share_K))
    share_K = share_K / share_K.sum()
    rarest = torch.where(share_K > 0, share_K, torch.inf).min()
    weight_K = share_K.clamp_min(rarest) ** -balance
    return weight_K / (share_K * weight_K).sum()


def combine(
    consistency: Tensor, cross_entropy_1: Tensor, cross_entropy_2: Tensor, *, w: float, strength: float = 1.0
) -> dict[str, Tensor]:
    """The parts of L = strength * consistency + w * (J1 + J2) by name, and L as `loss`.

    With strength 1 it is step S570 of patent CN110427899A. The parts are unweighted.
    """
    cross_entropy_sum = cross_entropy_1 + cross_entropy_2
    return {
        "consistency": consistency,
        "cross_entropy_1": cross_entropy_1,
        "cross_entropy_2": cross_entropy_2,
        "cross_entropy": cross_entropy_sum,
        "loss": strength * consistency + w * cross_entropy_sum,
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
        Scalars consistency (the feature distance), cross_entropy_1, cross_entropy_2, cross_entropy (J1 + J2) and
        loss (L).
    """
    return combine(
        feature_l1(features_1_BCHW, features_2_BCHW),
        cross_entropy(logits_1_BKHW, labels_1_BHW),
        cross_entropy(logits_2_BKHW, labels_2_BHW),
        w=w,
    )


def _negative_log(logits_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
    """-log of the probability of the label [nats], (B, H, W); 0 where it is ignored."""
    # reduction="sum" adds atomically on CUDA and is refused under deterministic algorithms
    return F.cross_entropy(logits_BKHW.to(_wide(logits_BKHW)), labels_BHW, ignore_index=IGNORE_ID, reduction="none")


def _wide(values: Tensor) -> torch.dtype:
    """At least float32: the sum over the pixels of a batch overflows float16."""
    return torch.promote_types(values.dtype, torch.float32)
