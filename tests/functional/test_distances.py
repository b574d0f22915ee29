import math

import pytest
import torch

from facestab.functional.distances import (
    cosine,
    disagreement,
    entropy,
    jensen_shannon,
    l1,
    relative_l1,
    squared,
    total_variation,
)
from facestab.functional.losses import feature_l1
from tests.functional import references

ALL = [l1, relative_l1, cosine, total_variation, jensen_shannon, disagreement, squared]


def pixel(*channels, requires_grad=False):
    return torch.tensor(channels).view(1, -1, 1, 1).requires_grad_(requires_grad)


def random_maps(dtype=torch.float32, probabilities=False):
    maps = torch.randn(2, 2, 4, 3, 5, dtype=dtype, generator=torch.Generator().manual_seed(0))
    return maps.softmax(2) if probabilities else maps


def test_the_distances_of_hand_made_vectors():
    a, b = pixel(3.0, -4.0), pixel(1.0, 0.0)
    assert l1(a, b).item() == pytest.approx((2 + 4) / 2)
    assert squared(a, b).item() == pytest.approx((4 + 16) / 2)
    assert relative_l1(a, b).item() == pytest.approx((2 + 4) / ((7 + 1) / 2))
    assert cosine(a, b).item() == pytest.approx(1 - 3 / 5)


def test_the_distances_of_hand_made_probabilities():
    p, q = pixel(0.5, 0.5, 0.0), pixel(0.2, 0.2, 0.6)
    assert total_variation(p, q).item() == pytest.approx(0.6)
    assert disagreement(p, q).item() == pytest.approx(1 - 0.2)
    mean = [0.35, 0.35, 0.3]
    divergence = sum(
        x * math.log(x / m) for x, m in [*zip([0.5, 0.5], mean, strict=False), *zip([0.2, 0.2, 0.6], mean, strict=True)]
    )
    assert jensen_shannon(p, q).item() == pytest.approx(divergence / 2)


@pytest.mark.parametrize("distance", ALL)
def test_each_pixel_is_measured_by_itself(distance):
    a, b = random_maps(probabilities=True)
    whole = distance(a, b)
    assert whole.shape == (2, 3, 5)
    torch.testing.assert_close(whole[1, 2, 3], distance(a[1:, :, 2:, 3:4], b[1:, :, 2:, 3:4])[0, 0, 0])


@pytest.mark.parametrize("distance", ALL)
def test_exchanging_the_maps_changes_nothing(distance):
    a, b = random_maps(probabilities=True)
    torch.testing.assert_close(distance(a, b), distance(b, a))


@pytest.mark.parametrize("distance", ALL)
def test_equal_maps_are_0_apart_but_for_disagreement(distance):
    p = random_maps(probabilities=True)[0]
    expected = 1 - p.square().sum(1) if distance is disagreement else torch.zeros(2, 3, 5)
    torch.testing.assert_close(distance(p, p), expected, rtol=0, atol=0 if distance is not disagreement else 1e-6)


def test_certain_and_different_classes_are_as_far_apart_as_it_goes():
    p, q = pixel(1.0, 0.0), pixel(0.0, 1.0)
    assert total_variation(p, q).item() == 1
    assert disagreement(p, q).item() == 1
    assert disagreement(p, p).item() == 0
    assert jensen_shannon(p, q).item() == pytest.approx(math.log(2))
    assert cosine(p, -p).item() == pytest.approx(2)
    assert relative_l1(p, -p).item() == pytest.approx(2)


def test_the_mean_of_l1_is_the_feature_distance_of_the_patent():
    a, b = random_maps(torch.float64)
    torch.testing.assert_close(l1(a, b).mean(), feature_l1(a, b))


@pytest.mark.parametrize("factor", [0.5, 0.25])
def test_smaller_features_are_nearer_in_l1_but_not_in_the_relative_distances(factor):
    a, b = random_maps()
    for distance in (relative_l1, cosine):
        torch.testing.assert_close(distance(factor * a, factor * b), distance(a, b))
    torch.testing.assert_close(l1(factor * a, factor * b), factor * l1(a, b))


def test_the_gradient_of_relative_l1_takes_the_size_as_given():
    a, b = pixel(3.0, 1.0, requires_grad=True), pixel(1.0, 1.5, requires_grad=True)
    relative_l1(a, b).sum().backward()
    size = (4 + 2.5) / 2
    torch.testing.assert_close(a.grad, pixel(1 / size, -1 / size))
    torch.testing.assert_close(b.grad, -a.grad)


def test_a_detached_map_is_a_fixed_target():
    a, b = random_maps().requires_grad_().unbind(0)
    a.retain_grad()
    b.retain_grad()
    l1(a, b.detach()).sum().backward()
    assert a.grad.abs().sum() > 0
    assert b.grad is None


@pytest.mark.parametrize("distance", [cosine, relative_l1])
def test_pixels_without_features_give_no_distance_and_no_wild_gradient(distance):
    a, b = torch.zeros(1, 3, 1, 2, requires_grad=True), torch.zeros(1, 3, 1, 2)
    b[..., 1] = 1
    result = distance(a, b)
    result.sum().backward()
    assert result[0, 0].tolist() == pytest.approx([0, 0.5 if distance is cosine else 2])
    assert torch.isfinite(a.grad).all()
    assert a.grad[..., 0].abs().max() == 0
    assert a.grad.abs().max() <= 1e4


@pytest.mark.parametrize("distance", [cosine, jensen_shannon, disagreement, squared, l1, total_variation])
def test_the_gradients_agree_with_finite_differences(distance):
    a, b = random_maps(torch.float64, probabilities=True)[..., :2, :2].clone().requires_grad_().unbind(0)
    assert torch.autograd.gradcheck(distance, (a, b))


@pytest.mark.parametrize("measure", [jensen_shannon, disagreement, total_variation, lambda p, q: entropy(p)])
def test_certain_probabilities_have_a_finite_gradient(measure):
    p, q = pixel(1.0, 0.0, requires_grad=True), pixel(0.0, 1.0)
    measure(p, q).sum().backward()
    assert torch.isfinite(p.grad).all()


def test_entropy_is_0_for_a_certain_pixel_and_largest_for_equal_shares():
    assert entropy(pixel(0.0, 1.0, 0.0, 0.0)).item() == 0
    assert entropy(pixel(0.25, 0.25, 0.25, 0.25)).item() == pytest.approx(math.log(4))
    assert entropy(pixel(0.8, 0.2, 0.0, 0.0)).item() == pytest.approx(-0.8 * math.log(0.8) - 0.2 * math.log(0.2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("distance", ALL)
def test_half_precision_is_computed_in_single_precision(distance, dtype):
    a, b = random_maps(probabilities=True).to(dtype)
    assert distance(a, b).dtype == torch.float32
    assert torch.equal(distance(a, b), distance(a.float(), b.float()))


@pytest.mark.parametrize("distance", ALL)
def test_shapes_that_would_broadcast_are_refused(distance):
    with pytest.raises(ValueError, match=r"maps: .*\(2, 3, 4, 4\) and \(2, 1, 4, 4\)"):
        distance(torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4))


def test_the_mean_total_variation_is_the_probability_variation_of_a_video_that_does_not_move():
    p, q = random_maps(torch.float64, probabilities=True)
    expected, _ = references.probability_variation(
        torch.stack([p[0], q[0]]), torch.zeros(1, 3, 5, 2), torch.ones(1, 3, 5, dtype=torch.bool)
    )
    assert total_variation(p[:1], q[:1]).mean().item() == pytest.approx(expected)
