import math
from collections import Counter

import pytest
import torch

from facestab.baselines.vote import TemporalVote
from tests.baselines.videos import GivenFlow, ShiftFlow, run, video

SIZE = 5, 6


def reference(probs, flow, radius):
    """Votes pixel by pixel: the share of each class, and the winner with ties decided by the middle frame."""
    labels = probs.argmax(1)
    num_frames, num_classes = probs.shape[:2]
    shares, winners = torch.zeros_like(probs), torch.zeros_like(labels)
    for t in range(num_frames):
        for y in range(SIZE[0]):
            for x in range(SIZE[1]):
                votes = Counter([int(labels[t, y, x])])
                for s in range(max(0, t - radius), min(num_frames, t + radius + 1)):
                    if s == t or not flow.visible(t, s)[y, x]:
                        continue
                    dx, dy = flow.flow(t, s)[y, x].tolist()
                    u, v = math.floor(x + dx + 0.5), math.floor(y + dy + 0.5)
                    if 0 <= u < SIZE[1] and 0 <= v < SIZE[0]:
                        votes[int(labels[s, v, u])] += 1
                for k in range(num_classes):
                    shares[t, k, y, x] = votes[k] / votes.total()
                winners[t, y, x] = max(range(num_classes), key=lambda k: (votes[k], float(probs[t, k, y, x])))
    return shares, winners


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_it_is_the_share_of_the_votes_of_the_frames_in_view(radius):
    frames, probs = video(num_frames=6, num_classes=3, size=SIZE)
    flow = GivenFlow(SIZE)
    made = run(TemporalVote(radius, flow), frames, probs, [2, 1, 3])
    shares, winners = reference(probs, flow, radius)
    torch.testing.assert_close(made, shares, atol=2e-3, rtol=0)
    assert torch.equal(made.argmax(1), winners)


def still(labels, num_classes=3):
    """A video of one pixel repeated, with certain labels."""
    frames, _ = video(num_frames=len(labels), size=(4, 4))
    onehot = torch.eye(num_classes)[torch.tensor(labels)]
    return frames, onehot[..., None, None].expand(-1, -1, 4, 4)


def test_a_label_that_leaves_for_one_or_two_frames_is_voted_away():
    made = run(TemporalVote(2, ShiftFlow(0)), *still([1, 1, 1, 2, 1, 1, 1, 0, 0, 1, 1, 1]))
    assert made.argmax(1)[:, 0, 0].tolist() == [1] * 12


def test_a_change_that_stays_comes_when_it_comes():
    made = run(TemporalVote(2, ShiftFlow(0)), *still([1, 1, 1, 1, 2, 2, 2, 2]))
    assert made.argmax(1)[:, 0, 0].tolist() == [1, 1, 1, 1, 2, 2, 2, 2]


def test_the_middle_frame_decides_a_tie():
    frames, probs = still([0, 1])
    probs = probs.clone()
    probs[0] = torch.tensor([0.4, 0.35, 0.25]).view(3, 1, 1)
    probs[1] = torch.tensor([0.1, 0.6, 0.3]).view(3, 1, 1)
    made = run(TemporalVote(1, ShiftFlow(0)), frames, probs)
    assert made.argmax(1)[:, 0, 0].tolist() == [0, 1]
    assert made[:, :2, 0, 0].flatten().tolist() == pytest.approx([0.5] * 4, abs=1e-3)


def test_a_frame_is_decided_as_soon_as_those_after_it_are_there():
    frames, probs = video(num_frames=7)
    smoother = TemporalVote(2, ShiftFlow(0))
    numbers = [len(smoother([frame], probs[t : t + 1])) for t, frame in enumerate(frames)]
    assert numbers == [0, 0, 1, 1, 1, 1, 1]
    rest = smoother.finish()
    assert rest is not None
    assert len(rest) == 2


@pytest.mark.parametrize("radius", [0, -1])
def test_a_radius_below_1_is_refused(radius):
    with pytest.raises(ValueError, match=f"radius: .*got {radius}"):
        TemporalVote(radius, ShiftFlow(0))
