"""One video through one or more networks, batch by batch."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from facestab.nets.inference import frame_batches, predict_logits, resize_frames
from facestab.nets.segnet import SegNet
from facestab.video.source import VideoSource


class Video(Protocol):
    """A video to predict."""

    def open(self, backend: str = "auto") -> VideoSource:
        """Its frames."""
        ...


@dataclass(frozen=True)
class FramePrediction:
    """What the networks say of N consecutive frames.

    Attributes:
        frames_NHWC: uint8 RGB, as decoded.
        logits: row name to float (N, K, h, w), at the size at which the networks see the frames.
        seconds: row name to the time of the forward pass.
    """

    frames_NHWC: np.ndarray
    logits: Mapping[str, Tensor]
    seconds: Mapping[str, float]


def stream_video(
    nets: Mapping[str, SegNet],
    video: Video,
    *,
    size: int,
    batch_size: int,
    device: torch.device,
    precision: Callable[[], AbstractContextManager[Any]],
    backend: str = "auto",
) -> Iterator[FramePrediction]:
    """Predictions for every frame, in order; no more than one batch is held.

    Args:
        nets: row name to network, on `device` and in eval mode.
        video: a file, a folder of frames, or a part of one.
        size: pixels of the shorter side at which the networks see the frames.
        batch_size: frames per forward pass.
        device: where the networks are.
        precision: makes the context in which forward passes run.
        backend: auto, decord or pyav.
    """
    with video.open(backend) as source:
        for frames_NHWC in frame_batches(source.frames(), batch_size):
            seen_NHWC = resize_frames(frames_NHWC, size)
            logits: dict[str, Tensor] = {}
            seconds: dict[str, float] = {}
            for row, net in nets.items():
                start = _now(device)
                with precision():
                    logits[row] = predict_logits(net, seen_NHWC, device)
                seconds[row] = _now(device) - start
            yield FramePrediction(frames_NHWC, logits, seconds)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
