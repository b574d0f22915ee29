"""Videos for smoothers: a textured picture that moves, and probabilities that flicker."""

import numpy as np
import torch

from facestab.functional.warping import visible_mask
from facestab.video.flow import Correspondence, VideoFrame


def video(num_frames=7, num_classes=4, size=(20, 24), frame_size=None, seed=0):
    """Frames of `frame_size` (that of the probabilities when None) that move by one pixel, and probabilities."""
    rng = np.random.default_rng(seed)
    height, width = frame_size or size
    texture = rng.integers(0, 256, (height, width + num_frames, 3), dtype=np.uint8)
    frames = [VideoFrame(f"v{seed}", t, np.ascontiguousarray(texture[:, t : t + width])) for t in range(num_frames)]
    generator = torch.Generator().manual_seed(seed)
    return frames, torch.randn(num_frames, num_classes, *size, generator=generator).softmax(1)


def run(smoother, frames, probs, sizes=None):
    """All that a smoother makes of a video that comes in batches of these sizes."""
    made, start = [], 0
    for size in sizes or [len(probs)]:
        made.append(smoother(frames[start : start + size], probs[start : start + size]))
        start += size
    rest = smoother.finish()
    return torch.cat([*made, *([] if rest is None else [rest])])


class GivenFlow:
    """Motion that is known: a flow for every pair of frame numbers, its reverse for the pair turned round."""

    name = "given"

    def __init__(self, size, seed=0, reach=2.0):
        self.size = size
        self.seed = seed
        self.reach = reach
        self.asked = []

    def flow(self, a, b):
        rng = np.random.default_rng((self.seed, a, b))
        return rng.uniform(-self.reach, self.reach, (*self.size, 2)).astype(np.float32)

    def visible(self, a, b):
        return np.random.default_rng((self.seed, b, a, 1)).random(self.size) < 0.7

    def correspondence(self, frame_a, frame_b):
        assert frame_a.pixels_HWC.shape[:2] == frame_b.pixels_HWC.shape[:2] == self.size
        self.asked.append((frame_a.index, frame_b.index))
        return Correspondence(self.flow(frame_a.index, frame_b.index), self.visible(frame_a.index, frame_b.index))


class ShiftFlow:
    """Everything moves by (dx, dy) pixels from one frame to the next; what leaves the picture is not visible."""

    name = "shift"

    def __init__(self, dx, dy=0):
        self.step = dx, dy

    def correspondence(self, frame_a, frame_b):
        height, width = frame_a.pixels_HWC.shape[:2]
        count = frame_b.index - frame_a.index
        flow = torch.tensor([count * self.step[0], count * self.step[1]], dtype=torch.float32).expand(height, width, 2)
        return Correspondence(flow.numpy().copy(), visible_mask(flow, -flow).numpy())
