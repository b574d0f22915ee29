"""A video file as a source of frames."""

import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from facestab.errors import VideoError
from facestab.types import VideoInfo
from facestab.video import decord_reader, pyav_reader
from facestab.video.base import Source
from facestab.video.container import check_file
from facestab.video.index import VideoIndex, build_index
from facestab.video.timing import Timing

BACKENDS = ("auto", "decord", "pyav")

_LOG = logging.getLogger(__name__)


@cache
def _warn(what: str) -> None:
    """Once, for however many parts of a file."""
    _LOG.warning("%s; reading with PyAV from here on", what)


class VideoFile(Source):
    """A video file. Nothing is opened before it is used, and nothing stays open between two calls.

    It can be made in a parent and used in forked or spawned workers; a pickle holds the path and the settings.

    Args:
        path: the file.
        backend: "auto" (pairs by decord where it is exact, everything else by PyAV), "decord" or "pyav".
        pixel_format: "rgb24", or "gray" for files of one plane; "gray" is read by PyAV.

    Raises:
        VideoError: when there is no such file, or an empty one.
        ValueError: on an unknown backend or pixel format.
    """

    def __init__(self, path: str | Path, backend: str = "auto", pixel_format: str = "rgb24") -> None:
        if backend not in BACKENDS:
            raise ValueError(f"backend: one of {', '.join(BACKENDS)} is possible, got {backend!r}")
        if pixel_format not in ("rgb24", "gray"):
            raise ValueError(f"pixel_format: rgb24 or gray is possible, got {pixel_format!r}")
        self.path = Path(path)
        check_file(self.path)
        self.backend = backend
        self.pixel_format = pixel_format
        self._index: VideoIndex | None = None
        self._decord_failed = False

    @property
    def index(self) -> VideoIndex:
        """Times, keyframes and format; read at the first use."""
        if self._index is None:
            self._index = build_index(self.path)
        return self._index

    @property
    def info(self) -> VideoInfo:
        """Rate, number of frames, size and codec; the file is indexed at the first use."""
        return self.index.info

    def timing(self) -> Timing:
        """When the frames are shown, and the file's own sound."""
        return Timing(self.info.fps, self.index.times(), self.path)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames start .. stop - 1 as a slice takes them: uint8 (H, W, 3) RGB, or (H, W) for gray.

        Raises:
            VideoError: at the first frame of the index that cannot be decoded.
        """
        first, end, _ = slice(start, stop).indices(self.info.num_frames)
        if self.backend == "decord":
            return decord_reader.read_frames(self.index, first, end)
        return pyav_reader.read_frames(self.index, first, end, pixel_format=self.pixel_format, threads=0)

    def pair(self, index: int) -> np.ndarray:
        """Frames index and index + 1: uint8 (2, H, W, 3), or (2, H, W) for gray.

        Raises:
            IndexError: unless 0 <= index < num_frames - 1.
            VideoError: when one of the two cannot be decoded.
        """
        self.check_pair(index)
        if self._reads_by_decord():
            try:
                return np.stack(list(decord_reader.read_frames(self.index, index, index + 2)))
            except VideoError as error:
                if self.backend == "decord":
                    raise
                self._decord_failed = True
                _warn(str(error).split("; use backend=auto")[0])
        return np.stack(
            list(pyav_reader.read_frames(self.index, index, index + 2, pixel_format=self.pixel_format, threads=1))
        )

    def _reads_by_decord(self) -> bool:
        if self.backend == "auto":
            usable = not self._decord_failed and self.index.decord_objection() is None
            return usable and self.pixel_format == "rgb24"
        return self.backend == "decord"

    def close(self) -> None:
        """Forget the index; the next use reads it again."""
        self._index = None

    def __reduce__(self) -> tuple[type["VideoFile"], tuple[Path, str, str]]:
        return VideoFile, (self.path, self.backend, self.pixel_format)
