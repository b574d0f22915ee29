"""What the metrics share: they add up counts and divide once."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class CountMetric(Metric):
    """A metric whose states are int64 counts, so that neither the order nor the split of the input matters.

    Give each subclass state names of its own, and each setting that changes what is counted: a MetricCollection takes
    two metrics whose states have the same names and the same first values, such as zeros, for one and the same.
    """

    is_differentiable = False
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    def add_count(self, name: str, *shape: int) -> None:
        """Declare a state: int64 zeros of the shape, summed over processes."""
        self.add_state(name, default=torch.zeros(shape, dtype=torch.long), dist_reduce_fx="sum")

    def add_to(self, name: str, amount: Tensor) -> None:
        """Add to a state whose name is made of a setting."""
        setattr(self, name, getattr(self, name) + amount)

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """Add the counts of another metric of this class, for instance one video's to the overall ones."""
        super().merge_state(incoming_state)
        # torchmetrics 1.9 keeps the value computed before the merge
        self._computed = None

    @property
    def update_called(self) -> bool:
        """Always true: counts of zero are a value (nan) and no mistake to be warned of."""
        return True


class VideoMetric(CountMetric):
    """A metric over the frames of one video, which may come in windows.

    Attributes:
        context: how many earlier frames a window must repeat before its new ones. With it, overlapping windows give the
            counts of the whole video; a window that is too short adds nothing.
    """

    context: int
