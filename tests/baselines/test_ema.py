import math

import pytest
import torch

from facestab.baselines.ema import Ema


def video(num_frames=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(256, (num_frames, 3, 4, 5), generator=generator, dtype=torch.uint8)
    return frames, torch.randn(num_frames, 6, 4, 5, generator=generator).softmax(1)


def reference(probs_NKHW, decay):
    mean = probs_NKHW[0].double()
    labels = []
    for probs_KHW in probs_NKHW.double():
        mean = decay * mean + (1 - decay) * probs_KHW
        labels.append(mean.argmax(0))
    return torch.stack(labels)


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.7, 0.99])
def test_labels_are_the_argmax_of_the_moving_average(decay):
    frames, probs = video()
    got = Ema(decay)(frames, probs)
    assert got.dtype == torch.uint8
    assert got.tolist() == reference(probs, decay).tolist()


def test_a_hand_made_pixel_follows_with_the_lag_of_its_decay():
    # the first class has 0.9, 0.58, 0.388 at decay 0.6 and 0.9, 0.42, 0.228 at decay 0.4
    probs = torch.tensor([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]).view(3, 2, 1, 1)
    frames = torch.zeros(3, 3, 1, 1, dtype=torch.uint8)
    assert Ema(0.6)(frames, probs).flatten().tolist() == [0, 0, 1]
    assert Ema(0.4)(frames, probs).flatten().tolist() == [0, 1, 1]


def test_no_decay_leaves_the_argmax_of_each_frame():
    frames, probs = video()
    assert torch.equal(Ema(0.0)(frames, probs).long(), probs.argmax(1))


@pytest.mark.parametrize("sizes", [[1] * 7, [3, 4], [2, 0, 5], [0, 7]])
def test_the_split_into_batches_does_not_matter(sizes):
    frames, probs = video()
    smoother = Ema(0.8)
    parts = [smoother(f, p) for f, p in zip(frames.split(sizes), probs.split(sizes), strict=True)]
    assert torch.equal(torch.cat(parts), Ema(0.8)(frames, probs))


def test_reset_starts_another_video_afresh():
    smoother = Ema(0.9)
    smoother(*video(seed=0))
    smoother.reset()
    assert torch.equal(smoother(*video(seed=1)), Ema(0.9)(*video(seed=1)))


def test_the_probabilities_are_left_as_they_were():
    frames, probs = video()
    before = probs.clone()
    Ema(0.5)(frames, probs)
    assert torch.equal(probs, before)


def test_half_precision_probabilities_are_averaged_in_single_precision():
    # the mean 0.48 + 0.07 * 0.99^n passes 0.5 at n = 125, in steps that float16 would round away
    probs = torch.tensor([0.48, 0.52]).repeat(150, 1).half()
    probs[0] = torch.tensor([0.55, 0.45])
    got = Ema(0.99)(torch.zeros(150, 3, 1, 1, dtype=torch.uint8), probs.view(150, 2, 1, 1)).flatten()
    assert got.tolist() == [0] * (first := int(got.argmax())) + [1] * (150 - first)
    assert 115 < first < 135


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5, math.nan])
def test_a_decay_outside_its_range_is_refused(decay):
    with pytest.raises(ValueError, match=f"decay: .*got {decay}"):
        Ema(decay)
