"""The losses of functional/losses as modules, for configuration."""

import math

from torch import Tensor, nn

from facestab.functional import losses as functional
from facestab.types import SegOutput


class FeatureL1(nn.Module):
    """Mean absolute difference of the two frames' features, see `functional.losses.feature_l1`."""

    def forward(self, features_1_BCHW: Tensor, features_2_BCHW: Tensor) -> Tensor:
        """The distance, a scalar >= 0."""
        return functional.feature_l1(features_1_BCHW, features_2_BCHW)


class NoDistance(nn.Module):
    """No consistency term: 0 for any features, for the control that learns from pseudo-labels alone."""

    def forward(self, features_1_BCHW: Tensor, features_2_BCHW: Tensor) -> Tensor:
        """Zero, a scalar."""
        return features_1_BCHW.new_zeros(())


class CrossEntropy(nn.Module):
    """Mean cross-entropy over the pixels that are not ignored, see `functional.losses.cross_entropy`."""

    def forward(self, logits_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
        """The loss [nats], a scalar >= 0; 0 when every pixel is ignored."""
        return functional.cross_entropy(logits_BKHW, labels_BHW)


class TemporalLoss(nn.Module):
    """L = distance(f1, f2) + w * (J1 + J2); with `FeatureL1` it is the loss of patent CN110427899A.

    Args:
        w: weight of the two cross-entropies against the distance, >= 0.
        distance: maps the features of the two frames to a scalar.

    Raises:
        ValueError: when w is negative or not finite.
    """

    def __init__(self, w: float, distance: nn.Module) -> None:
        super().__init__()
        if not (math.isfinite(w) and w >= 0):
            raise ValueError(f"w: a finite number >= 0 is needed, got {w}")
        self.w = w
        self.distance = distance

    def forward(
        self, output_1: SegOutput, output_2: SegOutput, labels_1_BHW: Tensor, labels_2_BHW: Tensor
    ) -> dict[str, Tensor]:
        """Scalars feature_distance, cross_entropy_1, cross_entropy_2, cross_entropy (their sum) and loss."""
        return functional.combine(
            self.distance(output_1.features_BCHW, output_2.features_BCHW),
            functional.cross_entropy(output_1.logits_BKHW, labels_1_BHW),
            functional.cross_entropy(output_2.logits_BKHW, labels_2_BHW),
            w=self.w,
        )

    def extra_repr(self) -> str:
        """The weight, for print(module)."""
        return f"w={self.w}"
