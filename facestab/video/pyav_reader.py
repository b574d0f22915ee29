"""Exact reading with PyAV: any run of frames, in bounded memory. A pair is a run of two."""

from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from facestab.errors import FrameError
from facestab.video.container import decoded_frames, mending, opened
from facestab.video.index import VideoIndex


def read_frames(
    index: VideoIndex, start: int, stop: int, *, pixel_format: str = "rgb24", threads: int = 1
) -> Iterator[np.ndarray]:
    """Frames start .. stop - 1 of a file, in order, each once.

    The file is opened for this run alone and closed after it: 0.2 to 0.6 ms that spare every trouble with forks,
    shared file positions and open files.

    Args:
        index: of the file.
        start: first frame.
        stop: one past the last frame; both within the index.
        pixel_format: "rgb24" for uint8 (H, W, 3), "gray" for uint8 (H, W).
        threads: decoding threads; 0 for all cores, good for long runs. Use 1 where processes are forked.

    Raises:
        VideoError: when a frame of the index cannot be decoded. No frame is ever left out in silence.
    """
    if start >= stop:
        return
    for entry_pts in index.entry_points(start):
        with opened(index.info.path, threads=threads) as (container, stream):
            frames = _frames_from(container, stream, index, entry_pts)
            first = next(frames, None)
            # a seek may land late, or on a keyframe that does not decode: then start earlier
            if entry_pts is not None and (first is None or first.pts is None or first.pts > index.pts[start]):
                continue
            wanted = _wanted(index, start, stop, chain([first] if first else [], frames))
            for number, frame in enumerate(wanted, start):
                yield _to_array(index, number, frame, pixel_format)
            return


def _frames_from(
    container: InputContainer, stream: VideoStream, index: VideoIndex, entry_pts: int | None
) -> Iterator[VideoFrame]:
    """Frames from an entry point on, as many as can be decoded."""
    try:
        if entry_pts is not None:
            # by presentation time: FFmpeg 8 starts a GOP too early when it is given the decoding time
            container.seek(entry_pts, stream=stream, backward=True, any_frame=False)
        yield from decoded_frames(container, stream)
    except FFmpegError:
        return


def _wanted(index: VideoIndex, start: int, stop: int, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """The frames start .. stop - 1 among the decoded ones, by their times, or by counting where times say nothing."""
    position = start
    if len(index.pts):
        for frame in frames:
            if frame.pts is None or frame.pts > index.pts[position]:
                break
            if frame.pts < index.pts[position]:
                continue
            yield frame
            position += 1
            if position == stop:
                return
    else:
        for frame in islice(frames, start, stop):
            yield frame
            position += 1
    if position < stop:
        path, total = index.info.path, index.info.num_frames
        raise FrameError(f"{path}: frame {position} of {total} cannot be decoded; mend the file: {mending(path)}")


def _to_array(index: VideoIndex, number: int, frame: VideoFrame, pixel_format: str) -> np.ndarray:
    # without threads=1 every frame starts a pool of threads: 2.5 to 6 times slower
    array = np.rot90(frame.to_ndarray(format=pixel_format, threads=1), index.quarter_turns)
    info = index.info
    if array.shape[:2] != (info.height, info.width):
        size = f"{array.shape[1]}x{array.shape[0]}, not {info.width}x{info.height}"
        raise FrameError(f"{info.path}: frame {number} is {size}; bring it to one size: {mending(info.path)}")
    return np.ascontiguousarray(array)
