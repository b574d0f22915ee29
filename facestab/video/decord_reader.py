"""Reading with decord, for files that `VideoIndex.decord_objection` lets pass.

decord 0.6.0 ends its process on some damaged files, asks for any amount of memory, and is known to wait for ever. Not
all of these files show what they are before decord reads them (experiments/fuzz says how they were looked for), so that
it never reads in this process: see `facestab.video.guarded`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facestab.errors import VideoError
from facestab.video.guarded import guarded_decord
from facestab.video.index import VideoIndex

# frames that are asked for at once
_MOST_BYTES = 1 << 25


def read_frames(index: VideoIndex, start: int, stop: int) -> Iterator[np.ndarray]:
    """Frames start .. stop - 1, uint8 (H, W, 3), in order, each once.

    Raises:
        VideoError: when decord cannot be trusted with the file, fails at a frame, dies or hangs.
    """
    objection = index.decord_objection()
    if objection is not None:
        raise _refusal(index, objection)
    info = index.info
    step = max(2, _MOST_BYTES // (info.height * info.width * 3))
    for first in range(start, stop, step):
        last = min(first + step, stop)
        # what stands before a colon in a relative path would be a protocol
        answer = guarded_decord().ask(Path(os.path.abspath(info.path)), first, last, goes_on=last < stop)
        if answer.total and answer.total != info.num_frames:
            raise _refusal(index, f"decord counts {answer.total} frames instead of {info.num_frames}")
        if answer.frames and answer.shape != (info.height, info.width, 3):
            raise _refusal(index, f"decord gives {answer.shape[1]}x{answer.shape[0]} frames")
        yield from (np.frombuffer(frame, np.uint8).reshape(answer.shape) for frame in answer.frames)
        if answer.why:
            raise _refusal(index, answer.why)


def _refusal(index: VideoIndex, why: str) -> VideoError:
    return VideoError(f"{index.info.path}: backend=decord cannot be used ({why}); use backend=auto")
