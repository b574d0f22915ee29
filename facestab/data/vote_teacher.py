"""A teacher that lets the frames around vote."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from facestab.data.teacher import Place, Teacher, chunks
from facestab.engines.base import Engine
from facestab.functional.fusion import vote
from facestab.functional.warping import warp_labels
from facestab.video.flow import FlowBackend, VideoFrame, flow_settings


class VoteTeacher:
    """Shares of the votes of the 2 * radius + 1 frames around; the middle frame decides ties. See `vote`.

    Args:
        views: makes the probabilities of a frame; it votes for its most probable class.
        radius: frames on either side, at least 1; at both ends of a video there are fewer.
        flow: the motion from the middle frame to another at the network's size; a frame does not vote where the pixel
            is not visible in it. None takes nothing to move.

    Raises:
        ValueError: for a radius below 1.
    """

    def __init__(self, views: Teacher, radius: int = 2, flow: FlowBackend | None = None) -> None:
        if radius < 1:
            raise ValueError(f"radius: at least 1 is needed, got {radius}")
        self.views = views
        self.radius = radius
        self.flow = flow

    def settings(self) -> dict[str, Any]:
        """See `Teacher`."""
        own = {"radius": self.radius, "flow": flow_settings(self.flow)}
        return {"teacher": "vote", "views": self.views.settings(), **own}

    def probabilities(
        self, engine: Engine, frames: Iterable[np.ndarray], place: Place, batch_size: int
    ) -> Iterator[Tensor]:
        """See `Teacher`."""
        own, given = tee(frames)
        probs = self.views.probabilities(engine, given, place, batch_size)
        numbered = (VideoFrame(place.video, index, pixels_HWC) for index, pixels_HWC in enumerate(own, place.first))
        voters = (_Voter(frame, p, p.max(0).indices) for frame, p in zip(numbered, probs, strict=True))
        for held, core in chunks(voters, 1, self.radius):
            for middle in range(len(held))[core]:
                around = held[max(0, middle - self.radius) : middle + self.radius + 1]
                yield self._decide(held[middle], around)

    @torch.inference_mode()
    def _decide(self, middle: "_Voter", around: Sequence["_Voter"]) -> Tensor:
        """Shares of votes (K, H, W) of one frame."""
        if self.flow is None:
            labels_THW = torch.stack([voter.labels_HW for voter in around])
            return vote(labels_THW, torch.ones_like(labels_THW, dtype=torch.bool), middle.probs_KHW)
        followed = [(middle.labels_HW, torch.ones_like(middle.labels_HW, dtype=torch.bool))]
        for voter in around:
            if voter is not middle:
                motion = self.flow.correspondence(middle.frame, voter.frame)
                labels_HW, in_bounds_HW = warp_labels(voter.labels_HW, torch.from_numpy(motion.flow_HW2))
                followed.append((labels_HW, in_bounds_HW & torch.from_numpy(motion.visible_HW)))
        labels_THW, visible_THW = (torch.stack(maps) for maps in zip(*followed, strict=True))
        return vote(labels_THW, visible_THW, middle.probs_KHW)


class _Voter(NamedTuple):
    frame: VideoFrame
    probs_KHW: Tensor
    labels_HW: Tensor
