"""Teachers that look at the frames around: before the network sees a frame, or after."""

from collections.abc import Iterable, Iterator
from itertools import tee
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facestab.data.teacher import Place, Teacher
from facestab.data.temporal_fusion import TemporalFusion
from facestab.engines.base import Engine


class _AroundTeacher:
    """What both have: another teacher, and how frames around are averaged.

    Args:
        views: makes the probabilities of a frame.
        fusion: averages over frames.
    """

    name: str

    def __init__(self, views: Teacher, fusion: TemporalFusion) -> None:
        self.views = views
        self.fusion = fusion

    def settings(self) -> dict[str, Any]:
        """See `Teacher`."""
        return {"teacher": self.name, "views": self.views.settings(), **self.fusion.settings()}


class FusedTeacher(_AroundTeacher):
    """Averages each frame's probabilities with those of the frames around."""

    name = "fused"

    def probabilities(
        self, engine: Engine, frames: Iterable[np.ndarray], place: Place, batch_size: int
    ) -> Iterator[Tensor]:
        """See `Teacher`."""
        own, given = tee(frames)
        yield from self.fusion(own, self.views.probabilities(engine, given, place, batch_size), place)


class DenoisedTeacher(_AroundTeacher):
    """Averages the frames themselves before the network sees them: noise and the codec's damage change, the face stays.

    An image model sees best what is as clean as its stills.
    """

    name = "denoised"

    def probabilities(
        self, engine: Engine, frames: Iterable[np.ndarray], place: Place, batch_size: int
    ) -> Iterator[Tensor]:
        """See `Teacher`."""
        yield from self.views.probabilities(engine, self._denoised(frames, place), place, batch_size)

    def _denoised(self, frames: Iterable[np.ndarray], place: Place) -> Iterator[np.ndarray]:
        own, given = tee(frames)
        maps = (torch.from_numpy(frame_HWC).permute(2, 0, 1).float() for frame_HWC in given)
        for mean_CHW in self.fusion(own, maps, place):
            yield mean_CHW.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
