"""What metrics see of a video that streams past: windows that repeat as many frames as each metric needs."""

from collections.abc import Mapping

import torch
from torch import Tensor


class Streams:
    """The last frames of several streams of one video.

    A stream that belongs to pairs of frames t, t + gap has `gap` entries less than there are frames.

    Args:
        depths: name of a stream to how many frames before the new ones are wanted of it.
        gaps: name of a stream to its gap; 0 for those that are not named.
    """

    def __init__(self, depths: Mapping[str, int], gaps: Mapping[str, int]) -> None:
        self.depths = depths
        self.gaps = gaps
        self._tails: dict[str, Tensor] = {}

    def push(self, new: Mapping[str, Tensor]) -> None:
        """Add the entries that belong to the next frames; streams without a reader are left out."""
        for name, entries in new.items():
            if name in self.depths:
                before = self._last(self._tails.get(name, entries[:0]), self.depths[name])
                self._tails[name] = torch.cat([before, entries]) if len(before) else entries

    def has(self, names: tuple[str, ...]) -> bool:
        """Whether all of these streams are there."""
        return all(name in self._tails for name in names)

    def window(self, names: tuple[str, ...], num_frames: int) -> tuple[Tensor, ...]:
        """The entries of the last `num_frames` frames of each stream."""
        return tuple(self._last(self._tails[name], num_frames - self.gaps.get(name, 0)) for name in names)

    @staticmethod
    def _last(entries: Tensor, count: int) -> Tensor:
        return entries[max(0, len(entries) - max(0, count)) :]
