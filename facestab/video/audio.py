"""Sound that is copied from one file into another as it is."""

import logging
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from facestab.video.container import open_input

_LOG = logging.getLogger(__name__)
# the same as of frames, see `facestab.video.index`
_LONGEST_GAP_S = 6 * 3600


class AudioCopy:
    """Copies a file's first sound track, packet by packet, along with pictures that are written.

    Args:
        path: the file; one without sound, or whose sound the other file cannot hold, gives none.
        container: takes it; no packet has been written to it yet.
    """

    def __init__(self, path: Path, container: OutputContainer) -> None:
        self._input: InputContainer | None = None
        self._container = container
        self._packets: Iterator[Packet[Any]] = iter(())
        self._next: Packet[Any] | None = None
        self._last_s: Fraction | None = None
        try:
            opened = open_input(path)
        except FFmpegError:
            return
        track = next((s for s in opened.streams if isinstance(s, AudioStream)), None)
        # damaged sound has no codec
        codec = None if track is None else track.codec_context
        if track is None or codec is None or codec.name not in _HELD.get(container.format.name, ()):
            opened.close()
            return
        self._input = opened
        self._stream = container.add_stream_from_template(track)
        self._packets = opened.demux(track)
        self._advance()

    @property
    def is_there(self) -> bool:
        """Whether there is sound to copy."""
        return self._input is not None

    def until(self, seconds: Fraction | None) -> None:
        """Copy what is heard before a time; None: all that is left."""
        while self._next is not None:
            start_s = _start_s(self._next)
            if seconds is not None and start_s >= seconds:
                return
            self._last_s = start_s
            self._next.stream = self._stream
            self._container.mux(self._next)
            self._advance()

    def close(self) -> None:
        """Let go of the file."""
        if self._input is not None:
            self._input.close()
            self._input = None

    def _advance(self) -> None:
        try:
            # the last packet of a file is empty and tells decoders to finish
            self._next = next((packet for packet in self._packets if packet.size and self._fits(packet)), None)
        except FFmpegError:
            # pictures are worth more than the rest of damaged sound
            self._next = None

    def _fits(self, packet: "Packet[Any]") -> bool:
        """Whether a packet comes after the last one, and soon: muxers refuse all that follows one that does not."""
        if packet.dts is None:
            return False
        start_s = _start_s(packet)
        return self._last_s is None or self._last_s < start_s <= self._last_s + _LONGEST_GAP_S


class _Nowhere:
    """A file that keeps nothing of what is written."""

    def __init__(self) -> None:
        self._place = self._end = 0

    def write(self, data: bytes) -> int:
        self._place += len(data)
        self._end = max(self._end, self._place)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end}[whence]
        return self._place

    def tell(self) -> int:
        return self._place


def can_copy_sound(path: Path, container: str) -> bool:
    """Whether a file's sound goes into another kind of file, tried without keeping anything.

    Damaged sound would end the file that is written, with all its pictures, in the middle or at its very end.

    Args:
        path: the file.
        container: FFmpeg's name of the kind.
    """
    try:
        with av.open(_Nowhere(), "w", format=container) as nowhere:
            copy = AudioCopy(path, nowhere)
            try:
                copy.until(None)
            finally:
                copy.close()
    except (FFmpegError, OSError, ValueError, OverflowError) as error:
        _LOG.warning("%s: its sound is damaged and left out (%s)", path, getattr(error, "strerror", None) or error)
        return False
    return True


def _start_s(packet: "Packet[Any]") -> Fraction:
    return Fraction((packet.dts or 0) * packet.time_base)


# what players find in these files
_HELD = {"mp4": ("aac", "mp3", "ac3", "eac3", "opus", "alac", "flac"), "mov": ("aac", "mp3", "ac3", "alac")}
