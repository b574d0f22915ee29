"""The synthetic world as a labelled image set and as a video set, rendered once and kept on disk."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from facestab.data.images import ImageSplit, LabelledImage
from facestab.data.parallel import run_all
from facestab.data.synthetic.cache import cache_folder, cache_lock
from facestab.data.synthetic.classes import FACE11
from facestab.data.synthetic.clip import Clip
from facestab.data.synthetic.conditions import Conditions
from facestab.data.synthetic.images import labelled_image
from facestab.data.synthetic.seeds import identity_seed
from facestab.data.videos import VideoItem
from facestab.labels import LabelSet, class_lut
from facestab.types import VideoInfo
from facestab.video.sink import VideoSink

FPS = Fraction(25)
# persons of the stills come first in a split, persons of the clips from here on
FIRST_CLIP_IDENTITY = 100_000


def _check(numbers: dict[str, int]) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")


def _of_labels(labels: LabelSet) -> dict[str, tuple[str, ...]]:
    """What tells a cache of other classes from that of the world's own."""
    return {} if labels.names == FACE11 else {"labels": labels.names}


class SyntheticImages:
    """Labelled stills in clean conditions. Persons of different splits never meet.

    Args:
        root: folder of the cache.
        labels: the classes of face11, or coarser ones, see `class_lut`.
        size: height and width in pixels.
        num_train: images of the training split.
        num_val: images of the validation split.
        num_test: images of the test split.

    Raises:
        ValueError: for a label set of other things, or a split without images.
    """

    def __init__(self, root: str, labels: LabelSet, size: int, num_train: int, num_val: int, num_test: int) -> None:
        self.numbers = {"train": num_train, "val": num_val, "test": num_test}
        _check({f"num_{name}": number for name, number in self.numbers.items()})
        self.lut = class_lut(FACE11, labels)
        self.size = size
        self.folder = cache_folder(root, kind="images", size=size, numbers=self.numbers)

    def prepare(self) -> None:
        """Render what is not in the cache."""
        with cache_lock(self.folder):
            for name, number in self.numbers.items():
                path = self.folder / f"{name}.npz"
                if not path.exists():
                    keys = [(identity_seed(name, index), self.size) for index in range(number)]
                    _save(path, run_all(_still, keys, f"rendering {name} images", "images"))

    def split(self, name: str) -> "Stills":
        """The images of one split, all in memory: 64 KiB each at 128 pixels."""
        with np.load(self.folder / f"{name}.npz") as arrays:
            return Stills(arrays["images"], self.lut[arrays["labels"]])


class Stills(ImageSplit):
    """Images uint8 (N, H, W, 3) and labels uint8 (N, H, W) in memory."""

    def __init__(self, images_NHWC: np.ndarray, labels_NHW: np.ndarray) -> None:
        self.images_NHWC = images_NHWC
        self.labels_NHW = labels_NHW

    def __len__(self) -> int:
        return len(self.images_NHWC)

    def __getitem__(self, index: int) -> LabelledImage:
        return LabelledImage(self.images_NHWC[index], self.labels_NHW[index])


class SyntheticVideos:
    """Clips in the conditions of a cheap webcam, as lossless video files with label videos beside them.

    Each clip shows another person; none of them is in the stills.

    Args:
        root: folder of the cache.
        labels: the classes of face11, or coarser ones, see `class_lut`.
        size: height and width in pixels.
        num_frames: of each clip.
        num_train: clips of the training split.
        num_val: clips of the validation split.
        num_test: clips of the test split.

    Raises:
        ValueError: for a label set of other things, or a split without clips.
    """

    def __init__(
        self, root: str, labels: LabelSet, size: int, num_frames: int, num_train: int, num_val: int, num_test: int
    ) -> None:
        self.numbers = {"train": num_train, "val": num_val, "test": num_test}
        _check({"num_frames": num_frames, **{f"num_{name}": n for name, n in self.numbers.items()}})
        self.skipped: dict[str, str] = {}
        self.lut = class_lut(FACE11, labels)
        self.size = size
        self.num_frames = num_frames
        self.folder = cache_folder(root, kind="videos", size=size, num_frames=num_frames, **_of_labels(labels))

    def clip(self, item: VideoItem) -> Clip:
        """The world behind one of the videos: its exact flow and occlusion."""
        split, _, index = item.id.rpartition("_")
        return self._clip(split, int(index))

    def _clip(self, split: str, index: int) -> Clip:
        seed = identity_seed(split, FIRST_CLIP_IDENTITY + index)
        conditions = Conditions.video()
        return Clip(seed, index, num_frames=self.num_frames, size=self.size, fps=FPS, conditions=conditions)

    def prepare(self) -> None:
        """Render the clips that are not in the cache."""
        wanted = [(split, index) for split, number in self.numbers.items() for index in range(number)]
        with cache_lock(self.folder):
            missing = [key for key in wanted if not self._paths(*key)[1].exists()]
            if missing:
                run_all(self._render, missing, "rendering clips", "clips")

    def _paths(self, split: str, index: int) -> tuple[Path, Path]:
        folder = self.folder / f"{split}_{index:04d}"
        return folder / "frames.mkv", folder / "labels.mkv"

    def _render(self, key: tuple[str, int]) -> int:
        clip = self._clip(*key)
        frames, labels = self._paths(*key)
        # sinks close in reverse: where the label video is, the frames are too
        with VideoSink(labels, FPS, codec="labels") as label_sink, VideoSink(frames, FPS, codec="ffv1_rgb") as sink:
            for t in range(clip.num_frames):
                sink.write(clip.frame(t))
                label_sink.write(self.lut[clip.labels(t)])
        return clip.num_frames

    def split(self, name: str) -> list[VideoItem]:
        """The clips of "train", "val", "test" or "all"."""
        names = list(self.numbers) if name == "all" else [name]
        return [self._item(split, index) for split in names for index in range(self.numbers[split])]

    def _item(self, split: str, index: int) -> VideoItem:
        frames, labels = self._paths(split, index)
        info = VideoInfo(frames, FPS, self.num_frames, self.size, self.size, "ffv1")
        return VideoItem(f"{split}_{index:04d}", info, labels)


def _still(key: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    seed, size = key
    return labelled_image(seed, size=size)


def _save(path: Path, stills: list[tuple[np.ndarray, np.ndarray]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.part.npz")
    np.savez(part, images=np.stack([image for image, _ in stills]), labels=np.stack([labels for _, labels in stills]))
    part.replace(path)
