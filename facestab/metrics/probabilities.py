"""Flicker of the probabilities, which see what the labels' decision hides: T frames, H W pixels, K classes."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from facestab.functional.consistency import FIXED_ONE, probability_counts
from facestab.metrics.classes import checked_names, keyed
from facestab.metrics.counts import VideoMetric


class ProbabilityVariation(VideoMetric):
    """Total variation distance between a pixel's probabilities at t and those at t+1, brought onto it along the motion.

    Half of sum over k of |p[t] - p[t+1] warped|, the mean over the pixels seen in both frames [fraction/frame]. Finer
    than the labels, but softer probabilities lower it: read it with the confidence.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.

    Raises:
        ValueError: when names are missing or stand twice.
    """

    context = 1
    higher_is_better = False
    variation: Tensor
    variation_by_class: Tensor

    def __init__(self, class_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.class_names = checked_names(class_names)
        self.add_count("variation", 2)
        self.add_count("variation_by_class", len(self.class_names), 2)

    def update(self, probs_TKHW: Tensor, flow_THW2: Tensor, visible_THW: Tensor) -> None:
        """Add a window of one video.

        Args:
            probs_TKHW: float, 0..1, one plane a class.
            flow_THW2: from t to t+1, (x, y) pixels, one frame less than probabilities.
            visible_THW: bool, where frame t is seen in frame t+1, one frame less; see `visible_mask`.
        """
        if probs_TKHW.shape[1] != len(self.class_names):
            raise ValueError(f"probs: {len(self.class_names)} classes are needed, got {probs_TKHW.shape[1]}")
        total_2, by_class_K2 = probability_counts(probs_TKHW, flow_THW2, visible_THW)
        self.variation += total_2
        self.variation_by_class += by_class_K2

    def compute(self) -> dict[str, Tensor]:
        """`flicker/prob_tv`, 0..1, and `flicker/prob_tv/<class>`; nan without a pixel.

        Of a class: the mean change of its own probability over the seen pixels where it is the largest at t.
        """
        total, pixels = self.variation.double()
        total_K, pixels_K = self.variation_by_class.double().unbind(1)
        return keyed("flicker/prob_tv", total / FIXED_ONE / pixels, total_K / FIXED_ONE / pixels_K, self.class_names)
