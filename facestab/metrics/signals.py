"""What metrics of whole time courses share: they keep a line of numbers for each frame of each video."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from facestab.metrics.counts import VideoMetric

# lines of a block, and what each of them is
_BLOCK = 1024
_UNUSED, _LINE, _FIRST = 0, 1, 2


class SignalMetric(VideoMetric):
    """A metric whose state is a signal over time, one line of numbers a frame, for each video.

    A signal cannot be added up: videos stay apart, and `compute` gives the mean of their values, whichever process saw
    them. `update` of a subclass takes `first`: whether its window begins a video (the default, for whole videos) or
    goes on with the one before.

    Args:
        num_columns: numbers a frame.
        dtype: of the numbers.
        settings: whatever changes what they mean; it becomes part of the states' names (see `CountMetric`).
    """

    context = 0

    def __init__(self, num_columns: int, dtype: torch.dtype = torch.long, settings: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_columns = num_columns
        self.signal_dtype = dtype
        name = f"{type(self).__name__.lower()}{settings}"
        self._signal, self._starts = f"{name}_signal_TC", f"{name}_starts_T"
        self.add_state(self._signal, default=[], dist_reduce_fx="cat")
        self.add_state(self._starts, default=[], dist_reduce_fx="cat")
        self._begins = False

    def add_frames(self, values_TC: Tensor, first: bool) -> None:
        """Append the lines of the next frames; a first window that is too short for a line leaves it to the next."""
        first = first or self._begins
        self._begins = first and not len(values_TC)
        marks_T = torch.full((len(values_TC),), _LINE, dtype=torch.uint8, device=values_TC.device)
        marks_T[:1] = _FIRST if first else _LINE
        done = 0
        while done < len(values_TC):
            lines_TC, kinds_T, used = self._last_block()
            count = min(len(kinds_T) - used, len(values_TC) - done)
            lines_TC[used : used + count] = values_TC[done : done + count]
            kinds_T[used : used + count] = marks_T[done : done + count]
            done += count

    def _last_block(self) -> tuple[Tensor, Tensor, int]:
        """The block that the next lines go to, and how many lines it has."""
        signal, starts = getattr(self, self._signal), getattr(self, self._starts)
        used = int(starts[-1].count_nonzero()) if starts else _BLOCK
        if used == _BLOCK or len(starts[-1]) != _BLOCK:
            # one block for many frames: small pieces that stay would keep the allocator from giving memory back
            signal.append(torch.zeros(_BLOCK, self.num_columns, dtype=self.signal_dtype, device=self.device))
            starts.append(torch.full((_BLOCK,), _UNUSED, dtype=torch.uint8, device=self.device))
            used = 0
        return signal[-1], starts[-1], used

    def signals(self) -> list[Tensor]:
        """The signal (T, C) of every video."""
        if not len(getattr(self, self._signal)):
            return []
        signal_TC, kinds_T = (dim_zero_cat(getattr(self, name)) for name in (self._signal, self._starts))
        signal_TC, kinds_T = signal_TC[kinds_T != _UNUSED], kinds_T[kinds_T != _UNUSED]
        ends = [*(kinds_T == _FIRST).nonzero().flatten().tolist()[1:], len(signal_TC)]
        return list(signal_TC.tensor_split(ends[:-1])) if len(signal_TC) else []

    def mean_over_videos(self, values_VC: list[Tensor]) -> Tensor:
        """Column-wise mean, float64 (C,), without nan; the same to the last bit in any order of the videos."""
        if not values_VC:
            return torch.full((self.num_columns,), torch.nan, dtype=torch.float64)
        # a sorted sum does not depend on the order in which processes deliver
        return torch.stack(values_VC).double().sort(0).values.nanmean(0)

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        # a process without a video takes part in the gathering with no lines of the right width and type
        if isinstance(getattr(self, self._signal), list) and not getattr(self, self._signal):
            empty_TC = torch.zeros(0, self.num_columns, dtype=self.signal_dtype, device=self.device)
            setattr(self, self._signal, [empty_TC])
            setattr(self, self._starts, [torch.zeros(0, dtype=torch.uint8, device=self.device)])
        super()._sync_dist(*args, **kwargs)

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """Add the videos of another metric of this class, which stays as it is."""
        super().merge_state(incoming_state)
        for name in (self._signal, self._starts):
            # blocks are filled in place: they must not be shared
            setattr(self, name, [block.clone() for block in getattr(self, name)])

    def reset(self) -> None:
        """Forget all videos."""
        super().reset()
        self._begins = False
