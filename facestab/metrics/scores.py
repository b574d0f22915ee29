"""Accuracy against true labels."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from facestab.functional.segmentation import f1_per_class, iou_per_class, mean_f1, mean_iou, open_confusion_matrix
from facestab.metrics.classes import checked_names, keyed
from facestab.metrics.counts import CountMetric


class SegmentationScores(CountMetric):
    """Mean IoU, mean F1, and both by class, from one confusion matrix over all pixels.

    A pixel that only the prediction leaves open (255) is a miss of its true class.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.

    Raises:
        ValueError: when names are missing or stand twice.

    Example:
        >>> import torch
        >>> metric = SegmentationScores(["background", "skin"])
        >>> metric.update(torch.tensor([0, 0, 1, 255]), torch.tensor([0, 1, 1, 1]))
        >>> {key: round(value.item(), 3) for key, value in metric.compute().items() if "iou" in key}
        {'val/miou': 0.417, 'val/iou/background': 0.5, 'val/iou/skin': 0.333}
    """

    higher_is_better = True
    score_confusion: Tensor

    def __init__(self, class_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.class_names = checked_names(class_names)
        self.add_count("score_confusion", len(self.class_names), len(self.class_names) + 1)

    def update(self, pred: Tensor, target: Tensor) -> None:
        """Add labels of any equal shapes: integer ids; a pixel whose target is 255 (ignore) is left out."""
        self.score_confusion += open_confusion_matrix(pred, target, len(self.class_names))

    def compute(self) -> dict[str, Tensor]:
        """`val/miou` with the background, `val/f1` without it, `val/iou/<class>` and `val/f1/<class>`.

        A class that neither side holds is nan and left out of the means.
        """
        confusion = self.score_confusion
        return {
            **keyed("val/miou", mean_iou(confusion), iou_per_class(confusion), self.class_names),
            **keyed("val/f1", mean_f1(confusion), f1_per_class(confusion), self.class_names),
        }
