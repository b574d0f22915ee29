import torch

from facestab.baselines.frozen import FrozenFirst
from tests.baselines.videos import run, video


def test_every_frame_gets_the_probabilities_of_the_first():
    frames, probs = video(num_frames=5)
    assert run(FrozenFirst(), frames, probs, [0, 2, 3]).tolist() == [probs[0].tolist()] * 5


def test_a_batch_without_frames_leaves_the_video_unbegun():
    frames, probs = video()
    smoother = FrozenFirst()
    smoother(frames[:0], probs[:0])
    assert torch.equal(smoother(frames[3:4], probs[3:4]), probs[3:4])
