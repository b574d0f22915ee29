"""Adjacent frame pairs with pseudo labels for the temporal stage."""

import numpy as np
from torch.utils.data import DataLoader

from facestab.data.images import ImageData
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.transforms import Augmentation
from facestab.data.videos import VideoItem, VideoSet
from facestab.data.windows import FrameWindowData, FrameWindows
from facestab.types import FramePairBatch


class FramePairs(FrameWindows):
    """Every two adjacent frames of each video; no pair crosses a video's end (patent S220, S560).

    Args:
        items: the videos; those with fewer than two frames give no pair.
        store: their labels.
        augment: one geometry for both frames and their labels, photometric damage for each frame.
        train: whether chance has a say.
        backend: auto, decord or pyav.

    Raises:
        FacestabError: when there is no pair at all.
    """

    def __init__(
        self, items: list[VideoItem], store: PseudoLabelStore, augment: Augmentation, train: bool, backend: str = "auto"
    ) -> None:
        super().__init__(items, store, augment, train, window=2, backend=backend)

    def read(self, video: int, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Frames uint8 (2, H, W, 3) and labels uint8 (2, H, W), by decord where it is exact."""
        return self.sources[video].pair(frame), self.labels[video].pair(frame)


class FramePairData(FrameWindowData):
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
        shared = {"num_workers": num_workers, "seed": seed}
        super().__init__(videos, store, augment, batch_size, window=2, backend=backend, **shared)
        self.images = images

    def prepare_data(self) -> None:
        """Called by Lightning on one process."""
        super().prepare_data()
        self.images.prepare_data()

    def setup(self, stage: str) -> None:
        """Label what has no labels yet; every process takes its share."""
        super().setup(stage)
        self.images.trainer = self.trainer

    def windows(self, split: str) -> FramePairs:
        """The pairs of one split; chance has a say in training alone."""
        return FramePairs(self.videos.split(split), self.store, self.augment, split == "train", self.backend)

    def val_dataloader(self) -> DataLoader[FramePairBatch] | list[DataLoader]:
        """Pairs of the validation videos, then labelled validation images."""
        return [self.loader("val", shuffle=False), self.images.val_dataloader()]
