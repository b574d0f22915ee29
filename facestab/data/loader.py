"""Data loaders as both training data modules make them."""

from typing import Any

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader, Dataset

from facestab.data.sampler import SeededSampler


def check_loading(batch_size: int, num_workers: int) -> None:
    """Refuse what no loader can do.

    Raises:
        ValueError: for a batch size below 1 or fewer than 0 workers.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if num_workers < 0:
        raise ValueError(f"num_workers must not be negative, got {num_workers}")


class TrainingData(LightningDataModule):
    """Data whose order goes on where a checkpoint was saved.

    Lightning tells samplers the epoch after it has made the iterator, when workers have fetched the first samples of a
    run that goes on, in the order of epoch 0.

    Attributes:
        first_epoch: the first that will be asked for.
    """

    first_epoch = 0

    def state_dict(self) -> dict[str, Any]:
        """Called by Lightning at the end of an epoch."""
        return {"first_epoch": self.trainer.current_epoch + 1 if self.trainer is not None else 0}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Called by Lightning before it asks for loaders."""
        self.first_epoch = state_dict["first_epoch"]


def make_loader(
    dataset: Dataset[Any],
    *,
    batch_size: int,
    num_workers: int,
    seed: int,
    shuffle: bool,
    trainer: Trainer | None,
    first_epoch: int = 0,
) -> DataLoader[Any]:
    """A loader whose samples carry their seeds, sharded over the trainer's processes."""
    world_size, rank = (trainer.world_size, trainer.global_rank) if trainer is not None else (1, 0)
    assert hasattr(dataset, "__len__")
    sampler = SeededSampler(dataset, seed=seed, shuffle=shuffle, num_replicas=world_size, rank=rank)
    sampler.set_epoch(first_epoch)
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
        # of the workers' own seeds: the global generator is for the network, whatever the number of workers
        generator=torch.Generator().manual_seed(seed),
        # decord can hang on a broken file: better an error than a silent night
        timeout=300 if num_workers > 0 else 0,
    )
