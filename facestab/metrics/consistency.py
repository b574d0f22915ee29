"""Consistency of the labels along the motion of the image: T frames, H W pixels."""

from typing import Any

from torch import Tensor

from facestab.functional.segmentation import confusion_matrix, mean_iou
from facestab.functional.warping import warp_labels
from facestab.labels import IGNORE_ID
from facestab.metrics.counts import VideoMetric


class TemporalConsistency(VideoMetric):
    """IoU between the labels of frame t and those of frame t+1 warped onto it, where the pixel is seen in both.

    Pixels are summed over all pairs of frames, the IoU is averaged over the classes present. The published TC (ETC,
    VSPW) has no mask and charges what moves for what it uncovers; on exact labels it is below 1.

    Args:
        num_classes: K, at least 2.

    Raises:
        ValueError: when num_classes is below 2.
    """

    context = 1
    higher_is_better = True
    tc_confusion: Tensor
    num_visible: Tensor
    num_pixels: Tensor

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_classes < 2:
            raise ValueError(f"num_classes: at least 2 are needed, got {num_classes}")
        self.num_classes = num_classes
        self.add_count("tc_confusion", num_classes, num_classes)
        self.add_count("num_visible")
        self.add_count("num_pixels")

    def update(self, labels_THW: Tensor, forward_flow_THW2: Tensor, visible_THW: Tensor) -> None:
        """Add a window of one video.

        Args:
            labels_THW: integer ids, 255 is ignore.
            forward_flow_THW2: flow from t to t+1, (x, y) pixels, one frame less than labels.
            visible_THW: bool, where frame t is seen in frame t+1, one frame less; see `visible_mask`.
        """
        warped_THW, in_bounds_THW = warp_labels(labels_THW[1:], forward_flow_THW2)
        if visible_THW.shape != in_bounds_THW.shape:
            raise ValueError(f"visible: shape {tuple(in_bounds_THW.shape)} is needed, got {tuple(visible_THW.shape)}")
        mask_THW = visible_THW.bool() & in_bounds_THW
        seen_THW = warped_THW.masked_fill(~mask_THW, IGNORE_ID)
        self.tc_confusion += confusion_matrix(seen_THW, labels_THW[:-1], self.num_classes)
        self.num_visible += mask_THW.sum()
        self.num_pixels += mask_THW.numel()

    def compute(self) -> dict[str, Tensor]:
        """`masked`, the consistency 0..1, and `coverage`, the share of pixels in the mask; nan without pairs."""
        return {"masked": mean_iou(self.tc_confusion), "coverage": self.num_visible / self.num_pixels}
