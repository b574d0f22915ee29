"""Labelled still images for the image stage."""

from typing import Protocol

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from facestab.data.loader import check_loading, make_loader
from facestab.data.sampler import SampleKey
from facestab.data.transforms import Augmentation, ignore_labels
from facestab.types import ImageBatch


class ImageSplit(Protocol):
    """Images with labels, by position."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """uint8 image (H, W, 3) RGB and uint8 labels (H, W)."""
        ...


class ImageSet(Protocol):
    """A labelled image data set with the splits train, val and test."""

    def prepare(self) -> None:
        """Make what the splits read, once per machine."""
        ...

    def split(self, name: str) -> ImageSplit:
        """The images of one split."""
        ...


class LabelledImages(Dataset[ImageBatch]):
    """A split with its augmentation.

    Args:
        split: where images and labels come from.
        augment: resizing, cropping and, in training, augmentation.
        train: whether chance has a say.
    """

    def __init__(self, split: ImageSplit, augment: Augmentation, train: bool) -> None:
        self.split = split
        self.augment = augment
        self.train = train

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, key: SampleKey) -> ImageBatch:
        image_HWC, labels_HW = self.split[key.position]
        pair = image_HWC[None], labels_HW[None]
        images, labels = self.augment.train(*pair, key.seed) if self.train else self.augment.evaluate(*pair)
        if key.is_padding:
            labels = ignore_labels(labels)
        return ImageBatch(to_channels_first(images)[0], torch.from_numpy(labels[0]).long())


def to_channels_first(frames_NHWC: np.ndarray) -> Tensor:
    """uint8 (N, 3, H, W) of uint8 (N, H, W, 3)."""
    return torch.from_numpy(np.ascontiguousarray(frames_NHWC.transpose(0, 3, 1, 2)))


class ImageData(LightningDataModule):
    """Loaders over a labelled image set.

    Args:
        dataset: the images.
        augment: what training does to them.
        batch_size: images per step and process.
        num_workers: loader processes.
        seed: of order and augmentation.

    Raises:
        ValueError: for a batch size below 1 or fewer than 0 workers.
    """

    def __init__(
        self, dataset: ImageSet, augment: Augmentation, batch_size: int, num_workers: int = 0, seed: int = 0
    ) -> None:
        super().__init__()
        check_loading(batch_size, num_workers)
        self.dataset = dataset
        self.augment = augment
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed

    def prepare_data(self) -> None:
        """Called by Lightning on one process."""
        self.dataset.prepare()

    def train_dataloader(self) -> DataLoader[ImageBatch]:
        """Augmented, in an order that changes from epoch to epoch."""
        return self._loader("train", train=True)

    def val_dataloader(self) -> DataLoader[ImageBatch]:
        """As they are."""
        return self._loader("val", train=False)

    def test_dataloader(self) -> DataLoader[ImageBatch]:
        """As they are."""
        return self._loader("test", train=False)

    def _loader(self, split: str, train: bool) -> DataLoader[ImageBatch]:
        dataset = LabelledImages(self.dataset.split(split), self.augment, train)
        return make_loader(
            dataset,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            seed=self.seed,
            shuffle=train,
            trainer=self.trainer,
        )
