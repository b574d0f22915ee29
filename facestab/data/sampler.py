"""Which samples a process sees, in which order, with which random draw."""

from collections.abc import Iterator, Sized
from typing import NamedTuple, cast

import numpy as np
from torch.utils.data import Dataset, DistributedSampler


class SampleKey(NamedTuple):
    """What a sampler hands to a data set.

    Attributes:
        position: in the data set.
        seed: of every random choice for this sample; it depends on the run's seed, the epoch and the position alone,
            so neither the number of workers nor albumentations' own generator (which repeats itself in workers,
            albumentations issue 2559) has a say.
        is_padding: a repetition that only fills up the last rank's share; it must not count.
    """

    position: int
    seed: int
    is_padding: bool = False


class SeededSampler(DistributedSampler[SampleKey]):
    """Shares a data set among the ranks and gives each sample its seed.

    Every rank gets the same number of samples: in training and validation DistributedDataParallel synchronises
    buffers in each forward pass, so that uneven shares would hang. The samples that fill up are marked.

    Args:
        dataset: anything with a length.
        seed: the run's seed.
        shuffle: whether the order changes from epoch to epoch.
        num_replicas: number of processes.
        rank: of this process.
    """

    def __init__(self, dataset: Sized, seed: int, shuffle: bool, num_replicas: int = 1, rank: int = 0) -> None:
        assert isinstance(dataset, Dataset)
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, shuffle=shuffle, seed=seed)
        self.num_items = len(dataset)

    def __iter__(self) -> Iterator[SampleKey]:
        positions = cast("Iterator[int]", super().__iter__())
        for turn, position in enumerate(positions):
            seed = np.random.SeedSequence((self.seed, self.epoch if self.shuffle else 0, position)).generate_state(1)
            is_padding = turn * self.num_replicas + self.rank >= self.num_items
            yield SampleKey(position, int(seed[0]), is_padding)
