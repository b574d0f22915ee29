import math

import pytest
import torch
from torch import nn

from facestab.functional import losses as functional
from facestab.losses import CrossEntropy, FeatureL1, NoDistance, TemporalLoss
from facestab.types import SegOutput


def outputs_and_labels():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, 4, 6, 6, generator=generator)
    features = torch.randn(2, 2, 3, 3, 3, generator=generator)
    labels = torch.randint(4, (2, 2, 6, 6), generator=generator)
    labels[0, 0, 0] = 255
    return [SegOutput(logits[i], features[i]) for i in (0, 1)], labels


def test_the_modules_return_what_the_functions_return():
    (output_1, output_2), labels = outputs_and_labels()
    assert torch.equal(
        FeatureL1()(output_1.features_BCHW, output_2.features_BCHW),
        functional.feature_l1(output_1.features_BCHW, output_2.features_BCHW),
    )
    assert torch.equal(
        CrossEntropy()(output_1.logits_BKHW, labels[0]), functional.cross_entropy(output_1.logits_BKHW, labels[0])
    )
    expected = functional.temporal_loss(
        output_1.features_BCHW,
        output_2.features_BCHW,
        output_1.logits_BKHW,
        output_2.logits_BKHW,
        *labels,
        w=0.3,
    )
    got = TemporalLoss(w=0.3, distance=FeatureL1())(output_1, output_2, *labels)
    assert {k: v.item() for k, v in got.items()} == {k: v.item() for k, v in expected.items()}


def test_another_distance_takes_the_place_of_l1():
    outputs, labels = outputs_and_labels()
    parts = TemporalLoss(w=2.0, distance=nn.MSELoss())(*outputs, *labels)
    mse = (outputs[0].features_BCHW - outputs[1].features_BCHW).square().mean()
    torch.testing.assert_close(parts["feature_distance"], mse)
    torch.testing.assert_close(parts["loss"], mse + 2 * (parts["cross_entropy_1"] + parts["cross_entropy_2"]))


def test_exchanging_the_frames_exchanges_their_cross_entropies_and_keeps_the_loss():
    (output_1, output_2), (labels_1, labels_2) = outputs_and_labels()
    loss = TemporalLoss(w=0.5, distance=FeatureL1())
    forth, back = loss(output_1, output_2, labels_1, labels_2), loss(output_2, output_1, labels_2, labels_1)
    torch.testing.assert_close(forth["cross_entropy_1"], back["cross_entropy_2"])
    assert not torch.isclose(forth["cross_entropy_1"], forth["cross_entropy_2"])
    torch.testing.assert_close(forth["loss"], back["loss"])


@pytest.mark.parametrize("w", [-0.1, math.nan, math.inf, -math.inf])
def test_a_weight_that_is_negative_or_not_finite_is_refused(w):
    with pytest.raises(ValueError, match=f"w: .*got {w}"):
        TemporalLoss(w=w, distance=FeatureL1())


def test_a_weight_of_zero_leaves_the_distance_alone():
    outputs, labels = outputs_and_labels()
    parts = TemporalLoss(w=0, distance=FeatureL1())(*outputs, *labels)
    assert parts["loss"] == parts["feature_distance"]


def test_without_a_distance_only_the_cross_entropies_are_left_and_only_they_give_a_gradient():
    features = torch.randn(2, 3, 4, 4, requires_grad=True)
    logits = torch.randn(2, 5, 4, 4, requires_grad=True)
    labels = torch.zeros(2, 4, 4).long()
    output = SegOutput(logits, features)
    parts = TemporalLoss(1.0, NoDistance())(output, output, labels, labels)
    assert parts["feature_distance"] == 0
    assert parts["loss"] == parts["cross_entropy"]
    parts["loss"].backward()
    assert features.grad is None
    assert logits.grad is not None
