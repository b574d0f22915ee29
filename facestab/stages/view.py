"""What the networks see of a video: whole frames, or squares in them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facestab.engines.base import Engine
from facestab.nets.inference import frame_batches, resize_frames
from facestab.video.crop import Region, Square, around, crop, paste
from facestab.video.source import VideoSource


class Video(Protocol):
    """A video to predict."""

    def open(self, backend: str = "auto") -> VideoSource:
        """Its frames."""
        ...


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


class Framing(NamedTuple):
    """Squares of a whole video.

    Attributes:
        region: what all of them lie in.
        squares: of every frame; none where the whole frame is seen.
        fixed: one for all frames, when the framer compares and has found any.
        compare_fixed: whether the framer compares.
    """

    region: Region
    squares: list[list[Square]]
    fixed: Square | None
    compare_fixed: bool


def find_framing(framer: VideoFramer, video: Video, backend: str) -> Framing:
    """Where the framer has the networks look, which takes a pass over the video."""
    with video.open(backend) as source:
        found, info = framer.find(source.frames()), source.info
    fixed = framer.fixed(found, info.fps) if framer.compare_fixed else None
    squares = framer.squares(found, info.fps)
    region = around([*squares, *([[fixed]] if fixed is not None else [])], info.height, info.width)
    return Framing(region, squares, fixed, framer.compare_fixed)


class View(NamedTuple):
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


def views_of(
    video: Video, framing: Framing | None, backend: str, batch_size: int, size: int
) -> Iterator[tuple[np.ndarray, View, View | None]]:
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


def _view(frames_NHWC: np.ndarray, squares: list[list[Square]] | None, size: int) -> View:
    begin = time.perf_counter()
    crops = [crop(frame, one, size) for frame, own in zip(frames_NHWC, squares or [], strict=False) for one in own]
    whole = frames_NHWC if squares is None else frames_NHWC[[not own for own in squares]]
    seen = resize_frames(whole, size) if len(whole) else None
    return View(squares, np.stack(crops) if crops else None, seen, time.perf_counter() - begin)


def look(engine: Engine, view: View, region: Region | None) -> Tensor:
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
