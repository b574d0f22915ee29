"""Writing videos: whole or not at all."""

import os
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from numbers import Rational
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.error import ExternalError, FFmpegError
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from facestab.errors import VideoError
from facestab.video.audio import AudioCopy, can_copy_sound
from facestab.video.container import url
from facestab.video.forks import make_forks_safe

make_forks_safe()


class _Codec(NamedTuple):
    name: str
    pixel_format: str
    suffixes: tuple[str, ...]
    options: dict[str, str]
    container_options: dict[str, str]


_FFV1 = {"level": "3", "g": "1"}
# Matroska files carry a random number otherwise
_MKV = {"fflags": "+bitexact"}
_CODECS = {
    # browsers play 4:2:0 with the index in front, and nothing else
    "h264": _Codec(
        "libx264", "yuv420p", (".mp4", ".mov"), {"crf": "18", "preset": "superfast"}, {"movflags": "faststart"}
    ),
    "ffv1_rgb": _Codec("ffv1", "bgr0", (".mkv",), _FFV1, _MKV),
    # lossless H.264 does not bring ids back: readers stretch its grey range
    "labels": _Codec("ffv1", "gray", (".mkv",), _FFV1, _MKV),
    # alternate reference frames would be stored without their alpha
    "alpha": _Codec(
        "libvpx-vp9",
        "yuva420p",
        (".webm",),
        {"crf": "28", "b": "0", "auto-alt-ref": "0", "deadline": "realtime", "cpu-used": "6"},
        {"fflags": "+bitexact"},
    ),
    "webp": _Codec("libwebp_anim", "yuv420p", (".webp",), {"quality": "75"}, {"loop": "0"}),
}
# shape of a frame after its height and width, and what FFmpeg calls it
_RGB = (3,), "rgb24"
_LAYOUTS = {"labels": ((), "gray"), "alpha": ((4,), "rgba")}
# pixels
_SMALL = 640 * 480
# exact for rates and times of all kinds
_FINE = Fraction(1, 90000)


class VideoSink:
    """Writes frames to a file that appears at the end of a `with` block, or not at all.

    Frames go to `<stem>.part<suffix>` beside the file, which is renamed when the block ends well. After an exception,
    or without a single frame, nothing is left and an older file stays as it was.

    Args:
        path: the file; .mp4 or .mov for h264, .webm for alpha, .webp, .mkv for the others. Missing folders are made.
        fps: frames per second, exact.
        codec: "h264" for viewing (8 bit 4:2:0; an odd row or column is repeated to make it even), "ffv1_rgb" for
            lossless RGB, "labels" for label maps, lossless, "alpha" for pictures with transparency, "webp" for short
            ones that chats show.
        times: seconds of every frame, from 0 on, where they do not follow from the rate.
        audio: a file whose sound is copied into a video for viewing, when it has any.
        thread_count: encoding threads; 0 for all cores, None for four, or for one where frames are so small that it
            costs less than handing them on. The lossless codecs write the same bytes with any number;
            x264 with more than one was seen to write others from run to run.

    Raises:
        ValueError: on an unknown codec, a suffix that does not go with it, or an inexact fps or one not above 0.
        VideoError: when writing fails, or when a frame has another size than the first.

    Example:
        >>> with VideoSink("overlay.mp4", Fraction(30000, 1001)) as sink:
        ...     sink.write(frame_HWC)
    """

    def __init__(
        self,
        path: str | Path,
        fps: Fraction,
        *,
        codec: str = "h264",
        times: Sequence[Fraction] = (),
        audio: Path | None = None,
        thread_count: int | None = None,
    ) -> None:
        if codec not in _CODECS:
            raise ValueError(f"codec: one of {', '.join(_CODECS)} is possible, got {codec!r}")
        if not isinstance(fps, Rational) or fps <= 0:
            raise ValueError(f"fps: an exact number above 0 such as Fraction(30000, 1001) is possible, got {fps!r}")
        self.path = Path(path)
        self.fps = Fraction(fps)
        self.codec = codec
        self._settings = _CODECS[codec]
        if self.path.suffix.lower() not in self._settings.suffixes:
            raise ValueError(
                f"path: {codec} is written to {' or '.join(self._settings.suffixes)}, got {self.path.name!r}"
            )
        self._times = times
        self._audio_path = audio if codec == "h264" else None
        self._audio: AudioCopy | None = None
        self._thread_count = thread_count
        self._part = self.path.with_name(f"{self.path.stem}.part{self.path.suffix}")
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._shape: tuple[int, ...] = ()
        self._size: tuple[int, int] = (0, 0)
        self._num_written = 0

    def write(self, frame: np.ndarray) -> None:
        """Append a frame.

        Args:
            frame: uint8 (H, W, 3) RGB, (H, W) with codec="labels", or (H, W, 4) RGBA with codec="alpha".
        """
        channels, _ = _LAYOUTS.get(self.codec, _RGB)
        if frame.dtype != np.uint8 or frame.ndim < 2 or frame.shape[2:] != channels:
            wanted = f"(H, W{''.join(f', {number}' for number in channels)})"
            raise ValueError(f"frame: uint8 {wanted} is possible, got {frame.dtype} {frame.shape}")
        if self._shape and frame.shape != self._shape:
            is_now, first = (f"{shape[1]}x{shape[0]}" for shape in (frame.shape, self._shape))
            raise VideoError(f"{self.path}: frame {self._num_written} is {is_now}, the first is {first}; use one size")
        try:
            self._encode(frame)
        except (FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def _encode(self, frame: np.ndarray) -> None:
        picture = even(frame) if "420" in self._settings.pixel_format else np.ascontiguousarray(frame)
        if self._container is None or self._stream is None:
            self._container, self._stream = self._open(*picture.shape[:2])
            self._shape = frame.shape
        video_frame = av.VideoFrame.from_ndarray(picture, format=_LAYOUTS.get(self.codec, _RGB)[1])
        video_frame = video_frame.reformat(format=self._settings.pixel_format, threads=1)
        video_frame.pts, video_frame.time_base = self._place(self._num_written)
        if self._audio is not None:
            self._audio.until(video_frame.pts * video_frame.time_base)
        self._container.mux(self._stream.encode(video_frame))
        self._num_written += 1

    def _place(self, number: int) -> tuple[int, Fraction]:
        """Time of a frame, and its unit in seconds."""
        if not self._times:
            return number, 1 / self.fps
        return round(self._times[number] / _FINE), _FINE

    def _open(self, height: int, width: int) -> tuple[OutputContainer, VideoStream]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        container = av.open(url(self._part), "w", container_options=self._settings.container_options)
        stream = container.add_stream(self._settings.name, rate=self.fps, options=self._settings.options)
        if not isinstance(stream, VideoStream):
            raise TypeError(f"{self._settings.name} is no video encoder")
        stream.width, stream.height, stream.pix_fmt = width, height, self._settings.pixel_format
        self._size = width, height
        stream.codec_context.time_base = _FINE if self._times else 1 / self.fps
        if self.codec == "h264":
            # what the conversion from RGB uses; players guess BT.709 for large frames when nothing is said
            stream.codec_context.colorspace = Colorspace.SMPTE170M
            stream.codec_context.color_range = ColorRange.MPEG
        threads = self._thread_count
        if threads is None:
            threads = 1 if width * height <= _SMALL else 4
        stream.codec_context.thread_count = threads
        if self._audio_path is not None and can_copy_sound(self._audio_path, container.format.name):
            audio = AudioCopy(self._audio_path, container)
            self._audio = audio if audio.is_there else None
        return container, stream

    def _finish(self) -> None:
        if self._container is None or self._stream is None:
            return
        try:
            self._container.mux(self._stream.encode())
            if self._audio is not None:
                self._audio.until(None)
            self._container.close()
            os.replace(self._part, self.path)
        except (FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> VideoError:
        if isinstance(error, ExternalError):
            size, name = "x".join(map(str, self._size)), self._settings.name
            return VideoError(f"{self.path}: cannot be written, {name} refuses frames of {size}; use a smaller video")
        reason = getattr(error, "strerror", None) or error
        return VideoError(f"{self.path}: cannot be written ({reason}); check the folder and the space left")

    def _discard(self) -> None:
        if self._audio is not None:
            self._audio.close()
        if self._container is not None:
            # the file goes away in any case, and the first error says more
            with suppress(FFmpegError, OSError):
                self._container.close()
            self._part.unlink(missing_ok=True)

    def __enter__(self) -> "VideoSink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._discard()


def even(frame_HWC: np.ndarray) -> np.ndarray:
    """The frame with its last row and column repeated where height and width are odd."""
    height, width = frame_HWC.shape[:2]
    if not (height % 2 or width % 2):
        return np.ascontiguousarray(frame_HWC)
    found: np.ndarray = cv2.copyMakeBorder(frame_HWC, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return found
