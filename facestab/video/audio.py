"""Sound that is copied from one file into another as it is."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from facestab.video.container import open_input


class AudioCopy:
    """Copies a file's first sound track, packet by packet, along with pictures that are written.

    Args:
        path: the file; one without sound, or whose sound the other file cannot hold, gives none.
        container: takes it; no packet has been written to it yet.
    """

    def __init__(self, path: Path, container: OutputContainer) -> None:
        self._input: InputContainer | None = None
        self._container = container
        self._packets: Iterator[Packet] = iter(())
        self._next: Packet | None = None
        try:
            opened = open_input(path)
        except FFmpegError:
            return
        track = next((s for s in opened.streams if isinstance(s, AudioStream)), None)
        if track is None or track.codec_context.name not in _HELD.get(container.format.name, ()):
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
            start = self._next.dts if self._next.dts is not None else self._next.pts
            if seconds is not None and start is not None and start * self._next.time_base >= seconds:
                return
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
            self._next = next((packet for packet in self._packets if packet.size), None)
        except FFmpegError:
            # pictures are worth more than the rest of damaged sound
            self._next = None


# what players find in these files
_HELD = {"mp4": ("aac", "mp3", "ac3", "eac3", "opus", "alac", "flac"), "mov": ("aac", "mp3", "ac3", "alac")}
