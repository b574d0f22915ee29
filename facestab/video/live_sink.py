"""Writing a video that is watched while it is made."""

import time
from fractions import Fraction
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from facestab.errors import VideoError
from facestab.video.container import url
from facestab.video.sink import even

_FINE = Fraction(1, 90000)


class LiveSink:
    """H.264 in MPEG-TS, each frame as soon as it comes, into a named pipe or a file. Used in a `with` block.

    Args:
        path: where it goes; a pipe waits for a reader. None writes nothing.
        fps: frames per second, about.

    Raises:
        VideoError: when it cannot be written.
    """

    def __init__(self, path: str | None, fps: Fraction) -> None:
        self.path = path
        self.fps = fps
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._begin = 0.0
        self._last = -1

    def __enter__(self) -> "LiveSink":
        return self

    def write(self, frame_HWC: np.ndarray) -> None:
        """Send a frame, uint8 (H, W, 3) RGB, with the time that it is now."""
        if self.path is None:
            return
        picture_HWC = even(frame_HWC)
        try:
            if self._container is None or self._stream is None:
                self._container, self._stream = self._open(self.path, *picture_HWC.shape[:2])
                self._begin = time.perf_counter()
            frame = av.VideoFrame.from_ndarray(picture_HWC, format="rgb24").reformat(format="yuv420p", threads=1)
            self._last = max(self._last + 1, round((time.perf_counter() - self._begin) / _FINE))
            frame.pts, frame.time_base = self._last, _FINE
            self._container.mux(self._stream.encode(frame))
        except (FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def _open(self, path: str, height: int, width: int) -> tuple[OutputContainer, VideoStream]:
        options = {"flush_packets": "1"}
        container = av.open(url(path), "w", format="mpegts", container_options=options)
        stream = container.add_stream("libx264", rate=self.fps, options={"preset": "ultrafast", "tune": "zerolatency"})
        if not isinstance(stream, VideoStream):
            raise TypeError("libx264 is no video encoder")
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = _FINE
        # whoever begins to watch later waits no longer than a second for a picture
        stream.codec_context.gop_size = max(1, round(self.fps))
        return container, stream

    def _failure(self, error: Exception) -> VideoError:
        reason = getattr(error, "strerror", None) or error
        return VideoError(f"{self.path}: the stream cannot be written ({reason}); check that somebody reads it")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._container is None or self._stream is None:
            return
        try:
            if kind is None:
                self._container.mux(self._stream.encode())
            self._container.close()
        except (FFmpegError, OSError) as failed:
            if kind is None:
                raise self._failure(failed) from failed
