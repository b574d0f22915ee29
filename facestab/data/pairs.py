"""Adjacent frame pairs with pseudo labels for the temporal stage."""

import bisect
from itertools import accumulate

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from facestab.data.images import ImageData, to_channels_first
from facestab.data.loader import check_loading, make_loader
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.sampler import SampleKey
from facestab.data.transforms import Augmentation, ignore_labels
from facestab.data.videos import VideoItem, VideoSet
from facestab.errors import FacestabError
from facestab.types import FramePairBatch
from facestab.video.label_video import LabelVideo
from facestab.video.source import open_video


class FramePairs(Dataset[FramePairBatch]):
    """Every two adjacent frames of each video; no pair crosses a video's end (patent S220, S560).

    Args:
        items: the videos; those with fewer than two frames give no pair.
        store: their labels.
        augment: one geometry for both frames and their labels, photometric damage for each frame.
        train: whether chance has a say.
        backend: auto, decord or pyav.
    """

    def __init__(
        self, items: list[VideoItem], store: PseudoLabelStore, augment: Augmentation, train: bool, backend: str = "auto"
    ) -> None:
        self.sources = [open_video(item.path, backend) for item in items]
        self.labels = [LabelVideo(store.path(item)) for item in items]
        self.ends = list(accumulate(max(0, item.num_frames - 1) for item in items))
        self.augment = augment
        self.train = train
        if not self.ends or self.ends[-1] == 0:
            raise FacestabError("the video set has no two adjacent frames; give videos of at least two frames")

    def __len__(self) -> int:
        return self.ends[-1]

    def locate(self, index: int) -> tuple[int, int]:
        """The video and the number of the first frame of a pair."""
        video = bisect.bisect_right(self.ends, index)
        return video, index - (self.ends[video - 1] if video else 0)

    def __getitem__(self, key: SampleKey) -> FramePairBatch:
        video, frame = self.locate(key.position)
        pair = self.sources[video].pair(frame), self.labels[video].pair(frame)
        frames, labels = self.augment.train(*pair, key.seed) if self.train else self.augment.evaluate(*pair)
        if key.is_padding:
            labels = ignore_labels(labels)
        return FramePairBatch(to_channels_first(frames), torch.from_numpy(labels).long())


class FramePairData(LightningDataModule):
    """Pseudo-labelled pairs to train on; pairs and labelled images to validate on.

    Args:
        videos: the video set.
        images: labelled images, whose validation split guards the accuracy.
        store: labels for every frame.
        augment: what training does to a pair.
        batch_size: pairs per step and process.
        num_workers: loader processes.
        seed: of order and augmentation.
        backend: auto, decord or pyav.

    Raises:
        ValueError: for a batch size below 1 or fewer than 0 workers.
    """

    def __init__(
        self,
        videos: VideoSet,
        images: ImageData,
        store: PseudoLabelStore,
        augment: Augmentation,
        batch_size: int,
        num_workers: int = 0,
        seed: int = 0,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        check_loading(batch_size, num_workers)
        self.videos = videos
        self.images = images
        self.store = store
        self.augment = augment
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.backend = backend

    def prepare_data(self) -> None:
        """Called by Lightning on one process."""
        self.videos.prepare()
        self.images.prepare_data()

    def setup(self, stage: str) -> None:
        """Label what has no labels yet; every process takes its share."""
        assert self.trainer is not None
        items = self.videos.split("train") + self.videos.split("val")
        self.store.fill(items, self.trainer.strategy.root_device, self.trainer.global_rank, self.trainer.world_size)
        self.images.trainer = self.trainer

    def train_dataloader(self) -> DataLoader[FramePairBatch]:
        """Pairs of the training videos."""
        return self._loader("train", train=True)

    def val_dataloader(self) -> list[DataLoader]:
        """Pairs of the validation videos, then labelled validation images."""
        return [self._loader("val", train=False), self.images.val_dataloader()]

    def _loader(self, split: str, train: bool) -> DataLoader[FramePairBatch]:
        pairs = FramePairs(self.videos.split(split), self.store, self.augment, train, self.backend)
        return make_loader(
            pairs,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            seed=self.seed,
            shuffle=train,
            trainer=self.trainer,
        )
