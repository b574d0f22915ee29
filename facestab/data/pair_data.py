"""The data module of the temporal stage."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from facestab.data.flow_store import FlowStore
from facestab.data.frame_store import FrameStore
from facestab.data.images import ImageData
from facestab.data.loader import TrainingData, check_loading, make_loader
from facestab.data.pairs import FramePairs, TemporalSamples, check_gaps
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.still_pairs import StillPairs
from facestab.data.transforms import Augmentation
from facestab.data.videos import VideoItem, VideoSet, training_videos
from facestab.data.windows import check_windows
from facestab.types import SPLITS


class FramePairData(TrainingData):
    """Pseudo-labelled pairs and labelled images to train on; pairs and labelled images to validate on.

    Args:
        videos: the video set.
        images: labelled images: those that stand beside the pairs, and those whose accuracy guards the training.
        store: labels for every frame.
        augment: what training does to a pair.
        batch_size: pairs per step and process.
        gaps: frames from the first of a pair to the second; see `FramePairs`.
        stride: frames from one pair to the next in training; validation takes every pair.
        splits: whose videos training learns from. That takes no labels, so that the videos that are to be segmented may
            be among them; true labels that those have are never used.
        flows: the motion between them, None for none.
        only_agreeing: ignore the labels of a pixel whose two labels differ.
        image_augment: what training does to a labelled image and to pairs of stills.
        images_per_pair: labelled images beside each pair, 0 or more.
        still_share: share of the pairs that are made of one labelled image each; see `StillPairs`.
        num_workers: loader processes.
        seed: of order and augmentation.
        backend: auto, decord or pyav.
        decoded: keeps decoded frames and labels; None: they are decoded at every use.

    Raises:
        ValueError: for a batch size, gap or stride below 1, a share outside 0..1, fewer than 0 workers or images, or a
            split that there is not.
    """

    def __init__(
        self,
        videos: VideoSet,
        images: ImageData,
        store: PseudoLabelStore,
        augment: Augmentation,
        batch_size: int,
        gaps: Sequence[int] = (1,),
        stride: int = 1,
        splits: Sequence[str] = ("train",),
        flows: FlowStore | None = None,
        only_agreeing: bool = False,
        image_augment: Augmentation | None = None,
        images_per_pair: int = 0,
        still_share: float = 0.0,
        num_workers: int = 0,
        seed: int = 0,
        backend: str = "auto",
        decoded: FrameStore | None = None,
    ) -> None:
        super().__init__()
        check_loading(batch_size, num_workers)
        check_gaps(gaps)
        check_windows(min(gaps) + 1, stride)
        if not splits or set(splits) - set(SPLITS):
            raise ValueError(f"splits: one or more of {', '.join(SPLITS)} are needed, got {list(splits)}")
        if images_per_pair < 0:
            raise ValueError(f"images_per_pair: 0 or more images are needed, got {images_per_pair}")
        if not 0 <= still_share <= 1:
            raise ValueError(f"still_share: a share from 0 to 1 is needed, got {still_share}")
        self.videos = videos
        self.images = images
        self.store = store
        self.augment = augment
        self.batch_size = batch_size
        self.gaps = list(gaps)
        self.stride = stride
        self.splits = list(splits)
        self.flows = flows
        self.only_agreeing = only_agreeing
        self.image_augment = image_augment or images.augment
        self.images_per_pair = images_per_pair
        self.still_share = still_share
        self.num_workers = num_workers
        self.seed = seed
        self.backend = backend
        self.decoded = decoded

    def prepare_data(self) -> None:
        """Called by Lightning on one process."""
        self.videos.prepare()
        self.images.prepare_data()

    def setup(self, stage: str) -> None:
        """Label what has no labels yet, and find its motion; every process takes its share."""
        assert self.trainer is not None
        self.images.trainer = self.trainer
        train, val = training_videos(self.videos, self.splits), self.videos.split("val")
        place = self.trainer.global_rank, self.trainer.world_size
        self.store.fill(self._once([*train, *val]), self.trainer.strategy.root_device, *place)
        # without those that cannot be read to their end
        items = self._once([*self.store.usable(train), *self.store.usable(val)])
        if self.decoded is not None:
            self.decoded.fill(items, self.store, *place)
        if self.flows is not None:
            self.flows.fill(items, self.gaps, *place)

    def _once(self, items: Sequence[VideoItem]) -> list[VideoItem]:
        """Without the second of those that train and validate."""
        return list({self.store.path(item): item for item in items}.values())

    def class_share(self) -> np.ndarray:
        """Each class's share of the labelled pixels of the training videos, float64 (K,)."""
        pixels_K = self.store.class_pixels(self.store.usable(training_videos(self.videos, self.splits)))
        share_K: np.ndarray = pixels_K / max(pixels_K.sum(), 1)
        return share_K

    def pairs(self, train: bool) -> FramePairs:
        """The pairs that training learns from, or those of the validation videos."""
        items = training_videos(self.videos, self.splits) if train else self.videos.split("val")
        return FramePairs(
            self.store.usable(items),
            self.store,
            self.augment,
            train,
            gaps=self.gaps,
            stride=self.stride if train else 1,
            flows=self.flows,
            only_agreeing=self.only_agreeing,
            backend=self.backend,
            decoded=self.decoded,
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Pairs of the training videos with labelled images beside them, in an order that changes."""
        labelled = self.images.dataset.split("train")
        stills = StillPairs(labelled, self.image_augment)
        samples = TemporalSamples(
            self.pairs(train=True),
            labelled,
            self.image_augment,
            self.images_per_pair,
            stills,
            self.still_share,
        )
        return self._loader(samples, shuffle=True)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Pairs of the validation videos, and the labelled validation images."""
        return [self._loader(self.pairs(train=False), shuffle=False), self.images.val_dataloader()]

    def _loader(self, samples: Any, shuffle: bool) -> DataLoader[Any]:
        return make_loader(
            samples,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            seed=self.seed,
            shuffle=shuffle,
            trainer=self.trainer,
            first_epoch=self.first_epoch,
        )
