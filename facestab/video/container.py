"""Opening a file with PyAV, and saying in one line why it cannot be read."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from facestab.errors import VideoError
from facestab.video.forks import make_forks_safe
from facestab.video.mp4_boxes import promised_samples

make_forks_safe()
# A forked child that closes a container of its parent waits for decoding threads it does not have
_INHERITED: list[InputContainer] = []
# files that hold one video. FFmpeg knows others that name further files to be read: playlists, lists, descriptions
_FORMATS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "asf", "gif", "ogg", "mxf", "nut", "ivf", "obu"),
    *("dv", "h264", "hevc", "vvc", "m4v", "vc1", "mjpeg", "yuv4mpegpipe", "apng", "rm", "wtv", "gxf", "swf"),
    # sound alone, to be able to say so
    *("mp3", "wav", "flac", "aac"),
)
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"[playlist]")


def url(path: str | os.PathLike[str]) -> str:
    """A path as FFmpeg takes it whatever it looks like: what stands before a colon is no protocol."""
    return f"file:{os.fspath(path)}"


def open_input(path: str | os.PathLike[str]) -> InputContainer:
    """A file, and no other that it may name, neither here nor in the network.

    Raises:
        FFmpegError: when it cannot be read.
    """
    options = {"protocol_whitelist": "file", "format_whitelist": ",".join(_FORMATS)}
    # tags may be in any encoding
    return av.open(url(path), options=options, metadata_errors="replace")


@contextmanager
def opened(path: Path, *, threads: int = 1) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its video stream, closed at the end.

    Args:
        path: the file.
        threads: decoding threads; 0 for as many as there are cores.

    Raises:
        VideoError: when the file is missing, empty, no video, or has no picture in it.
    """
    check_file(path)
    try:
        _check_table(path)
        container = open_input(path)
    except (FFmpegError, OSError) as error:
        raise VideoError(f"{path}: {_why_unreadable(path)} ({error.strerror})") from error
    owner = os.getpid()
    try:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
            raise VideoError(f"{path}: there are no moving pictures in this file, only sound or data; give a video")
        if stream.codec_context is None:
            raise VideoError(f"{path}: its codec is not known, or its header is damaged; copy it again, or convert it")
        stream.codec_context.thread_type = "NONE" if threads == 1 else "AUTO"
        stream.codec_context.thread_count = threads
        yield container, stream
    finally:
        if os.getpid() == owner:
            container.close()
        else:
            _INHERITED.append(container)


def check_file(path: Path) -> None:
    """Raise VideoError when the path is no file, or an empty one."""
    if not path.exists():
        raise missing(path)
    if not path.is_file():
        raise VideoError(f"{path}: this is not a file; give a video file")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: the file is empty (0 bytes); copy or download it again")


def _check_table(path: Path) -> None:
    number, size = promised_samples(path), path.stat().st_size
    # FFmpeg would write a table of them all, whatever memory and time that takes
    if number > size:
        raise VideoError(f"{path}: its table promises {number} frames in {size} bytes, which is damage; copy it again")


def missing(path: Path) -> VideoError:
    """What to say of a path that leads nowhere."""
    if path.is_symlink():
        return VideoError(f"{path}: a link to '{os.readlink(path)}', which is not there; mend the link")
    return VideoError(f"{path}: no such file or folder; check the path")


def _why_unreadable(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        return f"this file cannot be read; give it to the user who runs this ({error.strerror})"
    if head[4:8] == b"ftyp":
        return "the file is cut off or was never finished, its table of frames is missing; copy or record it again"
    if head.removeprefix(b"\xef\xbb\xbf").startswith(_PLAYLISTS):
        return "this is a playlist, which names other files that are not followed; give a video file"
    return "this is not a video, or a damaged one; give a video file such as .mp4 or .mkv"


def decoded_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Frames in order of presentation, from the next keyframe on.

    A recording that starts in the middle has packets before it, and decoders fail on them.
    """
    started = False
    for packet in container.demux(stream):
        started = started or packet.is_keyframe
        if started:
            yield from packet.decode()


def mending(path: Path) -> str:
    """The command that makes a sound file of what can be read."""
    # it is meant to be pasted into a shell, and a name may hold anything
    names = (shlex.quote(url(name)) for name in (path.name, f"{path.stem}_mended.mp4"))
    return f"ffmpeg -err_detect ignore_err -i {' '.join(names)}"
