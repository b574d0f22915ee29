"""Accuracy against true labels."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from facestab.functional.segmentation import confusion_matrix, iou_per_class, mean_f1, mean_iou
from facestab.metrics.counts import CountMetric


class SegmentationScores(CountMetric):
    """Mean IoU, mean F1 and the IoU of every class, from one confusion matrix over all pixels.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.

    Raises:
        ValueError: when names are missing or stand twice.
    """

    higher_is_better = True
    score_confusion: Tensor

    def __init__(self, class_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if len(class_names) < 2 or len(set(class_names)) != len(class_names):
            raise ValueError(f"class_names: two or more different names are needed, got {list(class_names)}")
        self.class_names = tuple(class_names)
        self.add_count("score_confusion", len(class_names), len(class_names))

    def update(self, pred: Tensor, target: Tensor) -> None:
        """Add labels of any equal shapes: integer ids; a pixel with 255 (ignore) on either side is left out."""
        self.score_confusion += confusion_matrix(pred, target, len(self.class_names))

    def compute(self) -> dict[str, Tensor]:
        """`miou` with the background, `f1` without it, and `iou/<class>` for each class that pred or target holds."""
        iou_K = iou_per_class(self.score_confusion)
        named = {f"iou/{name}": iou for name, iou in zip(self.class_names, iou_K, strict=True) if not iou.isnan()}
        return {"miou": mean_iou(self.score_confusion), "f1": mean_f1(self.score_confusion), **named}
