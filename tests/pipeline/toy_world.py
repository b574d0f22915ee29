"""A world that a small network learns in seconds: a disc with a mark on it, in front of noise."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from facestab.data.images import ImageSplit, LabelledImage
from facestab.data.videos import VideoItem
from facestab.types import VideoInfo
from facestab.video.sink import VideoSink

SIZE = 48
LABELS = {"names": ["background", "disc", "mark"], "palette": [[0, 0, 0], [200, 120, 90], [40, 40, 200]], "pairs": []}
_COLOURS = np.array([[96, 100, 104], [132, 124, 116], [108, 96, 128]], np.float32)


def labels_at(x: float, y: float, radius: float) -> np.ndarray:
    """uint8 (SIZE, SIZE): the disc around (x, y), and the mark on its right half."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    disc = np.hypot(columns - x, rows - y) < radius
    mark = np.hypot(columns - x - 0.4 * radius, rows - y) < 0.35 * radius
    return np.where(mark, 2, disc).astype(np.uint8)


def picture(labels_HW: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """uint8 RGB with noise of this standard deviation in grey levels."""
    clean_HW3 = _COLOURS[labels_HW]
    return np.clip(clean_HW3 + noise * rng.standard_normal(clean_HW3.shape), 0, 255).astype(np.uint8)


def _draw(rng: np.random.Generator) -> tuple[float, float, float]:
    x, y = rng.uniform(0.35 * SIZE, 0.65 * SIZE, 2)
    return float(x), float(y), float(rng.uniform(0.2, 0.32) * SIZE)


class ToyImages:
    """Labelled pictures, with half the videos' noise or more."""

    def __init__(self, num_train: int = 64, num_val: int = 8) -> None:
        self.numbers = {"train": num_train, "val": num_val}

    def prepare(self) -> None:
        """Nothing has to be made."""

    def split(self, name: str) -> "ToySplit":
        """Pictures and labels."""
        rng = np.random.default_rng((0, len(name)))
        labels = [labels_at(*_draw(rng)) for _ in range(self.numbers[name])]
        return ToySplit([LabelledImage(picture(label_HW, rng.uniform(10, 25), rng), label_HW) for label_HW in labels])


class ToySplit(ImageSplit):
    """Pictures in memory."""

    def __init__(self, images: list[LabelledImage]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> LabelledImage:
        return self.images[index]


class ToyVideos:
    """Clips in which the disc drifts slowly through noise."""

    def __init__(self, folder: Path, num_frames: int = 16, **numbers: int) -> None:
        self.skipped: dict[str, str] = {}
        self.folder = folder
        self.num_frames = num_frames
        self.numbers = numbers

    def frames(self, split: str, index: int) -> tuple[np.ndarray, np.ndarray]:
        """uint8 frames (T, SIZE, SIZE, 3) and labels (T, SIZE, SIZE)."""
        rng = np.random.default_rng((1, len(split), index))
        x, y, radius = _draw(rng)
        drift = rng.normal(0, 0.15, 2)
        places = [(x + t * drift[0], y + t * drift[1]) for t in range(self.num_frames)]
        labels = np.stack([labels_at(*place, radius) for place in places])
        return np.stack([picture(label_HW, 20, rng) for label_HW in labels]), labels

    def prepare(self) -> None:
        """Write the clips."""
        for split, number in self.numbers.items():
            for index in range(number):
                path = self.folder / f"{split}_{index}.mkv"
                if not path.exists():
                    with VideoSink(path, Fraction(25), codec="ffv1_rgb") as sink:
                        for frame_HWC in self.frames(split, index)[0]:
                            sink.write(frame_HWC)

    def split(self, name: str) -> list[VideoItem]:
        """The clips of a split."""
        paths = [self.folder / f"{name}_{index}.mkv" for index in range(self.numbers[name])]
        infos = [VideoInfo(path, Fraction(25), self.num_frames, SIZE, SIZE, "ffv1") for path in paths]
        return [VideoItem(info.path.stem, info) for info in infos]
