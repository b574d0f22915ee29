import pytest
import torch

from facestab.baselines.frozen import FrozenFirst


def video(num_frames=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(256, (num_frames, 3, 4, 5), generator=generator, dtype=torch.uint8)
    return frames, torch.randn(num_frames, 6, 4, 5, generator=generator).softmax(1)


@pytest.mark.parametrize("sizes", [[5], [1] * 5, [2, 3], [0, 4, 1]])
def test_every_frame_gets_the_labels_of_the_first_however_the_video_is_split(sizes):
    frames, probs = video()
    smoother = FrozenFirst()
    got = torch.cat([smoother(f, p) for f, p in zip(frames.split(sizes), probs.split(sizes), strict=True)])
    assert got.dtype == torch.uint8
    assert got.tolist() == [probs[0].argmax(0).tolist()] * 5


def test_reset_starts_another_video_afresh():
    smoother = FrozenFirst()
    smoother(*video(seed=0))
    smoother.reset()
    assert torch.equal(smoother(*video(seed=1)), FrozenFirst()(*video(seed=1)))


def test_writing_into_the_labels_does_not_reach_later_frames():
    frames, probs = video()
    smoother = FrozenFirst()
    smoother(frames[:2], probs[:2]).fill_(99)
    smoother(frames[2:4], probs[2:4]).fill_(99)
    assert smoother(frames[4:], probs[4:]).tolist() == [probs[0].argmax(0).tolist()]
