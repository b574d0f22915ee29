"""Labelled still images for the image stage."""

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from facestab.data.loader import TrainingData, check_loading, make_loader
from facestab.data.sampler import SampleKey
from facestab.data.transforms import Augmentation, ignore_labels
from facestab.labels import IGNORE_ID
from facestab.types import ImageBatch


class LabelledImage(NamedTuple):
    """One image with its labels.

    Attributes:
        image_HWC: uint8 RGB.
        labels_HW: uint8 ids, 255 is ignore.
        runner_up_HW: uint8 ids of the second class of a soft label, 255 where the label is; None for hard labels.
        share_HW: float32, 0.5..1, how much of a soft label its first class has; None for hard labels.
    """

    image_HWC: np.ndarray
    labels_HW: np.ndarray
    runner_up_HW: np.ndarray | None = None
    share_HW: np.ndarray | None = None

    def softened(self) -> "LabelledImage":
        """The same with a runner-up and a share: a hard label has all of it."""
        if self.share_HW is not None:
            return self
        return self._replace(runner_up_HW=self.labels_HW, share_HW=np.ones(self.labels_HW.shape, np.float32))


class ImageSplit(ABC):
    """Images with labels, by position.

    Attributes:
        soft: whether some labels are soft.
    """

    soft: bool = False

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> LabelledImage: ...

    def draw(self, position: int, seed: int) -> LabelledImage:
        """What training sees at a position of an epoch; a split that has more images than positions chooses."""
        return self[position]

    def name(self, index: int) -> str:
        """What a person finds the image by."""
        return str(index)


class ImageSet(Protocol):
    """A labelled image data set with the splits train, val and test."""

    def prepare(self) -> None:
        """Make what the splits read, once per machine, and refuse a set that lacks something."""
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
        image = self.split.draw(key.position, key.seed) if self.train else self.split[key.position]
        image = image.softened() if self.split.soft else image
        return augmented(image, self.augment, key.seed if self.train else None, key.is_padding)


def augmented(image: LabelledImage, augment: Augmentation, seed: int | None, is_padding: bool = False) -> ImageBatch:
    """An image augmented, as tensors without the batch axis.

    Args:
        image: the image and its labels.
        augment: what is done to them.
        seed: of every random choice; None: nothing is left to chance.
        is_padding: whether the image only fills up and must not count.
    """
    # ids of both kinds go as labels: a flip exchanges the sides of all of them
    ids = [image.labels_HW] if image.runner_up_HW is None else [image.labels_HW, image.runner_up_HW]
    maps = [] if image.share_HW is None else [image.share_HW]
    if seed is None:
        images, planes, moved = augment.evaluate_maps(image.image_HWC[None], np.stack(ids), maps)
    else:
        images, planes, moved = augment.train_maps(image.image_HWC[None], np.stack(ids), maps, seed)
    labels_HW = ignore_labels(planes[0]) if is_padding else planes[0]
    batch = ImageBatch.hard(to_channels_first(images)[0], torch.from_numpy(labels_HW).long())
    if not moved:
        return batch
    # what was filled with the ignore id has that as its share, too
    share_HW = np.where(labels_HW == IGNORE_ID, np.float32(1), moved[0])
    return batch._replace(runner_up_BHW=torch.from_numpy(planes[1]).long(), share_BHW=torch.from_numpy(share_HW))


def to_channels_first(frames_NHWC: np.ndarray) -> Tensor:
    """uint8 (N, 3, H, W) of uint8 (N, H, W, 3)."""
    return torch.from_numpy(np.ascontiguousarray(frames_NHWC.transpose(0, 3, 1, 2)))


class ImageData(TrainingData):
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
            first_epoch=self.first_epoch,
        )
