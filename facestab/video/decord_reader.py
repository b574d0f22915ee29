"""Reading with decord, for files that `VideoIndex.decord_objection` lets pass."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from facestab.errors import VideoError
from facestab.video.index import VideoIndex

# A forked child that drops a reader of its parent waits for threads it does not have, for ever: this list keeps it
_OPEN_READERS: list[Any] = []


def read_frames(index: VideoIndex, start: int, stop: int) -> Iterator[np.ndarray]:
    """Frames start .. stop - 1, uint8 (H, W, 3), in order, each once.

    The reader lives for this run alone: decord decodes about 1000 frames ahead (6 GB at 1080p) when it is left open.

    Raises:
        VideoError: when decord cannot be trusted with the file or fails at a frame.
    """
    objection = index.decord_objection()
    if objection is not None:
        raise _refusal(index, objection)
    decord, number = _decord(), start
    try:
        with _reader(decord, index) as reader:
            for number in range(start, stop):
                yield _to_array(index, reader[number])
    except (decord.DECORDError, RuntimeError) as error:
        raise _refusal(index, f"decord fails at frame {number}") from error


@contextmanager
def _reader(decord: Any, index: VideoIndex) -> Iterator[Any]:
    owner = os.getpid()
    # what stands before a colon in a relative path would be a protocol
    reader = decord.VideoReader(os.path.abspath(index.info.path), num_threads=1)
    _OPEN_READERS.append(reader)
    try:
        if len(reader) != index.info.num_frames:
            raise _refusal(index, f"decord counts {len(reader)} frames instead of {index.info.num_frames}")
        yield reader
    finally:
        if os.getpid() == owner:
            _OPEN_READERS.remove(reader)


def _to_array(index: VideoIndex, frame: Any) -> np.ndarray:
    # the caller's thread may have set decord's torch bridge
    array_HWC = frame.asnumpy() if hasattr(frame, "asnumpy") else np.asarray(frame)
    info = index.info
    if array_HWC.shape != (info.height, info.width, 3):
        raise _refusal(index, f"decord gives {array_HWC.shape[1]}x{array_HWC.shape[0]} frames")
    return array_HWC


def _refusal(index: VideoIndex, why: str) -> VideoError:
    return VideoError(f"{index.info.path}: backend=decord cannot be used ({why}); use backend=auto")


def _decord() -> Any:
    # loaded after torch, whose libraries must come first; quiet, for its errors come as exceptions
    import torch  # noqa: F401  # isort: skip
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    return decord
