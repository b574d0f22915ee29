"""A folder of images as a source of frames."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from facestab.errors import FrameError, VideoError
from facestab.types import VideoInfo
from facestab.video.base import Source
from facestab.video.picture import is_turned, to_rgb

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
# what files of these suffixes hold; of others some start programs (EPS), and all are more code to trust
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "WEBP", "TIFF", "PPM", "GIF")

# Pillow names a broken file by all of these
_BROKEN = (OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError)


def natural_key(name: str) -> list[str | int]:
    """Sort key that puts frame 2 before frame 10."""
    return [int(part) if part.isdigit() else part.casefold() for part in re.split(r"(\d+)", name)]


def list_images(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[Path]:
    """The images directly in a folder, in natural order, without hidden files."""
    images = [p for p in folder.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith(".")]
    return sorted(images, key=lambda path: (natural_key(path.name), path.name))


def list_sequences(folder: Path) -> list[Path]:
    """The sequences `NAME_NUMBER.png` of a folder that holds several, as patterns `NAME_*.png`; none otherwise.

    Every image must belong to one of at least two frames.
    """
    counts: Counter[str] = Counter()
    for image in list_images(folder):
        name = re.fullmatch(r"(.+)_\d+", image.stem)
        counts[f"{name[1] if name else ''}_*{image.suffix}"] += 1
    if len(counts) < 2 or min(counts.values()) < 2 or any(pattern.startswith("_*") for pattern in counts):
        return []
    return [folder / pattern for pattern in sorted(counts, key=natural_key)]


def sequence_files(path: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[Path]:
    """The images that a folder or a pattern such as `folder/NAME_*.png` stands for, in natural order; or one image."""
    if path.is_dir():
        return list_images(path, suffixes)
    if path.is_file() or "*" not in path.name or not path.parent.is_dir():
        return [path] if path.is_file() else []
    # a name with brackets in it must not become a pattern of its own
    before, _, after = path.name.partition("*")
    number = re.compile(rf"{re.escape(before)}\d+{re.escape(after)}")
    return [image for image in list_images(path.parent, suffixes) if number.fullmatch(image.name)]


def open_image(file: Path | BinaryIO) -> Image.Image:
    """An image whose pixels are not yet read.

    Raises:
        OSError: when it is none, or of an unusual format whatever its name says. Pillow raises others, too.
    """
    return Image.open(file, formats=_FORMATS)


def read_rgb(path: Path) -> np.ndarray:
    """uint8 (H, W, 3) of an image of any kind, see `picture.to_rgb`."""
    with open_image(path) as image:
        return to_rgb(image)


class FrameFolder(Source):
    """The images of a folder or of a sequence in it, in natural order of their names, all of one size; or one image.

    Args:
        path: the folder, a pattern such as `folder/NAME_*.png` in which * stands for digits, or an image.
        fps: frames per second; a folder does not say.
        read: turns a file into an array; what it raises becomes a VideoError that names the file.
        suffixes: which files are frames.

    Raises:
        VideoError: when there are no frames.
        ValueError: when fps is not above 0.
    """

    def __init__(
        self,
        path: str | Path,
        fps: Fraction = Fraction(25),
        read: Callable[[Path], np.ndarray] = read_rgb,
        suffixes: tuple[str, ...] = IMAGE_SUFFIXES,
    ) -> None:
        if fps <= 0:
            raise ValueError(f"fps: above 0 is possible, got {fps}")
        self.path = Path(path)
        self.fps = Fraction(fps)
        self._read = read
        self._suffixes = suffixes
        self._files: list[Path] = []
        self._info: VideoInfo | None = None
        if self.path.is_dir() and not list_images(self.path, suffixes):
            raise VideoError(f"{path}: no frames in this folder; looked for {' '.join(suffixes)}")
        if not self.path.exists() and not sequence_files(self.path, suffixes):
            raise VideoError(f"{path}: no such file or folder; check the path")

    @property
    def info(self) -> VideoInfo:
        """Rate, number of frames and size; all headers are read at the first use.

        Raises:
            VideoError: naming the first frame that is no image, or of another size than the first.
        """
        if self._info is None:
            self._files = sequence_files(self.path, self._suffixes)
            sizes = [_size(file) for file in self._files]
            odd = next((n for n, size in enumerate(sizes) if size != sizes[0]), None)
            if odd is not None:
                is_size, first = "{}x{}".format(*sizes[odd]), "{}x{}".format(*sizes[0])
                raise VideoError(f"{self._files[odd]}: this frame is {is_size}, the first is {first}; use one size")
            width, height = sizes[0]
            self._info = VideoInfo(self.path, self.fps, len(sizes), height, width, "frames")
        return self._info

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames start .. stop - 1 as a slice takes them, uint8 (H, W, 3) RGB with the default reader."""
        numbers = range(self.info.num_frames)[start:stop]
        return (self._frame(number) for number in numbers)

    def pair(self, index: int) -> np.ndarray:
        """Frames index and index + 1, uint8 (2, H, W, 3) with the default reader.

        Raises:
            IndexError: unless 0 <= index < num_frames - 1.
        """
        self.check_pair(index)
        return np.stack([self._frame(index), self._frame(index + 1)])

    def _frame(self, number: int) -> np.ndarray:
        file = self._files[number]
        try:
            return self._read(file)
        except _BROKEN as error:
            raise FrameError(_broken(file, error)) from error

    def close(self) -> None:
        """Forget the list of files; the next use makes it again."""
        self._info = None

    def __reduce__(
        self,
    ) -> tuple[type["FrameFolder"], tuple[Path, Fraction, Callable[[Path], np.ndarray], tuple[str, ...]]]:
        return FrameFolder, (self.path, self.fps, self._read, self._suffixes)


def _size(file: Path) -> tuple[int, int]:
    try:
        with open_image(file) as image:
            found: tuple[int, int] = (image.height, image.width) if is_turned(image) else image.size
            return found
    except _BROKEN as error:
        raise VideoError(_broken(file, error)) from error


def _broken(file: Path, error: Exception) -> str:
    why = str(error) or type(error).__name__
    return f"{file}: this frame cannot be read ({why}); replace it or take it out of the folder"
