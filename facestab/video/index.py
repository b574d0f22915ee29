"""One pass over a file's packets, without decoding them: which frames it holds, and when each is shown."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from facestab.errors import VideoError
from facestab.types import VideoInfo
from facestab.video.container import decoded_frames, mending, opened
from facestab.video.timing import irregular_times

# AV1 and GIF do not open in decord 0.6.0; MPEG-TS frames are wrong even in order
_DECORD_CODECS = {"h264", "hevc", "vp8", "vp9", "mpeg4", "mjpeg", "ffv1"}
_DECORD_CONTAINERS = {"mov", "matroska", "avi"}
# AVI stores no presentation times, and FFmpeg's guess is wrong where these codecs reorder frames
_UNTIMED = {("avi", "h264"), ("avi", "hevc")}
# others may time only some packets (MPEG-PS): after a seek FFmpeg 8 gives the rest other times than before it
_SEEKABLE = {"mov", "matroska", "avi", "flv", "asf"}
# of two frames: an MP4 file holds no longer ones, and a damaged time is years away
_LONGEST_GAP_S = 6 * 3600
_LEAST_RATE = Fraction(1, 1001)
_MIN_MISSING_S = 0.5
_MIN_MISSING_SHARE = 0.05


@dataclass(frozen=True)
class VideoIndex:
    """What the packets of a file say.

    Attributes:
        info: path, exact rate, number of frames, size after rotation, codec.
        pts: int64 (num_frames,), presentation times in units of the stream. Frame i is the one shown at pts[i],
            wherever the file stores it. Empty when times do not name the frames (H.264 in AVI, two frames at one
            time): then frames are counted from the beginning.
        time_base: seconds of their unit.
        key_pts: presentation times of the keyframes, in order. Empty when the file is only exact from its beginning.
        container: FFmpeg's first name of the file format.
        pixel_format: FFmpeg's name of the pixel format.
        quarter_turns: turns anticlockwise by 90 degrees that the file asks for.
        leading_packets: packets stored after a keyframe and shown before it (open GOP).
        discarded_packets: packets that an edit list hides.
        corrupt_packets: packets that the demuxer flags as damaged.
        promised_packets: packets that the header counts; 0 where it does not.
        num_packets: packets that are there.
    """

    info: VideoInfo
    pts: np.ndarray
    time_base: Fraction
    key_pts: tuple[int, ...]
    container: str
    pixel_format: str
    quarter_turns: int
    leading_packets: int
    discarded_packets: int
    corrupt_packets: int
    promised_packets: int
    num_packets: int

    def entry_points(self, frame: int) -> Iterator[int | None]:
        """Where decoding may start to reach a frame, nearest first; None is the beginning of the file."""
        last = bisect_right(self.key_pts, int(self.pts[frame])) if self.key_pts else 0
        yield from reversed(self.key_pts[max(last - 2, 0) : last])
        yield None

    def times(self) -> tuple[Fraction, ...]:
        """Seconds from the first frame on, of every frame; empty where they follow from the rate."""
        return irregular_times(self.pts.tolist(), self.time_base, self.info.fps) if len(self.pts) else ()

    def decord_objection(self) -> str | None:
        """Why decord could give wrong frames of this file without saying so; None when it does not."""
        if self.info.codec not in _DECORD_CODECS:
            return f"decord does not read {self.info.codec} reliably"
        if self.container not in _DECORD_CONTAINERS:
            return f"decord does not read {self.container} files reliably"
        if self.leading_packets:
            return f"{self.leading_packets} frames are shown before the keyframe that they are stored after (open GOP)"
        if self.discarded_packets:
            return f"an edit list hides {self.discarded_packets} packets"
        if not self.key_pts:
            return "its timestamps do not name its frames"
        if self.corrupt_packets:
            return f"{self.corrupt_packets} packets are damaged"
        if self.promised_packets not in (0, self.num_packets):
            # decord believes the header and asks for memory for all of them, which ends the process
            return f"its header promises {self.promised_packets} frames, and {self.num_packets} are there"
        return None


@dataclass
class _Packets:
    """The packets of one video stream, in the order of the file."""

    pts: list[int | None] = field(default_factory=list)
    is_key: list[bool] = field(default_factory=list)
    is_discarded: list[bool] = field(default_factory=list)
    num_corrupt: int = 0
    end_s: float = 0.0

    def add(self, packet: "Packet[Any]") -> None:
        self.pts.append(packet.pts)
        self.is_key.append(packet.is_keyframe)
        self.is_discarded.append(packet.is_discard)
        self.num_corrupt += packet.is_corrupt

    def key_pts(self) -> list[int]:
        return [p for p, key in zip(self.pts, self.is_key, strict=True) if key and p is not None]

    def shown_pts(self) -> list[int]:
        """Times of the packets that become frames: nothing can decode those shown before the first keyframe."""
        start = next(iter(self.key_pts()), None)
        pairs = zip(self.pts, self.is_discarded, strict=True)
        return sorted(p for p, gone in pairs if p is not None and not gone and (start is None or p >= start))

    def num_from_key(self) -> int:
        return len(self.is_key) - self.is_key.index(True) if True in self.is_key else 0

    def num_leading(self) -> int:
        count, key_pts = 0, None
        for pts, key in zip(self.pts, self.is_key, strict=True):
            if key:
                key_pts = pts
            elif pts is not None and (key_pts is None or pts < key_pts):
                count += 1
        return count


def build_index(path: Path) -> VideoIndex:
    """Read all packets of a file and decode its first frame.

    About 3 ms per 1000 frames of a small video; the whole file is read once, and closed again.

    Raises:
        VideoError: when the file cannot be opened, when nothing in it can be decoded, or when it is cut off.
    """
    try:
        # not while the packets are read: for a damaged header FFmpeg asks for up to 4 GB each time a file is open
        first = _first_frame(path)
        with opened(path) as (container, stream):
            packets = _read_packets(container, stream)
            _check_whole(path, container, stream, packets)
            if isinstance(first, FFmpegError):
                raise first
            if first is None:
                raise VideoError(f"{path}: no frame of this file can be decoded; copy it again, or give another video")
            return _to_index(path, container, stream, packets, first)
    except FFmpegError as error:
        raise VideoError(f"{path}: damaged, no frame can be decoded ({error.strerror}); copy it again") from error


def _first_frame(path: Path) -> VideoFrame | FFmpegError | None:
    """The first one, or why there is none: that the file is cut off says more."""
    with opened(path) as (container, stream):
        try:
            return next(decoded_frames(container, stream), None)
        except FFmpegError as error:
            return error


def _read_packets(container: InputContainer, stream: VideoStream) -> _Packets:
    packets = _Packets()
    is_vp8 = stream.codec_context.codec.canonical_name == "vp8"
    for packet in container.demux():
        if packet.pts is not None and packet.time_base is not None:
            packets.end_s = max(packets.end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream_index == stream.index and packet.size and not (is_vp8 and _is_hidden(packet)):
            packets.add(packet)
    return packets


def _is_hidden(packet: "Packet[Any]") -> bool:
    """A VP8 packet that is decoded and never shown: bit 4 of its first byte is 0 (RFC 6386, section 9.1)."""
    return not memoryview(packet)[0] >> 4 & 1


def _check_whole(path: Path, container: InputContainer, stream: VideoStream, packets: _Packets) -> None:
    """Compare what the header promises with what is there; a file with an edit list may promise more."""
    num_held, promised = len(packets.pts), stream.frames
    # AVI says no more than how many frames there are
    if container.format.name == "avi" and promised - num_held > max(1, _MIN_MISSING_SHARE * promised):
        there = f"{num_held} of {promised} frames are there"
        raise VideoError(f"{path}: the file is cut off, {there}; copy it again, or keep the rest: {mending(path)}")
    promised_s = 0.0
    if container.format.name.startswith("mov") and stream.duration is not None and stream.time_base is not None:
        promised_s = float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    elif container.format.name.startswith("matroska") and container.duration is not None:
        promised_s = container.duration / av.time_base
    missing_s = promised_s - packets.end_s
    if missing_s > max(_MIN_MISSING_S, _MIN_MISSING_SHARE * promised_s) and not any(packets.is_discarded):
        held = f"it ends at {packets.end_s:.2f} s of {promised_s:.2f} s"
        raise VideoError(f"{path}: the file is cut off, {held}; copy it again, or keep the rest: {mending(path)}")


def _to_index(
    path: Path, container: InputContainer, stream: VideoStream, packets: _Packets, first: VideoFrame
) -> VideoIndex:
    name, codec = container.format.name.split(",")[0], stream.codec_context.codec.canonical_name
    times = packets.shown_pts()
    timed = None not in packets.pts and len(set(times)) == len(times) and (name, codec) not in _UNTIMED
    if timed:
        _check_gaps(path, times, Fraction(stream.time_base or 1))
    pts = np.array(times if timed else [], np.int64)
    num_frames = len(pts) if timed else packets.num_from_key()
    turns = round(first.rotation / 90) % 4
    height, width = (first.width, first.height) if turns % 2 else (first.height, first.width)
    return VideoIndex(
        info=VideoInfo(path, _rate(stream, pts), num_frames, height, width, codec),
        pts=pts,
        time_base=Fraction(stream.time_base or 0),
        key_pts=tuple(sorted(packets.key_pts())) if timed and name in _SEEKABLE else (),
        container=name,
        pixel_format=first.format.name,
        quarter_turns=turns,
        leading_packets=packets.num_leading(),
        discarded_packets=sum(packets.is_discarded),
        corrupt_packets=packets.num_corrupt,
        promised_packets=stream.frames,
        num_packets=len(packets.pts),
    )


def _check_gaps(path: Path, times: list[int], time_base: Fraction) -> None:
    longest = _LONGEST_GAP_S / time_base
    for number, (before, after) in enumerate(pairwise(times), start=1):
        if after - before > longest:
            raise VideoError(f"{path}: the time of frame {number} is damaged; mend the file: {mending(path)}")


def _rate(stream: VideoStream, pts: np.ndarray) -> Fraction:
    """The header's rate, or the measured one where the header is more than 1 % off (variable rate)."""
    rates = [Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate]
    # a damaged header says anything
    told = next((rate for rate in rates if rate * _LONGEST_GAP_S >= 1), Fraction(25))
    if len(pts) < 2 or stream.time_base is None:
        return told
    measured = Fraction(len(pts) - 1) / (int(pts[-1] - pts[0]) * stream.time_base)
    return told if abs(measured / told - 1) < Fraction(1, 100) else max(measured.limit_denominator(1001), _LEAST_RATE)
