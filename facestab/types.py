"""What passes between the parts.

Shape legend: B batch, T frames of a clip, N frames of a batch, K classes, C channels, H W pixels.
A tensor's name ends in its axes. Images are uint8 RGB, labels int64 ids with 255 for ignore.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

# of every data set
SPLITS = ("train", "val", "test")


class ImageBatch(NamedTuple):
    """Labelled still images.

    Attributes:
        images_BCHW: uint8 RGB.
        labels_BHW: int64 ids, 255 is ignore.
        runner_up_BHW: int64 ids of the second class of soft labels; (B, 0, 0) when the labels are hard.
        share_BHW: float32 from 0.5 to 1, how much of a soft label its first class has; (B, 0, 0) likewise.
    """

    images_BCHW: Tensor
    labels_BHW: Tensor
    runner_up_BHW: Tensor
    share_BHW: Tensor

    @classmethod
    def hard(cls, images_BCHW: Tensor, labels_BHW: Tensor) -> "ImageBatch":
        """Images with hard labels, with or without the batch axis."""
        none = images_BCHW.new_zeros((*labels_BHW.shape[:-2], 0, 0), dtype=torch.float32)
        return cls(images_BCHW, labels_BHW, none.long(), none)

    @property
    def soft(self) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """Runner-up and share, None where the labels are hard."""
        return (self.runner_up_BHW, self.share_BHW) if self.share_BHW.numel() else (None, None)

    def flat(self) -> "ImageBatch":
        """The images of all samples in one row: (B, n, ...) becomes (B * n, ...)."""
        return ImageBatch(*(part.flatten(0, 1) for part in self))


class FrameWindowBatch(NamedTuple):
    """Runs of T adjacent frames of one video each, with true or pseudo labels.

    Attributes:
        frames_BTCHW: uint8 RGB.
        labels_BTHW: int64 ids, 255 is ignore.
    """

    frames_BTCHW: Tensor
    labels_BTHW: Tensor


class FramePairBatch(NamedTuple):
    """Two frames of one video each, with true or pseudo labels, T = 2.

    Attributes:
        frames_BTCHW: uint8 RGB.
        labels_BTHW: int64 ids, 255 is ignore.
        runner_up_BTHW: int64 ids of the second class of a soft label; that of `labels_BTHW` for a hard one.
        share_BTHW: float32 from 0.5 to 1, how much of a soft label its first class has; 1 for a hard one.
        flow_BHW2: float32, x then y, in pixels, from the first frame to the second; 0 where no flow is asked for.
        visible_BHW: bool, where what the first frame shows is seen in the second.
    """

    frames_BTCHW: Tensor
    labels_BTHW: Tensor
    runner_up_BTHW: Tensor
    share_BTHW: Tensor
    flow_BHW2: Tensor
    visible_BHW: Tensor


class TemporalBatch(NamedTuple):
    """One step of the temporal stage.

    Attributes:
        pair: pairs of frames.
        images: n labelled images beside each pair, uint8 (B, n, 3, H, W) and int64 (B, n, H, W); n may be 0.
    """

    pair: FramePairBatch
    images: ImageBatch


class SegOutput(NamedTuple):
    """What a network returns.

    Attributes:
        logits_BKHW: float, at the size of the images.
        features_BCHW: float, the f of the consistency loss, at whatever size the named layer has.
    """

    logits_BKHW: Tensor
    features_BCHW: Tensor


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its frames are read.

    Attributes:
        path: the file, or the folder of frames.
        fps: frames per second, exact.
        num_frames: frames that the index holds.
        height: pixels, after the rotation that the file asks for.
        width: pixels, after the rotation that the file asks for.
        codec: the codec's FFmpeg name, or "frames" for a folder.
    """

    path: Path
    fps: Fraction
    num_frames: int
    height: int
    width: int
    codec: str
