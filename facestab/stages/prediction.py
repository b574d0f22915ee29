"""One video through one or more networks, batch by batch."""

import math
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from facestab.engines.base import Engine
from facestab.keys import FIXED_CROP
from facestab.nets.inference import resize_frames
from facestab.overlap import ahead
from facestab.stages.clock import Mark, mark
from facestab.stages.view import Video, VideoFramer, View, find_framing, look, views_of
from facestab.video.crop import Region, Square

# of all rows: probabilities at the region's size, 46 MB a million pixels with 11 classes, and a few copies on their way
_PIXELS_PER_BATCH = 2**21


@dataclass(frozen=True)
class FramePrediction:
    """What the networks say of N consecutive frames.

    Attributes:
        frames_NHWC: uint8 RGB, as decoded.
        logits: row name to float (N, K, h, w), at the size at which the networks see the frames; at that of the region
            where they see squares.
        seconds: row name to the time of the forward pass, with that of squares and their way back.
        squares: of every frame, where the networks see squares and not whole frames.
        region: the same for all frames of the video: beyond it all is background. None for the whole frame.
    """

    frames_NHWC: np.ndarray
    logits: Mapping[str, Tensor]
    seconds: Mapping[str, float]
    squares: list[list[Square]] | None = None
    region: Region | None = None


class _Begun(NamedTuple):
    """A batch that the device has been given.

    Attributes:
        runs: row name to logits, what the row sees, and the marks before and after.
    """

    frames_NHWC: np.ndarray
    runs: dict[str, tuple[Tensor, View, Mark, Mark]]
    squares: list[list[Square]] | None
    region: Region | None

    def end(self) -> FramePrediction:
        """Wait for it."""
        logits = {row: logits_NKHW for row, (logits_NKHW, _, _, _) in self.runs.items()}
        seconds = {row: view.seconds + end.seconds_since(begin) for row, (_, view, begin, end) in self.runs.items()}
        return FramePrediction(self.frames_NHWC, logits, seconds, self.squares, self.region)


def _begin(
    frames_NHWC: np.ndarray, runs: Mapping[str, tuple[Engine, View]], region: Region | None, device: torch.device
) -> _Begun:
    found = {}
    for row, (engine, view) in runs.items():
        begin = mark(device)
        logits_NKHW = look(engine, view, region)
        found[row] = logits_NKHW, view, begin, mark(device)
    # a square that does not move comes last
    squares = next(iter(runs.values()))[1].squares
    return _Begun(frames_NHWC, found, squares, region)


def first_frames(video: Video, size: int, count: int, backend: str = "auto") -> np.ndarray:
    """The first `count` frames of a video, or as many as it has, at the size at which networks see them."""
    with video.open(backend) as source:
        return resize_frames(np.stack(list(islice(source.frames(), count))), size)


def stream_video(
    engines: Mapping[str, Engine],
    video: Video,
    *,
    size: int,
    batch_size: int,
    device: torch.device,
    backend: str = "auto",
    framer: VideoFramer | None = None,
    fixed_row: str | None = None,
    overlap: int = 0,
    in_flight: int | None = None,
) -> Iterator[FramePrediction]:
    """Predictions for every frame, in order; no more batches are held than overlap and in_flight say.

    Args:
        engines: row name to a network that is ready to run.
        video: a file, a folder of frames, or a part of one.
        size: pixels of the shorter side at which the networks see the frames, or of the side of squares in them.
        batch_size: frames per forward pass.
        device: where they run, for the clock.
        backend: auto, decord or pyav.
        framer: finds squares in a first pass over the video; None: the networks see whole frames.
        fixed_row: with a framer that compares: the row whose network also sees one square that does not move.
        overlap: batches that may be read ahead by a thread of their own.
        in_flight: batches that the device is given before the one ahead of them is handed out, so that it has work
            while that one is measured and written; None: one for a GPU where things overlap, else none.
    """
    begun: deque[_Begun] = deque()
    if in_flight is None:
        in_flight = int(device.type == "cuda" and overlap > 0)
    framing = None if framer is None else find_framing(framer, video, backend)
    region = None if framing is None else framing.region
    if region is not None:
        batch_size = max(1, min(batch_size, _PIXELS_PER_BATCH // (math.prod(region.size) * len(engines))))
    with closing(ahead(views_of(video, framing, backend, batch_size, size), overlap)) as batches:
        for frames_NHWC, moving, fixed in batches:
            runs = {row: (engine, moving) for row, engine in engines.items()}
            if fixed is not None and fixed_row is not None:
                runs[FIXED_CROP] = engines[fixed_row], fixed
            begun.append(_begin(frames_NHWC, runs, region, device))
            if len(begun) > in_flight:
                yield begun.popleft().end()
    while begun:
        yield begun.popleft().end()
