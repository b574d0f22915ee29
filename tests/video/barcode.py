"""Clips whose frames carry their number as a barcode, so that a wrong frame shows for certain."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

NUM_BITS = 12
MARK = 8


def draw(number: int, height: int = 64, width: int = 96) -> np.ndarray:
    """uint8 (H, W, 3): a moving pattern with the number in 12 black or white fields at the top left."""
    rows, columns = np.mgrid[:height, :width]
    red = (rows * 2 + number * 3) % 256
    green = (columns * 2 + number * 5) % 256
    blue = (rows + columns + number) % 256
    frame_HWC = (64 + np.stack([red, green, blue], axis=-1) / 2).astype(np.uint8)
    for bit in range(NUM_BITS):
        left = bit * MARK
        frame_HWC[: 2 * MARK, left : left + MARK] = 255 * (number >> bit & 1)
    return frame_HWC


def number_of(frame_HWC: np.ndarray) -> int:
    """The number that `draw` painted."""
    middle = frame_HWC[MARK, MARK // 2 : NUM_BITS * MARK : MARK].mean(axis=-1)
    return int(sum(1 << bit for bit in range(NUM_BITS) if middle[bit] > 127))


def numbers_of(frames: Iterable[np.ndarray]) -> list[int]:
    return [number_of(frame_HWC) for frame_HWC in frames]


def write_clip(
    path: Path,
    num_frames: int = 60,
    *,
    codec: str = "libx264",
    fps: Fraction = Fraction(25),
    size: tuple[int, int] = (64, 96),
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    ticks: Sequence[int] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode numbered frames; `ticks` puts frame i at ticks[i] / fps seconds instead of i / fps."""
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width, stream.pix_fmt = *size, pix_fmt
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(draw(number, *size), format="rgb24")
            frame.pts = ticks[number] if ticks else number
            frame.time_base = 1 / fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
