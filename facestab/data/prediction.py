"""Whole videos, one data set item each, for prediction."""

from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from facestab.data.videos import VideoItem


class Videos(Dataset[VideoItem | None]):
    """Videos, longest first, so that processes which take turns end at about the same time.

    Args:
        items: the videos.
        world_size: with fewer videos than processes, None items give each process something to iterate over: Lightning
            skips a loop without items, and with it the hook in which the processes add up their metrics.
    """

    def __init__(self, items: list[VideoItem], world_size: int) -> None:
        longest_first = sorted(items, key=lambda item: (-item.num_frames, item.id))
        self.items: list[VideoItem | None] = [*longest_first, *([None] * (world_size - len(items)))]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> VideoItem | None:
        return self.items[index]


class PredictionData(LightningDataModule):
    """The videos to predict; rank r of N takes every Nth.

    Args:
        items: the videos.
    """

    def __init__(self, items: list[VideoItem]) -> None:
        super().__init__()
        self.items = items

    def predict_dataloader(self) -> DataLoader[VideoItem | None]:
        """One video a batch."""
        world_size = self.trainer.world_size if self.trainer is not None else 1
        return DataLoader(Videos(self.items, world_size), batch_size=1, collate_fn=_only)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """A path has no device."""
        return batch


def _only(batch: list[VideoItem | None]) -> VideoItem | None:
    return batch[0]
