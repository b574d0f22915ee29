import math

import pytest
import torch

from facestab.baselines.blend import UncertaintyBlend, uncertainty
from tests.baselines.videos import run, video


def published(new, previous, ratio):
    """The rule for one pixel of one mask, as MediaPipe's calculator writes it."""
    x = (new - 0.5) * (new - 0.5)
    c1, c2, c3, c4, c5 = 5.68842, -0.748699, -57.8051, 291.309, -624.717
    doubt = 1.0 - min(1.0, x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * c5)))))
    return new + (previous - new) * (doubt * ratio)


@pytest.mark.parametrize("ratio", [0.0, 0.7, 0.9, 1.0])
def test_with_two_classes_it_is_the_published_rule(ratio):
    frames, probs = video(num_classes=2, size=(6, 7))
    made = run(UncertaintyBlend(ratio), frames, probs, [2, 5])
    for y in range(6):
        for x in range(7):
            mask = float(probs[0, 1, y, x])
            for t in range(len(frames)):
                mask = published(float(probs[t, 1, y, x]), mask, ratio)
                assert made[t, :, y, x].tolist() == pytest.approx([1 - mask, mask], abs=2e-5)


def test_with_more_classes_each_mask_is_smoothed_so_and_a_pixel_adds_up_to_one():
    frames, probs = video(num_classes=4, size=(5, 4))
    made = run(UncertaintyBlend(0.9), frames, probs)
    for y in range(5):
        for x in range(4):
            masks = probs[0, :, y, x].tolist()
            for t in range(len(frames)):
                masks = [published(float(new), old, 0.9) for new, old in zip(probs[t, :, y, x], masks, strict=True)]
                masks = [mask / sum(masks) for mask in masks]
                assert made[t, :, y, x].tolist() == pytest.approx(masks, abs=2e-5)


def test_the_polynomial_is_close_to_the_squared_entropy():
    probs = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    entropy = -(probs * probs.log2() + (1 - probs) * (1 - probs).log2())
    torch.testing.assert_close(uncertainty(probs), entropy.square(), atol=0.01, rtol=0)
    assert uncertainty(torch.tensor([0.5])).item() == 1
    assert uncertainty(torch.tensor([0.0, 1.0])).tolist() == pytest.approx([0, 0], abs=1e-4)


def test_a_certain_pixel_does_not_look_back_and_an_uncertain_one_does():
    probs = torch.tensor([[0.1, 0.9], [1.0, 0.0], [0.5, 0.5]]).view(3, 2, 1, 1)
    made = run(UncertaintyBlend(0.9), [], probs)[:, 1].flatten().tolist()
    assert made == pytest.approx([0.9, 0.0, 0.05], abs=1e-4)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, math.nan])
def test_a_ratio_outside_its_range_is_refused(ratio):
    with pytest.raises(ValueError, match=f"ratio: .*got {ratio}"):
        UncertaintyBlend(ratio)
