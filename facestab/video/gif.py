"""Animated GIF with one palette for all frames, so that colours do not flicker."""

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from PIL import Image

from facestab.errors import VideoError
from facestab.video.container import url

# GIF counts time in hundredths of a second
_TICK = Fraction(1, 100)
# viewers show what is faster than this slower than anything
_FASTEST = 2


class GifSink:
    """Writes frames to a GIF that appears at the end of a `with` block, or not at all.

    The colours are those of the first frame. Each frame is shown until the next one's time, to the nearest hundredth of
    a second, so that times do not drift.

    Args:
        path: the file, .gif.
        fps: frames per second, at most 50.

    Raises:
        ValueError: for another suffix or a rate outside 0..50.
    """

    def __init__(self, path: Path, fps: Fraction) -> None:
        if path.suffix.lower() != ".gif":
            raise ValueError(f"path: .gif is possible, got {path.name!r}")
        if not 0 < fps <= 1 / (_FASTEST * _TICK):
            raise ValueError(f"fps: above 0 and up to {1 / (_FASTEST * _TICK)} is possible, got {fps}")
        self.path = path
        self.fps = Fraction(fps)
        self._part = path.with_name(f"{path.stem}.part.gif")
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._palette: Image.Image | None = None
        self._colours = np.zeros((256, 4), np.uint8)
        self._number = 0

    def write(self, frame_HWC: np.ndarray) -> None:
        """Append a frame, uint8 (H, W, 3) RGB."""
        picture = Image.fromarray(frame_HWC)
        try:
            if self._container is None or self._stream is None:
                self._open(picture)
            assert self._container is not None
            assert self._stream is not None
            assert self._palette is not None
            # dithering moves from frame to frame
            indexed = picture.quantize(palette=self._palette, dither=Image.Dither.NONE)
            pair: Any = np.asarray(indexed), self._colours
            frame = av.VideoFrame.from_ndarray(pair, format="pal8")
            frame.pts, frame.time_base = round(self._number / self.fps / _TICK), _TICK
            self._container.mux(self._stream.encode(frame))
        except (FFmpegError, OSError) as error:
            raise VideoError(
                f"{self.path}: cannot be written ({error}); check the folder and the space left"
            ) from error
        self._number += 1

    def _open(self, picture: Image.Image) -> None:
        self._palette = picture.quantize(255, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        rgb = np.array(self._palette.getpalette("RGB"), np.uint8).reshape(-1, 3)
        # as PyAV takes a palette: alpha, red, green, blue
        self._colours[:, 0] = 255
        self._colours[: len(rgb), 1:] = rgb
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(url(self._part), "w", container_options={"loop": "0"})
        stream = self._container.add_stream("gif", rate=self.fps)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "pal8"
        stream.codec_context.time_base = _TICK
        self._stream = stream

    def __enter__(self) -> "GifSink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._container is None or self._stream is None:
            return
        try:
            if kind is None:
                self._container.mux(self._stream.encode())
            self._container.close()
            if kind is None:
                os.replace(self._part, self.path)
        finally:
            self._part.unlink(missing_ok=True)
