"""Files that are no videos, broken videos, and unusual ones, each made in a moment."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from tests.video.barcode import draw, write_clip

FRONT = {"movflags": "faststart"}


def clip(num_frames=6, **settings):
    """Makes a sound file, in the encoder that is asked for."""

    def make(path: Path) -> None:
        write_clip(path, num_frames, **settings)

    return make


def cut(share=0.6, **settings):
    """Makes the beginning of a file."""

    def make(path: Path) -> None:
        data = write_clip(path, 60, **settings).read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return make


def content(data: bytes):
    def make(path: Path) -> None:
        path.write_bytes(data)

    return make


def copied(suffix: str, **settings):
    """Makes a file whose name says something else than it is."""

    def make(path: Path) -> None:
        write_clip(path.with_suffix(suffix), 6, **settings).rename(path)

    return make


def picture(path: Path) -> None:
    Image.fromarray(draw(0)).save(path, format="PNG")


def sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def no_frames(height=64, width=96):
    """Makes a header that promises pictures of a size, and nothing behind it."""

    def make(path: Path) -> None:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(25))
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            container.start_encoding()

    return make


def turned(path: Path) -> None:
    """A telephone held upright: stored lying, to be shown turned by 90 degrees."""
    write_clip(path, 6)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    one, zero, minus = 0x00010000.to_bytes(4, "big"), bytes(4), 0xFFFF0000.to_bytes(4, "big")
    data[matrix : matrix + 20] = zero + one + zero + minus + zero
    path.write_bytes(data)


def two_sizes(path: Path) -> None:
    parts = [
        write_clip(path.with_name(name), 10, size=size).read_bytes()
        for name, size in (("small.ts", (64, 96)), ("large.ts", (80, 112)))
    ]
    path.write_bytes(b"".join(parts))


def promising(path: Path) -> None:
    """One size for all samples, and two billions of them: a table that needs no bytes."""
    clip(container_options=FRONT)(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"stsz") + 8
    data[at : at + 8] = struct.pack(">II", 1, 2**31)
    path.write_bytes(data)


def playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")


def broken_link(path: Path) -> None:
    path.symlink_to("nowhere.mp4")


def nothing(path: Path) -> None:
    pass
