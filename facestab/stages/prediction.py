"""One video through one or more networks, batch by batch."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
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
from facestab.overlap import ahead
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
    overlap: int = 0,
) -> Iterator[FramePrediction]:
    """Predictions for every frame, in order; no more batches are held than overlap says.

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
    """
    framing = None if framer is None else _framing(framer, video, backend)
    region = None if framing is None else framing.region
    if region is not None:
        batch_size = max(1, min(batch_size, _PIXELS_PER_BATCH // (math.prod(region.size) * len(engines))))
    with closing(ahead(_views(video, framing, backend, batch_size, size), overlap)) as batches:
        for frames_NHWC, moving, fixed in batches:
            runs = {row: (engine, moving) for row, engine in engines.items()}
            if fixed is not None and fixed_row is not None:
                runs[FIXED_CROP] = engines[fixed_row], fixed
            logits: dict[str, Tensor] = {}
            seconds: dict[str, float] = {}
            for row, (engine, view) in runs.items():
                begin = _now(device)
                logits[row] = _look(engine, view, region)
                seconds[row] = view.seconds + _now(device) - begin
            yield FramePrediction(frames_NHWC, logits, seconds, moving.squares, region)


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


class _View(NamedTuple):
    """What a network sees of N frames: squares of them, and whole frames where there are none.

    Attributes:
        squares: of every frame; None when all are seen whole.
        crops_MSSC: every square, in the order of the frames.
        frames_NHWC: those that are seen whole.
        seconds: the time that it took.
    """

    squares: list[list[Square]] | None
    crops_MSSC: np.ndarray | None
    frames_NHWC: np.ndarray | None
    seconds: float


def _views(
    video: Video, framing: _Framing | None, backend: str, batch_size: int, size: int
) -> Iterator[tuple[np.ndarray, _View, _View | None]]:
    """Batches of frames, what the rows see of them, and what they see where the square does not move, if one is."""
    with video.open(backend) as source:
        start = 0
        for frames_NHWC in frame_batches(source.frames(), batch_size):
            moving = None if framing is None else framing.squares[start : start + len(frames_NHWC)]
            fixed = None
            if framing is not None and framing.compare_fixed:
                held = [] if framing.fixed is None else [framing.fixed]
                fixed = _view(frames_NHWC, [held] * len(frames_NHWC), size)
            yield frames_NHWC, _view(frames_NHWC, moving, size), fixed
            start += len(frames_NHWC)


def _view(frames_NHWC: np.ndarray, squares: list[list[Square]] | None, size: int) -> _View:
    begin = time.perf_counter()
    crops = [crop(frame, one, size) for frame, own in zip(frames_NHWC, squares or [], strict=False) for one in own]
    whole = frames_NHWC if squares is None else frames_NHWC[[not own for own in squares]]
    seen = resize_frames(whole, size) if len(whole) else None
    return _View(squares, np.stack(crops) if crops else None, seen, time.perf_counter() - begin)


def _look(engine: Engine, view: _View, region: Region | None) -> Tensor:
    """Logits of frames: as the network sees them whole, or those of squares laid back into the region."""
    whole_NKHW = None if view.frames_NHWC is None else engine(view.frames_NHWC)
    if view.squares is None or region is None:
        assert whole_NKHW is not None
        return whole_NKHW
    logits_MKSS = None if view.crops_MSSC is None else engine(view.crops_MSSC)
    if whole_NKHW is not None:
        # then the region is the whole frame
        whole_NKHW = F.interpolate(whole_NKHW.log_softmax(1), region.size, mode="bilinear", align_corners=False)
    frames, num_crops, num_whole = [], 0, 0
    for own in view.squares:
        if own:
            assert logits_MKSS is not None
            mine_MKSS = logits_MKSS[num_crops : num_crops + len(own)]
            frames.append(paste(mine_MKSS, [region.moved(square) for square in own], *region.size))
            num_crops += len(own)
        else:
            assert whole_NKHW is not None
            frames.append(whole_NKHW[num_whole])
            num_whole += 1
    return torch.stack(frames)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
