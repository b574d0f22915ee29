"""One video through one or more networks, batch by batch."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facestab.engines.base import Engine
from facestab.keys import FIXED_CROP
from facestab.nets.inference import frame_batches, resize_frames
from facestab.video.crop import Region, Square, around, crop, paste
from facestab.video.source import VideoSource

# of all rows: probabilities at the region's size, 46 MB a million pixels with 11 classes, and a few copies on their way
_PIXELS_PER_BATCH = 2**21


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


class VideoFramer(Protocol):
    """Says which squares of a video's frames the networks see."""

    compare_fixed: bool

    def find(self, frames: Iterable[np.ndarray]) -> Sequence[Any]:
        """What there is to be framed in every frame."""
        ...

    def squares(self, found: Sequence[Any], fps: Fraction) -> list[list[Square]]:
        """The squares of every frame; none where the whole frame is seen."""
        ...

    def fixed(self, found: Sequence[Any], fps: Fraction) -> Square | None:
        """One square for all frames."""
        ...


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
) -> Iterator[FramePrediction]:
    """Predictions for every frame, in order; no more than one batch is held.

    Args:
        engines: row name to a network that is ready to run.
        video: a file, a folder of frames, or a part of one.
        size: pixels of the shorter side at which the networks see the frames, or of the side of squares in them.
        batch_size: frames per forward pass.
        device: where they run, for the clock.
        backend: auto, decord or pyav.
        framer: finds squares in a first pass over the video; None: the networks see whole frames.
        fixed_row: with a framer that compares: the row whose network also sees one square that does not move.
    """
    framing = None if framer is None else _framing(framer, video, backend)
    region = None if framing is None else framing.region
    with video.open(backend) as source:
        if region is not None:
            batch_size = max(1, min(batch_size, _PIXELS_PER_BATCH // (math.prod(region.size) * len(engines))))
        start = 0
        for frames_NHWC in frame_batches(source.frames(), batch_size):
            seen = None if framing is None else framing.squares[start : start + len(frames_NHWC)]
            views = dict.fromkeys(engines, seen)
            runs = {row: (engines[row], squares) for row, squares in views.items()}
            if framing is not None and framing.compare_fixed and fixed_row is not None:
                held = [] if framing.fixed is None else [framing.fixed]
                runs[FIXED_CROP] = engines[fixed_row], [held] * len(frames_NHWC)
            logits: dict[str, Tensor] = {}
            seconds: dict[str, float] = {}
            for row, (engine, squares) in runs.items():
                begin = _now(device)
                logits[row] = _look(engine, frames_NHWC, squares, region, size)
                seconds[row] = _now(device) - begin
            yield FramePrediction(frames_NHWC, logits, seconds, seen, region)
            start += len(frames_NHWC)


class _Framing(NamedTuple):
    region: Region
    squares: list[list[Square]]
    fixed: Square | None
    compare_fixed: bool


def _framing(framer: VideoFramer, video: Video, backend: str) -> _Framing:
    with video.open(backend) as source:
        found, info = framer.find(source.frames()), source.info
    fixed = framer.fixed(found, info.fps) if framer.compare_fixed else None
    squares = framer.squares(found, info.fps)
    region = around([*squares, *([[fixed]] if fixed is not None else [])], info.height, info.width)
    return _Framing(region, squares, fixed, framer.compare_fixed)


def _look(
    engine: Engine,
    frames_NHWC: np.ndarray,
    squares: list[list[Square]] | None,
    region: Region | None,
    size: int,
) -> Tensor:
    """Logits of frames: as the network sees them whole, or those of squares laid back into the region."""
    if squares is None or region is None:
        return engine(resize_frames(frames_NHWC, size))
    places = [(frame, square) for frame, own in enumerate(squares) for square in own]
    whole = [frame for frame, own in enumerate(squares) if not own]
    seen: dict[int, Tensor] = {}
    if places:
        crops = np.stack([crop(frames_NHWC[frame], square, size) for frame, square in places])
        logits_MKSS = engine(crops)
        for frame, own in enumerate(squares):
            mine = [i for i, (other, _) in enumerate(places) if other == frame]
            if mine:
                seen[frame] = paste(logits_MKSS[mine], [region.moved(square) for square in own], *region.size)
    if whole:
        # then the region is the whole frame
        logits_MKHW = engine(resize_frames(frames_NHWC[whole], size))
        large_MKHW = F.interpolate(logits_MKHW.log_softmax(1), region.size, mode="bilinear", align_corners=False)
        seen |= dict(zip(whole, large_MKHW, strict=True))
    return torch.stack([seen[frame] for frame in range(len(frames_NHWC))])


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
