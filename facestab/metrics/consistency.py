"""Consistency of the labels along the motion of the image: T frames, H W pixels, K classes."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from facestab.functional.consistency import motion_counts
from facestab.functional.segmentation import iou_per_class, mean_iou
from facestab.metrics.classes import checked_names, keyed
from facestab.metrics.counts import VideoMetric


class TemporalConsistency(VideoMetric):
    """IoU between the labels of frame t and those of a later frame warped onto it, where the pixel is seen in both.

    Pixels are summed over all pairs of frames, the IoU is averaged over the classes present. The published TC (ETC,
    VSPW) has no mask and charges what moves for what it uncovers; on exact labels it is below 1. A frozen output of a
    still face is wholly consistent: accuracy must stand beside it.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.
        gap: from a frame to the one that it is compared with.

    Raises:
        ValueError: when names are missing or stand twice, or the gap is below 1.
    """

    higher_is_better = True

    def __init__(self, class_names: Sequence[str], gap: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if gap < 1:
            raise ValueError(f"gap: at least 1 is needed, got {gap}")
        self.class_names = checked_names(class_names)
        self.gap = self.context = gap
        self._suffix = "" if gap == 1 else f"_gap{gap}"
        num_classes = len(self.class_names)
        for name, shape in (("confusion", (num_classes,) * 2), ("seen", (num_classes, 2)), ("area", (2,))):
            self.add_count(f"tc_{name}{self._suffix}", *shape)

    def update(self, labels_THW: Tensor, flow_THW2: Tensor, visible_THW: Tensor) -> None:
        """Add a window of one video.

        Args:
            labels_THW: integer ids, 255 is ignore.
            flow_THW2: from t to t + gap, (x, y) pixels, gap frames less than labels.
            visible_THW: bool, where frame t is seen in frame t + gap, gap frames less; see `visible_mask`.
        """
        counts = motion_counts(labels_THW, flow_THW2, visible_THW, len(self.class_names), self.gap)
        self.add_to(f"tc_confusion{self._suffix}", counts.confusion_KK)
        self.add_to(f"tc_seen{self._suffix}", counts.seen_K2)
        self.add_to(f"tc_area{self._suffix}", counts.area_2)

    def compute(self) -> dict[str, Tensor]:
        """`tc/masked` and `tc/masked/<class>`, 0..1, and how many pixels the mask leaves; nan without pairs.

        `tc/coverage` is the share of all pixels that are seen in both frames, `tc/coverage/<class>` (gap 1 only) that
        of the class's pixels: the IoU of a class whose edges the mask takes away says little. With another gap keys
        end in it: `tc/masked_gap2`.
        """
        confusion, seen_K2, area_2 = (
            getattr(self, f"tc_{name}{self._suffix}") for name in ("confusion", "seen", "area")
        )
        seen, pixels = area_2.double()
        seen_K, pixels_K = seen_K2.double().unbind(1)
        masked = keyed("tc/masked", mean_iou(confusion), iou_per_class(confusion), self.class_names)
        coverage = keyed("tc/coverage", seen / pixels, seen_K / pixels_K, self.class_names)
        if self.gap == 1:
            return {**masked, **coverage}
        masked = {key.replace("tc/masked", f"tc/masked{self._suffix}", 1): value for key, value in masked.items()}
        return {**masked, f"tc/coverage{self._suffix}": coverage["tc/coverage"]}
