"""Frames that come while one looks: cameras and pipes."""

import logging
import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple, overload

import cv2
import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream

from facestab.errors import VideoError
from facestab.video.container import decoded_frames, open_input

log = logging.getLogger(__name__)
DEFAULT_FPS = Fraction(25)


class LiveFrame(NamedTuple):
    """A frame of a stream.

    Attributes:
        pixels_HWC: uint8 RGB.
        arrived: when it was decoded, on the clock of `time.perf_counter` [s].
    """

    pixels_HWC: np.ndarray
    arrived: float


def is_live(source: object) -> bool:
    """Whether a source is the number of a camera, a device or a named pipe, and no file or folder."""
    text = str(source)
    try:
        mode = os.stat(text).st_mode
    except OSError:
        return text.isdecimal()
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


class LiveSource:
    """A camera or a pipe. Opened when its frames are asked for.

    Args:
        source: the number of a camera, its device, or a named pipe.
    """

    def __init__(self, source: object) -> None:
        self.name = str(source)
        # what the source says it is, once it has been opened
        self.fps = DEFAULT_FPS

    def frames(self) -> Iterator[np.ndarray]:
        """Frames as they come, uint8 (H, W, 3) RGB, until the source ends or changes its size.

        Raises:
            VideoError: when no picture comes out of it.
        """
        is_pipe = not self.name.isdecimal() and stat.S_ISFIFO(os.stat(self.name).st_mode)
        first: tuple[int, ...] = ()
        for frame_HWC in self._piped() if is_pipe else self._seen():
            if first and frame_HWC.shape != first:
                sizes = [f"{shape[1]}x{shape[0]}" for shape in (first, frame_HWC.shape)]
                log.warning("%s: frames are no longer %s but %s; the stream ends here", self.name, *sizes)
                return
            first = frame_HWC.shape
            yield frame_HWC
        if not first:
            raise VideoError(f"{self.name}: it ended before the first frame; check what sends it")

    def _piped(self) -> Iterator[np.ndarray]:
        try:
            container = open_input(self.name)
        except FFmpegError as error:
            remedy = "send it in a container that can be read as it comes, such as MPEG-TS, Matroska or Y4M"
            raise VideoError(f"{self.name}: no video comes out of this pipe ({error.strerror}); {remedy}") from error
        with container:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream):
                raise VideoError(f"{self.name}: no video comes out of this pipe, only sound or data; send a video")
            self.fps = stream.average_rate or stream.guessed_rate or DEFAULT_FPS
            # threads that work on several frames at once hold as many back
            stream.codec_context.thread_type = "SLICE"
            try:
                for frame in decoded_frames(container, stream):
                    yield frame.to_ndarray(format="rgb24", threads=1)
            except FFmpegError as error:
                log.warning("%s: the stream breaks off (%s)", self.name, error.strerror)

    def _seen(self) -> Iterator[np.ndarray]:
        camera = cv2.VideoCapture(int(self.name) if self.name.isdecimal() else self.name)
        try:
            if not camera.isOpened():
                raise VideoError(f"{self.name}: no camera can be opened here; check that it is there and not in use")
            self.fps = Fraction(camera.get(cv2.CAP_PROP_FPS) or DEFAULT_FPS).limit_denominator(1001)
            while True:
                found, frame_bgr = camera.read()
                if not found:
                    return
                yield cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB)
        finally:
            camera.release()


class Newest:
    """The frames of a stream, read by a thread of their own: whoever is slow gets the newest, and never an old one.

    Args:
        frames: as they come. An error in them is raised when its turn comes.
        drop: leave out a frame that is not wanted before the next comes; False keeps the sender waiting instead.
    """

    def __init__(self, frames: Iterator[np.ndarray], drop: bool = True) -> None:
        self.drop = drop
        self.num_arrived = 0
        self.num_dropped = 0
        self._frames = frames
        self._newest: LiveFrame | None = None
        self._error: BaseException | None = None
        self._ended = False
        self._changed = threading.Condition()

    def __iter__(self) -> Iterator[LiveFrame]:
        # a read that waits for a sender cannot be ended from here
        threading.Thread(target=self._read, name="facestab-newest", daemon=True).start()
        while (frame := self._take()) is not None:
            yield frame
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """No further frame is wanted; whoever iterates gets none."""
        with self._changed:
            # one that has come and is not wanted any more was not dropped for being late
            self.num_arrived -= self._newest is not None
            self._ended, self._newest = True, None
            self._changed.notify_all()

    def count_from_here(self) -> None:
        """Forget what came before the frame that was handed out last."""
        with self._changed:
            self.num_arrived = 1 + (self._newest is not None)
            self.num_dropped = 0

    def _take(self) -> LiveFrame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._ended)
            frame, self._newest = self._newest, None
            self._changed.notify_all()
            return frame

    def _read(self) -> None:
        try:
            for pixels_HWC in self._frames:
                if not self._offer(LiveFrame(pixels_HWC, time.perf_counter())):
                    return
        except BaseException as error:
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _offer(self, frame: LiveFrame) -> bool:
        """Whether frames are still wanted."""
        with self._changed:
            if not self.drop:
                self._changed.wait_for(lambda: self._newest is None or self._ended)
            if self._ended:
                return False
            self.num_dropped += self._newest is not None
            self.num_arrived += 1
            self._newest = frame
            self._changed.notify_all()
        return True


class LastTime(Sequence[Fraction]):
    """The times of a stream's frames for those that write them: only the last one is known."""

    def __init__(self) -> None:
        self._num_frames = 0
        self._last = Fraction(0)

    def add(self, seconds: Fraction) -> None:
        """The time of the next frame."""
        self._num_frames += 1
        self._last = seconds

    def __len__(self) -> int:
        return self._num_frames

    @overload
    def __getitem__(self, index: int) -> Fraction: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Fraction]: ...
    def __getitem__(self, index: int | slice) -> Fraction | Sequence[Fraction]:
        if index != self._num_frames - 1:
            raise IndexError("of a stream only the last frame's time is known")
        return self._last
