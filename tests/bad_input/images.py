"""Labelled images of every kind in a small set, `faces/images/*.png` with `faces/labels/*.png`."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

SHAPE = (24, 20)
# "05" trains and "01" validates, with a hash of their names and shares of 0.3
NAMES = tuple(f"{number:02d}" for number in range(12))


def small_set(root: Path) -> None:
    """Twelve sound pictures in which every class of face11 is seen."""
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (root / name).mkdir(parents=True)
    for name in NAMES:
        Image.fromarray(rng.integers(0, 256, (*SHAPE, 3), np.uint8)).save(root / "images" / f"{name}.png")
        Image.fromarray(rng.integers(0, 11, SHAPE, np.uint8)).save(root / "labels" / f"{name}.png")


def label(values: np.ndarray, mode: str | None = None):
    """Makes the label map of picture 05."""

    def make(root: Path) -> None:
        image = Image.fromarray(values)
        (image.convert(mode) if mode else image).save(root / "labels" / "05.png")

    return make


def constant(value: int, shape=SHAPE, dtype=np.uint8) -> np.ndarray:
    return np.full(shape, value, dtype)


def image(data: bytes | np.ndarray, suffix=".png", mode: str | None = None, **options):
    """Makes picture 05, from bytes or pixels."""

    def make(root: Path) -> None:
        path = root / "images" / f"05{suffix}"
        (root / "images" / "05.png").unlink()
        if isinstance(data, bytes):
            path.write_bytes(data)
        else:
            Image.fromarray(data, mode).save(path, **options)

    return make


def cut(folder: str):
    def make(root: Path) -> None:
        path = root / folder / "05.png"
        path.write_bytes(path.read_bytes()[:-100])

    return make


def without(folder: str, *names: str):
    def make(root: Path) -> None:
        for name in names:
            (root / folder / f"{name}.png").unlink()

    return make


def is_folder(folder: str):
    def make(root: Path) -> None:
        (root / folder / "05.png").unlink()
        (root / folder / "05.png").mkdir()

    return make


def ignored(*names: str):
    """Makes label maps in which no pixel has a class."""

    def make(root: Path) -> None:
        for name in names:
            Image.fromarray(constant(255)).save(root / "labels" / f"{name}.png")

    return make


def held_upright():
    """The orientation that a telephone writes into a photograph."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def png_header(width: int, height: int) -> bytes:
    """A PNG file that promises a size, with a few pixels behind it."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def another_suffix(root: Path) -> None:
    Image.fromarray(constant(0, (*SHAPE, 3))).save(root / "images" / "05.jpg")
