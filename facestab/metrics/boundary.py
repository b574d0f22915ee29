"""The contours of classes: do they lie where the truth has them, and do they stand still. T or N frames, H W pixels."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facestab.functional.boundary import band_overlap, contour_distances, contour_f, contour_matches, object_size
from facestab.functional.segmentation import as_bytes
from facestab.functional.warping import warp_labels
from facestab.labels import IGNORE_ID
from facestab.metrics.classes import checked_names, keyed
from facestab.metrics.counts import CountMetric, VideoMetric

# sums of real numbers are kept in this part of a unit: integers add up the same in any order
_ONE = 1 << 16


class BoundaryScores(CountMetric):
    """Boundary F (Perazzi et al., CVPR 2016) and Boundary IoU (Cheng et al., CVPR 2021), by class.

    Pixels are added up over all frames. A pixel that only the prediction leaves open (255) belongs to no class. Where
    the truth is 255, and next to it, nothing is counted.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.
        tolerance: of boundary F, in diagonals of the frame; rounded up to pixels.
        dilation_ratio: width of the bands of Boundary IoU, in diagonals of the frame; rounded, at least one pixel.

    Raises:
        ValueError: when names are missing or stand twice, or a width is not between 0 and 1.
    """

    higher_is_better = True
    contour_counts: Tensor
    band_counts: Tensor

    def __init__(
        self, class_names: Sequence[str], tolerance: float = 0.008, dilation_ratio: float = 0.02, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.class_names = checked_names(class_names)
        for name, value in (("tolerance", tolerance), ("dilation_ratio", dilation_ratio)):
            if not 0 < value < 1:
                raise ValueError(f"{name}: more than 0 and less than 1 is needed, got {value}")
        self.tolerance = tolerance
        self.dilation_ratio = dilation_ratio
        self.add_count("contour_counts", len(self.class_names), 2, 2)
        self.add_count("band_counts", len(self.class_names), 2)

    def update(self, pred_NHW: Tensor, target_NHW: Tensor) -> None:
        """Add labels: integer ids, 255 is ignore."""
        if pred_NHW.shape != target_NHW.shape:
            raise ValueError(
                f"pred: the shape of target {tuple(target_NHW.shape)} is needed, got {tuple(pred_NHW.shape)}"
            )
        num_classes = len(self.class_names)
        diagonal_px = math.hypot(*pred_NHW.shape[1:])
        tolerance_px, width_px = math.ceil(self.tolerance * diagonal_px), round(self.dilation_ratio * diagonal_px)
        pred_NHW, target_NHW = (
            as_bytes(name, ids, num_classes) for name, ids in (("pred", pred_NHW), ("target", target_NHW))
        )
        for pair in zip(pred_NHW.cpu().numpy(), target_NHW.cpu().numpy(), strict=True):
            self.contour_counts += self._counts(contour_matches(*pair, num_classes, tolerance_px))
            self.band_counts += self._counts(band_overlap(*pair, num_classes, max(1, width_px)))

    def _counts(self, counts: np.ndarray) -> Tensor:
        return torch.from_numpy(counts).to(self.device)

    def compute(self) -> dict[str, Tensor]:
        """`val/boundary_f` and `val/boundary_iou`, each with `/<class>`; the means leave out the background.

        A class without a contour on either side is nan and left out of the mean.
        """
        f_K, iou_K = contour_f(self.contour_counts), self.band_counts[:, 0] / self.band_counts[:, 1]
        return {
            **keyed("val/boundary_f", f_K[1:].nanmean(), f_K, self.class_names),
            **keyed("val/boundary_iou", iou_K[1:].nanmean(), iou_K, self.class_names),
        }


class BoundaryJitter(VideoMetric):
    """Distance between the contours of frame t and those of frame t+1 brought onto it along the motion, by class.

    The mean over the contour pixels of both, each to the nearest contour pixel of the other, pooled over all pairs of
    frames: in pixels, and in diagonals of the box around all that is not background in frame t. What is not seen in
    both frames takes frame t's labels, and its contours are not counted.

    A class that vanishes has no contour to measure: `AreaVolatility` counts it as a dropout.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.

    Raises:
        ValueError: when names are missing or stand twice.
    """

    context = 1
    higher_is_better = False
    jitter_px: Tensor
    jitter_relative: Tensor
    num_contour_pixels: Tensor

    def __init__(self, class_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.class_names = checked_names(class_names)
        for name in ("jitter_px", "jitter_relative", "num_contour_pixels"):
            self.add_count(name, len(self.class_names))

    def update(self, labels_THW: Tensor, flow_THW2: Tensor, visible_THW: Tensor) -> None:
        """Add a window of one video.

        Args:
            labels_THW: integer ids, 255 is ignore.
            flow_THW2: from t to t+1, (x, y) pixels, one frame less than labels.
            visible_THW: bool, where frame t is seen in frame t+1, one frame less; see `visible_mask`.
        """
        labels_THW = as_bytes("labels", labels_THW, len(self.class_names))
        for name, part in (("flow", flow_THW2), ("visible", visible_THW)):
            if part.shape[:3] != labels_THW[1:].shape:
                raise ValueError(f"{name}: shape {tuple(labels_THW[1:].shape)} is needed, got {tuple(part.shape)}")
        # frame by frame it stays in the processor's cache
        for pair in zip(labels_THW[:-1], labels_THW[1:], flow_THW2, visible_THW.bool(), strict=True):
            self._add_pair(*pair)

    def _add_pair(self, now_HW: Tensor, next_HW: Tensor, flow_HW2: Tensor, visible_HW: Tensor) -> None:
        warped_HW, _ = warp_labels(next_HW, flow_HW2)
        known_HW = visible_HW & (warped_HW != IGNORE_ID) & (now_HW != IGNORE_ID)
        warped_HW = torch.where(known_HW, warped_HW, now_HW)
        now, warped, known = (part.cpu().numpy() for part in (now_HW, warped_HW, known_HW))
        sums_K, numbers_K = contour_distances(now, warped, known, len(self.class_names))
        relative_K = sums_K / max(object_size(now), 1.0)
        for state, values_K in ((self.jitter_px, sums_K * _ONE), (self.jitter_relative, relative_K * _ONE)):
            state += torch.from_numpy(np.rint(values_K).astype(np.int64)).to(self.device)
        self.num_contour_pixels += torch.from_numpy(numbers_K).to(self.device)

    def compute(self) -> dict[str, Tensor]:
        """`flicker/boundary_jitter_px` and `flicker/boundary_jitter_relative`, each with `/<class>`.

        The means leave out the background and classes without a contour, which are nan.
        """
        px_K, relative_K = (s.double() / _ONE / self.num_contour_pixels for s in (self.jitter_px, self.jitter_relative))
        return {
            **keyed("flicker/boundary_jitter_px", px_K[1:].nanmean(), px_K, self.class_names),
            **keyed("flicker/boundary_jitter_relative", relative_K[1:].nanmean(), relative_K, self.class_names),
        }
