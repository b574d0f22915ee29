"""Runs of adjacent frames with pseudo labels."""

import bisect
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from facestab.data.frame_store import FrameStore
from facestab.data.images import to_channels_first
from facestab.data.loader import TrainingData, check_loading, make_loader
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.sampler import SampleKey
from facestab.data.transforms import Augmentation, ignore_labels
from facestab.data.videos import VideoItem, VideoSet
from facestab.errors import FacestabError
from facestab.types import FrameWindowBatch


class FrameWindows(Dataset[FrameWindowBatch]):
    """Windows of adjacent frames of each video, with their labels; none crosses the end of a video or of a shot.

    Args:
        items: the videos; those with fewer than `window` frames give none.
        store: their labels.
        augment: one geometry for all frames of a window and their labels, photometric damage for each frame.
        train: whether chance has a say.
        window: frames, at least 2.
        stride: frames from the start of one window to that of the next; the last few frames of a video may be in none.
        backend: auto, decord or pyav.
        decoded: has the frames and labels of the videos at hand; None: they are decoded at every use.

    Raises:
        ValueError: for a window below 2 or a stride below 1.
        FacestabError: when no video is as long as a window.
    """

    def __init__(
        self,
        items: Sequence[VideoItem],
        store: PseudoLabelStore,
        augment: Augmentation,
        train: bool,
        *,
        window: int,
        stride: int = 1,
        backend: str = "auto",
        decoded: FrameStore | None = None,
    ) -> None:
        check_windows(window, stride)
        if decoded is None:
            self.sources = [item.open(backend) for item in items]
            self.labels = [store.open(item) for item in items]
        else:
            self.sources = [decoded.frames(item, backend) for item in items]
            self.labels = [decoded.labels(item, store) for item in items]
        self.shots = [(video, *shot) for video, item in enumerate(items) for shot in item.shots]
        self.ends = list(accumulate(windows_in(stop - start, window, stride) for _, start, stop in self.shots))
        self.augment = augment
        self.train = train
        self.window = window
        self.stride = stride
        check_lengths(items, window)

    def __len__(self) -> int:
        return self.ends[-1]

    def locate(self, index: int) -> tuple[int, int]:
        """The video and the number of the first frame of a window."""
        shot = bisect.bisect_right(self.ends, index)
        video, start, _ = self.shots[shot]
        return video, start + self.stride * (index - (self.ends[shot - 1] if shot else 0))

    def read(self, video: int, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Frames uint8 (T, H, W, 3) and labels uint8 (T, H, W) of a window, as stored."""
        end = frame + self.window
        labels = [soft.label_HW for soft in self.labels[video].frames(frame, end)]
        return np.stack(list(self.sources[video].frames(frame, end))), np.stack(labels)

    def __getitem__(self, key: SampleKey) -> FrameWindowBatch:
        run = self.read(*self.locate(key.position))
        frames, labels = self.augment.train(*run, key.seed) if self.train else self.augment.evaluate(*run)
        if key.is_padding:
            labels = ignore_labels(labels)
        return FrameWindowBatch(to_channels_first(frames), torch.from_numpy(labels).long())


def windows_in(num_frames: int, window: int, stride: int) -> int:
    """How many windows a shot has."""
    return max(0, (num_frames - window) // stride + 1)


def check_windows(window: int, stride: int) -> None:
    """Refuse windows that cannot be.

    Raises:
        ValueError: for a window below 2 or a stride below 1.
    """
    if window < 2:
        raise ValueError(f"window: at least 2 frames are needed, got {window}")
    if stride < 1:
        raise ValueError(f"stride: at least 1 frame is needed, got {stride}")


def check_lengths(items: Sequence[VideoItem], window: int) -> None:
    """Refuse videos none of whose shots is as long as a window.

    Raises:
        FacestabError: when that is so.
    """
    if not any(stop - start >= window for item in items for start, stop in item.shots):
        raise FacestabError(
            f"the video set has no {window} adjacent frames; give longer videos, or ask for shorter windows"
        )


class FrameWindowData(TrainingData):
    """Pseudo-labelled windows to train and to validate on, both with the damage that `augment` does.

    Without damage there would be nothing to learn: the labels are the image model's own.

    Args:
        videos: the video set.
        store: labels for every frame.
        augment: what is done to a window; in validation it is the same in every epoch.
        batch_size: windows per step and process.
        window: frames, at least 2.
        stride: frames from the start of one window to that of the next.
        num_workers: loader processes.
        seed: of order and augmentation.
        backend: auto, decord or pyav.
        decoded: keeps decoded frames and labels; None: they are decoded at every use.

    Raises:
        ValueError: for a batch size or stride below 1, a window below 2, or fewer than 0 workers.
    """

    def __init__(
        self,
        videos: VideoSet,
        store: PseudoLabelStore,
        augment: Augmentation,
        batch_size: int,
        window: int,
        stride: int = 1,
        num_workers: int = 0,
        seed: int = 0,
        backend: str = "auto",
        decoded: FrameStore | None = None,
    ) -> None:
        super().__init__()
        check_loading(batch_size, num_workers)
        check_windows(window, stride)
        self.videos = videos
        self.store = store
        self.augment = augment
        self.batch_size = batch_size
        self.window = window
        self.stride = stride
        self.num_workers = num_workers
        self.seed = seed
        self.backend = backend
        self.decoded = decoded

    def prepare_data(self) -> None:
        """Called by Lightning on one process."""
        self.videos.prepare()

    def setup(self, stage: str) -> None:
        """Label what has no labels yet; every process takes its share."""
        assert self.trainer is not None
        items = self.videos.split("train") + self.videos.split("val")
        place = self.trainer.global_rank, self.trainer.world_size
        self.store.fill(items, self.trainer.strategy.root_device, *place)
        if self.decoded is not None:
            self.decoded.fill(self.store.usable(items), self.store, *place)

    def windows(self, split: str) -> FrameWindows:
        """The samples of one split."""
        return FrameWindows(
            self.store.usable(self.videos.split(split)),
            self.store,
            self.augment,
            train=True,
            window=self.window,
            stride=self.stride,
            backend=self.backend,
            decoded=self.decoded,
        )

    def train_dataloader(self) -> DataLoader[FrameWindowBatch]:
        """Windows of the training videos, in an order that changes from epoch to epoch."""
        return self.loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader[FrameWindowBatch] | list[DataLoader[FrameWindowBatch]]:
        """Windows of the validation videos."""
        return self.loader("val", shuffle=False)

    def loader(self, split: str, shuffle: bool) -> DataLoader[FrameWindowBatch]:
        """Loads the samples of one split."""
        return make_loader(
            self.windows(split),
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            seed=self.seed,
            shuffle=shuffle,
            trainer=self.trainer,
            first_epoch=self.first_epoch,
        )
