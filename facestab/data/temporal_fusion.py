"""Averages over the frames around: of frames, or of what a network says of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from facestab.data.teacher import Place, chunks
from facestab.functional.fusion import fuse, photometric_weight
from facestab.functional.warping import warp_bilinear
from facestab.video.flow import FlowBackend, VideoFrame, flow_settings


class TemporalFusion:
    """Each frame's map averaged with those of the frames around, followed along the motion; see `fuse`.

    A video is taken in chunks. What lies more than `reach` frames beyond a chunk is left out, which changes the frames
    at its ends by at most decay^(reach + 1): 0.0023 for 0.7 and 16.

    Args:
        decay: weight of a frame per frame of distance, 0 up to, but not including, 1.
        reach: frames beyond a chunk that are looked at, at least 1.
        photometric_scale: difference of the pictures in grey levels of 255 above which a frame is hardly believed; see
            `photometric_weight`. None believes all.
        flow: the motion between adjacent frames at the network's size; None takes nothing to move, and leaves it to the
            photometric weight to notice.
        chunk: frames that are fused at once, at least 1: what memory allows, with 2 * reach more.

    Raises:
        ValueError: when decay, reach, photometric_scale or chunk is outside its range.
    """

    def __init__(
        self,
        decay: float = 0.7,
        reach: int = 16,
        photometric_scale: float | None = 12.0,
        flow: FlowBackend | None = None,
        chunk: int = 64,
    ) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay: 0 <= decay < 1 is needed, got {decay}")
        if reach < 1 or chunk < 1:
            raise ValueError(f"reach, chunk: at least 1 frame is needed, got {reach}, {chunk}")
        if photometric_scale is not None and not photometric_scale > 0:
            raise ValueError(f"photometric_scale: above 0, or null, is needed, got {photometric_scale}")
        self.decay = decay
        self.reach = reach
        self.photometric_scale = photometric_scale
        self.flow = flow
        self.chunk = chunk

    def settings(self) -> dict[str, Any]:
        """What decides the result, as primitives."""
        own = {name: getattr(self, name) for name in ("decay", "reach", "photometric_scale", "chunk")}
        return {**own, "flow": flow_settings(self.flow)}

    def __call__(self, frames: Iterable[np.ndarray], maps: Iterable[Tensor], place: Place) -> Iterator[Tensor]:
        """The averaged maps, one for each frame, in order.

        Args:
            frames: of one shot, uint8 (H, W, 3) RGB, in order.
            maps: float (C, H, W) of each frame.
            place: where the shot begins, for flow that is known.
        """
        for held, core in chunks(self._linked(frames, maps, place), self.chunk, self.reach):
            yield from self._fuse(held)[core]

    def _linked(self, frames: Iterable[np.ndarray], maps: Iterable[Tensor], place: Place) -> Iterator["_Linked"]:
        """The frames' maps with the motion between each and the one before, which is thus found once."""
        before: VideoFrame | None = None
        for index, (pixels_HWC, map_CHW) in enumerate(zip(frames, maps, strict=True), place.first):
            frame = VideoFrame(place.video, index, pixels_HWC)
            links = (self._motion(frame, before), self._motion(before, frame)) if before is not None else None
            yield _Linked(map_CHW, links)
            before = frame

    @torch.inference_mode()
    def _motion(self, frame_a: VideoFrame, frame_b: VideoFrame) -> "_Motion":
        a_CHW, b_CHW = (torch.from_numpy(frame.pixels_HWC).permute(2, 0, 1).float() for frame in (frame_a, frame_b))
        weight_HW, flow_HW2 = torch.ones(a_CHW.shape[1:]), None
        if self.flow is not None:
            found = self.flow.correspondence(frame_a, frame_b)
            flow_HW2 = torch.from_numpy(found.flow_HW2)
            b_CHW, in_bounds_HW = warp_bilinear(b_CHW, flow_HW2)
            b_CHW = torch.where(in_bounds_HW, b_CHW, a_CHW)
            weight_HW = (torch.from_numpy(found.visible_HW) & in_bounds_HW).float()
        if self.photometric_scale is not None:
            weight_HW = weight_HW * photometric_weight(a_CHW, b_CHW, self.photometric_scale)
        return _Motion(weight_HW, flow_HW2)

    @torch.inference_mode()
    def _fuse(self, held: Sequence["_Linked"]) -> Tensor:
        # what links the first frame to the one before it leads out of what is held
        links = [item.links for item in held[1:] if item.links is not None]
        (previous_flow, previous_weight), (next_flow, next_weight) = (
            _stacks([link[direction] for link in links]) for direction in (0, 1)
        )
        maps = [item.map_CHW for item in held]
        return fuse(maps, previous_flow, previous_weight, next_flow, next_weight, self.decay)


class _Motion(NamedTuple):
    weight_HW: Tensor
    flow_HW2: Tensor | None


def _stacks(motions: Sequence[_Motion]) -> tuple[list[Tensor] | None, list[Tensor]]:
    """Flows, None where there are none, and weights, as `fuse` takes them."""
    flows = [motion.flow_HW2 for motion in motions if motion.flow_HW2 is not None]
    return flows or None, [motion.weight_HW for motion in motions]


class _Linked(NamedTuple):
    map_CHW: Tensor
    # to the frame before and from it; None for the first frame
    links: tuple[_Motion, _Motion] | None
