import pytest
import torch

from facestab.functional.losses import class_weights, combine, cross_entropy, feature_l1, temporal_loss
from tests.functional import references


def pair(seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, 2, 3, 4, 5, generator=generator, dtype=dtype)
    logits = torch.randn(2, 2, 4, 8, 10, generator=generator, dtype=dtype)
    labels = torch.randint(4, (2, 2, 8, 10), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.2] = 255
    return features, logits, labels


def test_feature_l1_is_the_mean_absolute_difference_of_a_hand_made_pair():
    features_1 = torch.tensor([[[[1.0, 2.0]], [[0.0, -4.0]]]])
    features_2 = torch.tensor([[[[1.5, 2.0]], [[-1.0, 0.0]]]])
    assert feature_l1(features_1, features_2).item() == (0.5 + 0 + 1 + 4) / 4


def test_feature_l1_sends_opposite_gradients_into_both_frames():
    features_1 = torch.tensor([[[[3.0, 1.0]]]], requires_grad=True)
    features_2 = torch.tensor([[[[1.0, 2.0]]]], requires_grad=True)
    feature_l1(features_1, features_2).backward()
    torch.testing.assert_close(features_1.grad, torch.tensor([[[[0.5, -0.5]]]]))
    torch.testing.assert_close(features_2.grad, torch.tensor([[[[-0.5, 0.5]]]]))


def test_feature_l1_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match=r"features: .*\(2, 3, 4, 4\) and \(2, 1, 4, 4\)"):
        feature_l1(torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4))


def test_scaling_the_features_scales_their_distance_and_leaves_the_cross_entropy_alone():
    # the collapse of temporal.md C1: a classifier W / a after features f * a gives the same logits
    features, _, labels = pair()
    weight = torch.randn(4, 3, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels = labels[..., ::2, ::2]

    def loss(a):
        logits = [torch.nn.functional.conv2d(a * f, weight / a) for f in features]
        return temporal_loss(a * features[0], a * features[1], *logits, *labels, w=0.5)

    whole, tenth = loss(1.0), loss(0.1)
    torch.testing.assert_close(tenth["consistency"], 0.1 * whole["consistency"])
    torch.testing.assert_close(tenth["cross_entropy"], whole["cross_entropy"])
    assert tenth["loss"] < whole["loss"]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_cross_entropy_equals_the_mean_over_valid_pixels_in_a_loop(dtype):
    _, logits, labels = pair()
    got = cross_entropy(logits[0], labels[0].to(dtype))
    assert got.item() == pytest.approx(references.cross_entropy(logits[0], labels[0]), rel=1e-12)


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_the_number_of_classes():
    got = cross_entropy(torch.zeros(1, 5, 2, 2), torch.tensor([[[0, 1], [4, 255]]]))
    assert got.item() == pytest.approx(1.6094379)


def test_ignored_pixels_get_no_gradient():
    _, logits, labels = pair()
    logits = logits[0].requires_grad_()
    cross_entropy(logits, labels[0]).backward()
    touched = logits.grad.abs().sum(1) > 0
    assert torch.equal(touched, labels[0] != 255)


def test_cross_entropy_without_a_valid_pixel_is_zero_with_a_graph_that_changes_nothing():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = cross_entropy(logits, torch.full((1, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_inputs_are_summed_in_single_precision(dtype):
    # 2 * 256 * 256 pixels of 0.69 nats are more than float16 can hold
    logits, labels = torch.zeros(2, 2, 256, 256, dtype=dtype), torch.zeros(2, 256, 256, dtype=torch.long)
    assert cross_entropy(logits, labels).item() == pytest.approx(0.6931472)
    features = torch.full((1, 1, 512, 512), 0.3, dtype=dtype)
    assert feature_l1(features, -features).dtype == torch.float32
    assert feature_l1(features, -features).item() == pytest.approx(2 * features[0, 0, 0, 0].item())


@pytest.mark.parametrize("w", [0.0, 0.5, 3.0])
def test_temporal_loss_is_the_distance_plus_w_times_both_cross_entropies(w):
    features, logits, labels = pair()
    parts = temporal_loss(*features, *logits, *labels, w=w)
    j_1, j_2 = (references.cross_entropy(logits[i], labels[i]) for i in (0, 1))
    distance = (
        sum(abs(a - b) for a, b in zip(*(f.flatten().tolist() for f in features), strict=True)) / features[0].numel()
    )
    expected = {
        "consistency": distance,
        "cross_entropy_1": j_1,
        "cross_entropy_2": j_2,
        "cross_entropy": j_1 + j_2,
        "loss": distance + w * (j_1 + j_2),
    }
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(expected, rel=1e-12)


def test_the_gradient_of_the_temporal_loss_agrees_with_finite_differences():
    features, logits, labels = pair()

    def loss(features_1, features_2, logits_1, logits_2):
        return temporal_loss(features_1, features_2, logits_1, logits_2, *labels[..., :1, :], w=0.7)["loss"]

    inputs = [x.detach().clone().requires_grad_() for x in (*features[..., :2, :2], *logits[..., :1, :])]
    assert torch.autograd.gradcheck(loss, inputs)


def soft_labels(seed=2):
    generator = torch.Generator().manual_seed(seed)
    runner_up = torch.randint(4, (2, 8, 10), generator=generator)
    return runner_up, 0.5 + 0.5 * torch.rand(2, 8, 10, generator=generator, dtype=torch.float64)


def test_soft_labels_share_the_cross_entropy_and_weights_multiply_it_in_a_loop():
    _, logits, labels = pair()
    runner_up, share = soft_labels()
    weight = torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64)
    log_p, total, valid = logits[0].log_softmax(1), 0.0, (labels[0] != 255).nonzero().tolist()
    for b, y, x in valid:
        first, second, part = labels[0][b, y, x], runner_up[b, y, x], share[b, y, x]
        total -= float(weight[first] * (part * log_p[b, first, y, x] + (1 - part) * log_p[b, second, y, x]))
    got = cross_entropy(logits[0], labels[0], runner_up, share, weight)
    assert got.item() == pytest.approx(total / len(valid), rel=1e-12)


def test_a_share_of_one_and_equal_weights_are_a_hard_label():
    _, logits, labels = pair()
    got = cross_entropy(logits[0], labels[0], labels[0], torch.ones(2, 8, 10), torch.ones(4))
    torch.testing.assert_close(got, cross_entropy(logits[0], labels[0]), rtol=1e-14, atol=0)


def test_the_cross_entropy_of_a_soft_label_is_least_for_its_own_shares():
    label, runner_up, share = torch.zeros(1, 1, 1).long(), torch.ones(1, 1, 1).long(), torch.full((1, 1, 1), 0.8)
    logits = torch.tensor([0.8, 0.2]).log().view(1, 2, 1, 1).requires_grad_()
    cross_entropy(logits, label, runner_up, share).backward()
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), rtol=0, atol=1e-7)


def test_ignored_pixels_of_soft_labels_get_no_gradient():
    _, logits, labels = pair()
    logits = logits[0].requires_grad_()
    cross_entropy(logits, labels[0], *soft_labels(), torch.ones(4)).backward()
    assert torch.equal(logits.grad.abs().sum(1) > 0, labels[0] != 255)


def test_a_runner_up_without_its_share_is_refused():
    with pytest.raises(ValueError, match="runner_up, share: both"):
        cross_entropy(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))


def test_weights_for_another_number_of_classes_are_refused():
    with pytest.raises(ValueError, match=r"class weights: shape \(2,\) is needed, got \(3,\)"):
        cross_entropy(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1), class_weight_K=torch.ones(3))


def test_class_weights_are_a_power_of_the_shares_with_a_mean_of_one_over_the_pixels():
    share = torch.tensor([0.64, 0.32, 0.04])
    for balance in (0.0, 0.5, 1.0):
        weight = class_weights(share, balance)
        assert (share * weight).sum().item() == pytest.approx(1)
        assert (weight[2] / weight[0]).item() == pytest.approx(16**balance)
    torch.testing.assert_close(class_weights(share, 1.0), 1 / (3 * share))
    assert class_weights(share, 0.0).tolist() == pytest.approx([1, 1, 1])


def test_class_weights_take_counts_and_give_a_missing_class_the_weight_of_the_rarest():
    counts = torch.tensor([900, 0, 100])
    weight = class_weights(counts, 0.5)
    assert weight[1] == weight[2]
    assert weight[[0, 2]].tolist() == pytest.approx(class_weights(torch.tensor([0.9, 0.1]), 0.5).tolist())


def test_with_class_weights_all_classes_get_the_same_gradient_at_balance_one():
    labels = torch.tensor([[[0, 0, 0, 1]]])
    logits = torch.zeros(1, 2, 1, 4, requires_grad=True)
    cross_entropy(logits, labels, class_weight_K=class_weights(torch.tensor([3, 1]), 1.0)).backward()
    torch.testing.assert_close(logits.grad.sum(-1), torch.zeros(1, 2, 1))


def test_the_strength_weighs_the_consistency_and_leaves_the_parts_alone():
    parts = combine(torch.tensor(2.0), torch.tensor(3.0), torch.tensor(4.0), w=0.5, strength=10.0)
    assert {name: part.item() for name, part in parts.items()} == {
        "consistency": 2,
        "cross_entropy_1": 3,
        "cross_entropy_2": 4,
        "cross_entropy": 7,
        "loss": 10 * 2 + 0.5 * 7,
    }
