"""The vote of the frames around: what one can do when the whole video is there."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from facestab.baselines.resize import resize_frame
from facestab.functional.warping import warp_labels
from facestab.video.flow import FlowBackend, VideoFrame

# below half a vote: it decides ties and nothing else
_TIE_BREAK = 1e-3


class _Seen(NamedTuple):
    frame: VideoFrame
    probs_KHW: Tensor
    labels_HW: Tensor


class TemporalVote:
    """Each pixel takes the class that most of the 2 * radius + 1 frames around give it, followed along the motion.

    The labels of the other frames are warped onto the middle one by nearest neighbour; where a pixel is not visible in
    a frame, that frame does not vote. The result is each class's share of the votes. The middle frame's own
    probabilities, times a thousandth of a vote, decide ties. At both ends of the video there are fewer voters. It looks
    `radius` frames ahead.

    Args:
        radius: frames on either side, at least 1.
        flow: finds the motion from the middle frame to another, up to `radius` frames away.

    Raises:
        ValueError: for a radius below 1.
    """

    every_frame = True
    needs_frames = True

    def __init__(self, radius: int, flow: FlowBackend) -> None:
        if radius < 1:
            raise ValueError(f"radius: at least 1 is needed, got {radius}")
        self.radius = radius
        self.flow = flow
        self.reset()

    def reset(self) -> None:
        """Forget the video."""
        self._seen: deque[_Seen] = deque(maxlen=2 * self.radius + 1)
        # of the frames in view, how many have their vote behind them
        self._num_decided = 0

    @torch.no_grad()
    def __call__(self, frames: Sequence[VideoFrame], probs_NKHW: Tensor) -> Tensor:
        """Shares of votes of the frames that have `radius` frames behind them by now; see `Smoother`."""
        decided = [torch.empty_like(probs_NKHW[:0], dtype=torch.float32)]
        for frame, probs_KHW in zip(frames, probs_NKHW, strict=True):
            self._add(frame, probs_KHW.float())
            if len(self._seen) - self._num_decided > self.radius:
                decided.append(self._decide()[None])
        return torch.cat(decided)

    @torch.no_grad()
    def finish(self) -> Tensor | None:
        """The last frames, by the votes of those that there are."""
        decided = []
        while self._num_decided < len(self._seen):
            decided.append(self._decide())
        self.reset()
        return torch.stack(decided) if decided else None

    def _add(self, frame: VideoFrame, probs_KHW: Tensor) -> None:
        if len(self._seen) == self._seen.maxlen:
            self._num_decided -= 1
        small = resize_frame(frame, *probs_KHW.shape[1:])
        self._seen.append(_Seen(small, probs_KHW.clone(), probs_KHW.argmax(0)))

    def _decide(self) -> Tensor:
        """The shares (K, H, W) of the next frame."""
        middle = self._num_decided
        self._num_decided += 1
        probs_KHW = self._seen[middle].probs_KHW
        votes_KHW = _TIE_BREAK * probs_KHW
        for position in range(max(0, middle - self.radius), min(len(self._seen), middle + self.radius + 1)):
            labels_HW, visible_HW = self._followed(middle, position)
            # a label that is ignored has no place among the classes, and no vote
            votes_HWK = one_hot(torch.where(visible_HW, labels_HW, 0), len(probs_KHW)) * visible_HW[..., None]
            votes_KHW = votes_KHW + votes_HWK.movedim(-1, 0)
        return votes_KHW / votes_KHW.sum(0)

    def _followed(self, middle: int, position: int) -> tuple[Tensor, Tensor]:
        """Labels (H, W) of one frame in view on the grid of another, and where they are seen there."""
        labels_HW = self._seen[position].labels_HW
        if position == middle:
            return labels_HW, torch.ones_like(labels_HW, dtype=torch.bool)
        motion = self.flow.correspondence(self._seen[middle].frame, self._seen[position].frame)
        warped_HW, in_bounds_HW = warp_labels(labels_HW, torch.from_numpy(motion.flow_HW2).to(labels_HW.device))
        return warped_HW, in_bounds_HW & torch.from_numpy(motion.visible_HW).to(labels_HW.device)
