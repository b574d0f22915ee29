"""Consistency as the literature reports it, flaws included, for comparison with published tables alone.

Each pools all pairs or windows of all videos, so that long videos weigh more. T frames, H W pixels, K classes.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from facestab.functional.published import etc_counts, vspw_confusion, vspw_windows
from facestab.functional.segmentation import iou_per_class
from facestab.metrics.classes import checked_names
from facestab.metrics.counts import VideoMetric
from facestab.metrics.signals import SignalMetric


class TcEtc(VideoMetric):
    """Temporal consistency as in ETC (Liu et al., ECCV 2020): IoU of labels and the next frame's, warped onto them.

    Known bias: without a mask exact labels and exact flow score 0.76 on a disc that moves by a quarter of its width.
    Ids are interpolated as numbers and cut, which invents classes at every boundary (844 pixels on a face of 5 classes
    that moves by half a pixel) and lowers 1 to 3 in 100 pixels inside a class by one. A class that never occurs scores
    0 and drags the mean. The papers estimate flow with the network that they train with.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.

    Raises:
        ValueError: when names are missing or stand twice.
    """

    context = 1
    higher_is_better = True
    etc_overlap: Tensor

    def __init__(self, class_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.class_names = checked_names(class_names)
        self.add_count("etc_overlap", len(self.class_names), 2)

    def update(self, labels_THW: Tensor, flow_THW2: Tensor) -> None:
        """Add a window of one video.

        Args:
            labels_THW: integer ids, 255 is ignore.
            flow_THW2: from t to t+1, (x, y) pixels, one frame less than labels.
        """
        self.etc_overlap += etc_counts(labels_THW, flow_THW2, len(self.class_names))

    def compute(self) -> dict[str, Tensor]:
        """`tc/etc`, 0..1; nan without pairs."""
        intersections_K, unions_K = self.etc_overlap.double().unbind(1)
        value = (intersections_K / (unions_K + 1e-10)).mean()
        return {"tc/etc": value.masked_fill(unions_K.sum() == 0, torch.nan).float()}


class TcVspw(VideoMetric):
    """Temporal consistency as in VSPW (Miao et al., CVPR 2021): mIoU of the next frame's labels warped onto a frame's.

    Known bias: without a mask exact labels and exact flow score 0.76 on a disc that moves by a quarter of its width.
    What comes from outside the frame is class 0. Samples are up to half a pixel off, outwards from the middle, which
    costs frames of even size a row and a column even without motion. Classes that only warped frames hold are left out.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.

    Raises:
        ValueError: when names are missing or stand twice.
    """

    context = 1
    higher_is_better = True
    vspw_overlap: Tensor

    def __init__(self, class_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.class_names = checked_names(class_names)
        self.add_count("vspw_overlap", len(self.class_names), len(self.class_names))

    def update(self, labels_THW: Tensor, flow_THW2: Tensor) -> None:
        """Add a window of one video.

        Args:
            labels_THW: integer ids, 255 is ignore.
            flow_THW2: from t to t+1, (x, y) pixels, one frame less than labels.
        """
        self.vspw_overlap += vspw_confusion(labels_THW, flow_THW2, len(self.class_names))

    def compute(self) -> dict[str, Tensor]:
        """`tc/vspw`, 0..1; nan without pairs."""
        present_K = self.vspw_overlap.sum(1) > 0
        return {"tc/vspw": iou_per_class(self.vspw_overlap)[present_K].mean()}


class VcVspw(SignalMetric):
    """Video consistency as in VSPW (Miao et al., CVPR 2021), VC8 and VC16.

    For each window of frames: of the pixels whose true label does not change, the share whose predicted label does not
    change either. The mean over the windows of all videos.

    Known bias: the prediction is never compared with the truth, so all background, a frozen first frame and skin called
    hair all score 1.000 where an output of 0.95 mIoU with a jittering edge scores 0.993. The last window of each video
    is dropped, and with it every video of no more frames than the window. The ignore id is a class like any other.

    Args:
        num_frames: length of the windows, at least 2.

    Raises:
        ValueError: for windows of fewer than 2 frames.
    """

    higher_is_better = True

    def __init__(self, num_frames: int, **kwargs: Any) -> None:
        if num_frames < 2:
            raise ValueError(f"num_frames: at least 2 are needed, got {num_frames}")
        # for each window: pixels where neither changes, and where the truth does not
        super().__init__(num_columns=2, settings=str(num_frames), **kwargs)
        self.num_frames = num_frames
        self.context = num_frames - 1

    def update(self, labels_THW: Tensor, truth_THW: Tensor, first: bool = True) -> None:
        """Add a window of one video: integer ids of equal shapes; `first` when it begins the video."""
        self.add_frames(vspw_windows(labels_THW, truth_THW, self.num_frames), first)

    def compute(self) -> dict[str, Tensor]:
        """`vc/vspw<num_frames>`, 0..1; nan without a window."""
        windows = [line for signal_TC in self.signals() for line in signal_TC[:-1].tolist()]
        values = [kept / pixels for kept, pixels in windows if pixels]
        # an exact sum does not depend on the order in which processes deliver
        value = math.fsum(values) / len(values) if values else math.nan
        return {f"vc/vspw{self.num_frames}": torch.tensor(value, device=self.device)}
