import math

import pytest
import torch

from facestab.baselines.ema import Ema
from tests.baselines.videos import run, video


def reference(probs_NKHW, decay):
    mean = probs_NKHW[0].double()
    means = []
    for probs_KHW in probs_NKHW.double():
        mean = decay * mean + (1 - decay) * probs_KHW
        means.append(mean)
    return torch.stack(means)


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.7, 0.99])
def test_it_is_the_moving_average(decay):
    frames, probs = video()
    torch.testing.assert_close(run(Ema(decay), frames, probs).double(), reference(probs, decay), rtol=1e-5, atol=1e-6)


def test_a_hand_made_pixel_follows_with_the_lag_of_its_decay():
    # the first class has 0.9, 0.58, 0.388 at decay 0.6 and 0.9, 0.42, 0.228 at decay 0.4
    probs = torch.tensor([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]).view(3, 2, 1, 1)
    assert run(Ema(0.6), [], probs)[:, 0].flatten().tolist() == pytest.approx([0.9, 0.58, 0.388])
    assert run(Ema(0.4), [], probs)[:, 0].flatten().tolist() == pytest.approx([0.9, 0.42, 0.228])


def test_no_decay_leaves_each_frame_as_it_is():
    frames, probs = video()
    assert torch.equal(run(Ema(0.0), frames, probs), probs)


def test_half_precision_probabilities_are_averaged_in_single_precision():
    # the mean 0.48 + 0.07 * 0.99^n passes 0.5 at n = 125, in steps that float16 would round away
    probs = torch.tensor([0.48, 0.52]).repeat(150, 1).half()
    probs[0] = torch.tensor([0.55, 0.45])
    got = run(Ema(0.99), [], probs.view(150, 2, 1, 1)).argmax(1).flatten()
    assert got.tolist() == [0] * (first := int(got.argmax())) + [1] * (150 - first)
    assert 115 < first < 135


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5, math.nan])
def test_a_decay_outside_its_range_is_refused(decay):
    with pytest.raises(ValueError, match=f"decay: .*got {decay}"):
        Ema(decay)
