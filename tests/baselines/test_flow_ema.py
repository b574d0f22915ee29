import math

import numpy as np
import pytest
import torch

from facestab.baselines.ema import Ema
from facestab.baselines.flow_ema import FlowEma
from facestab.baselines.resize import resize_frame
from facestab.video.flow import VideoFrame
from tests.baselines.videos import GivenFlow, ShiftFlow, run, video
from tests.functional.references import sample_bilinear

SIZE = 6, 7


def reference(frames, probs, flow, decay, scale):
    """The rule pixel by pixel."""
    made = [probs[0].tolist()]
    for t in range(1, len(frames)):
        now, before = (torch.from_numpy(frames[i].pixels_HWC).double() / 255 for i in (t, t - 1))
        mean = torch.tensor(made[-1])
        motion, visible = flow.flow(t, t - 1), flow.visible(t, t - 1)
        result = probs[t].tolist()
        for y in range(SIZE[0]):
            for x in range(SIZE[1]):
                u, v = x + float(motion[y, x, 0]), y + float(motion[y, x, 1])
                colours = [sample_bilinear(before[..., c], u, v) for c in range(3)]
                if colours[0] is None or not visible[y, x]:
                    continue
                error = sum(abs(float(now[y, x, c]) - colours[c]) for c in range(3)) / 3
                weight = decay * math.exp(-error / scale)
                for k in range(probs.shape[1]):
                    result[k][y][x] = weight * sample_bilinear(mean[k], u, v) + (1 - weight) * result[k][y][x]
        made.append(result)
    return torch.tensor(made)


@pytest.mark.parametrize(("decay", "scale"), [(0.5, 0.2), (0.9, 1.0), (0.8, math.inf), (0.0, 0.1)])
def test_it_is_the_masked_average_along_the_motion(decay, scale):
    frames, probs = video(num_frames=4, num_classes=3, size=SIZE)
    flow = GivenFlow(SIZE)
    made = run(FlowEma(decay, flow, scale), frames, probs, [1, 3])
    torch.testing.assert_close(made, reference(frames, probs, flow, decay, scale), atol=1e-5, rtol=1e-5)
    assert flow.asked == [(1, 0), (2, 1), (3, 2)]


def moving_disc(num_frames=6, speed=3):
    """A disc that is drawn where it is, and the certain labels of it."""
    y, x = np.mgrid[:24, :40]
    masks = [(y - 12) ** 2 + (x - 8 - speed * t) ** 2 < 25 for t in range(num_frames)]
    texture = np.random.default_rng(0).integers(0, 256, (24, 80, 3), dtype=np.uint8)
    frames = [VideoFrame("disc", t, np.roll(texture, speed * t, 1)[:, :40].copy()) for t in range(num_frames)]
    probs = torch.from_numpy(np.stack([[~mask, mask] for mask in masks])).float()
    return frames, probs


def test_what_moves_leaves_no_ghost_where_the_motion_is_known():
    frames, probs = moving_disc()
    followed = run(FlowEma(0.8, ShiftFlow(3)), frames, probs)
    assert torch.equal(followed.argmax(1), probs.argmax(1))
    assert not torch.equal(run(Ema(0.8), frames, probs).argmax(1), probs.argmax(1))


def test_a_flip_of_one_frame_is_smoothed_where_the_motion_is_known():
    frames, probs = moving_disc()
    flipped = probs.clone()
    flipped[3] = flipped[3].flip(0)
    made = run(FlowEma(0.8, ShiftFlow(3)), frames, flipped)
    # the first columns came into the picture with the last frame
    assert torch.equal(made[3].argmax(0)[:, 3:], probs[3].argmax(0)[:, 3:])
    assert torch.equal(made[3].argmax(0)[:, :3], flipped[3].argmax(0)[:, :3])


def test_a_pixel_that_looks_different_is_believed_less():
    probs = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(2, 2, 1, 1).expand(2, 2, 4, 4)
    black, grey = (np.full((4, 4, 3), value, np.uint8) for value in (0, 51))
    for pixels, expected in ((black, 0.8), (grey, 0.8 * math.exp(-1))):
        frames = [VideoFrame("v", 0, black), VideoFrame("v", 1, pixels)]
        made = run(FlowEma(0.8, ShiftFlow(0), photometric_scale=0.2), frames, probs)
        assert made[1, 0].flatten().tolist() == pytest.approx([expected] * 16)


def test_the_flow_is_that_at_the_size_of_the_probabilities():
    frames, probs = video(num_classes=3, size=SIZE, frame_size=(13, 15))
    small = [resize_frame(frame, *SIZE) for frame in frames]
    assert small[0].pixels_HWC.shape == (*SIZE, 3)
    assert (small[0].video, small[0].index) == (frames[0].video, 0)
    flow = GivenFlow(SIZE)
    assert torch.equal(run(FlowEma(0.8, flow), frames, probs), run(FlowEma(0.8, flow), small, probs))


@pytest.mark.parametrize("decay", [-0.1, 1.0, math.nan])
def test_a_decay_outside_its_range_is_refused(decay):
    with pytest.raises(ValueError, match=f"decay: .*got {decay}"):
        FlowEma(decay, ShiftFlow(0))


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan])
def test_a_scale_that_is_not_above_0_is_refused(scale):
    with pytest.raises(ValueError, match=f"photometric_scale: .*got {scale}"):
        FlowEma(0.5, ShiftFlow(0), scale)
