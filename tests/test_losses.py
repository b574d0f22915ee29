import math

import pytest
import torch
from torch import nn

from facestab.build import build, conf_dir
from facestab.consistency import Consistency
from facestab.functional import losses as functional
from facestab.losses import CrossEntropy, TemporalLoss
from facestab.types import FramePairBatch, ImageBatch, SegOutput

CHOICES = sorted(path.stem for path in (conf_dir() / "consistency").glob("*.yaml"))


def make_outputs_and_pair(requires_grad=False):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, 4, 6, 6, generator=generator)
    features = torch.randn(2, 2, 3, 3, 3, generator=generator)
    labels = torch.randint(4, (2, 2, 6, 6), generator=generator)
    labels[0, 0, 0] = 255
    outputs = [SegOutput(*(x[i].clone().requires_grad_(requires_grad) for x in (logits, features))) for i in (0, 1)]
    frames = torch.zeros(2, 2, 3, 6, 6, dtype=torch.uint8)
    flow, visible = torch.zeros(2, 6, 6, 2), torch.ones(2, 6, 6, dtype=torch.bool)
    return outputs, FramePairBatch(frames, labels, labels, torch.ones(labels.shape), flow, visible)


def patent(w=0.5, **kwargs):
    return TemporalLoss(w, Consistency("l1", "features"), **kwargs)


def numbers(parts):
    return {name: part.item() for name, part in parts.items()}


class MeanSquare(nn.Module):
    def forward(self, output_1, output_2, pair, class_share_K):
        return (output_1.features_BCHW - output_2.features_BCHW).square().mean()


def test_with_the_distance_of_the_features_it_is_the_loss_of_the_patent():
    (output_1, output_2), pair = make_outputs_and_pair()
    expected = functional.temporal_loss(
        output_1.features_BCHW,
        output_2.features_BCHW,
        output_1.logits_BKHW,
        output_2.logits_BKHW,
        *pair.labels_BTHW.unbind(1),
        w=0.3,
    )
    assert numbers(patent(0.3)(output_1, output_2, pair)) == pytest.approx(numbers(expected), rel=1e-6)


def test_the_gradient_is_that_of_the_loss_of_the_patent():
    ours, pair = make_outputs_and_pair(requires_grad=True)
    theirs, _ = make_outputs_and_pair(requires_grad=True)
    patent(0.3)(*ours, pair)["loss"].backward()
    functional.temporal_loss(
        theirs[0].features_BCHW,
        theirs[1].features_BCHW,
        theirs[0].logits_BKHW,
        theirs[1].logits_BKHW,
        *pair.labels_BTHW.unbind(1),
        w=0.3,
    )["loss"].backward()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.logits_BKHW.grad, b.logits_BKHW.grad)
        torch.testing.assert_close(a.features_BCHW.grad, b.features_BCHW.grad)


def test_the_module_of_the_cross_entropy_returns_what_the_function_returns():
    outputs, pair = make_outputs_and_pair()
    logits, labels = outputs[0].logits_BKHW, pair.labels_BTHW[:, 0]
    assert torch.equal(CrossEntropy()(logits, labels), functional.cross_entropy(logits, labels))


def test_another_consistency_takes_the_place_of_l1():
    outputs, pair = make_outputs_and_pair()
    parts = TemporalLoss(2.0, MeanSquare(), strength=3.0)(*outputs, pair)
    square = (outputs[0].features_BCHW - outputs[1].features_BCHW).square().mean()
    torch.testing.assert_close(parts["consistency"], square)
    torch.testing.assert_close(parts["loss"], 3 * square + 2 * (parts["cross_entropy_1"] + parts["cross_entropy_2"]))


def test_the_ramp_scales_the_strength_and_not_the_parts():
    outputs, pair = make_outputs_and_pair()
    loss = patent(strength=10.0)
    whole, tenth, none = (loss(*outputs, pair, ramp=ramp) for ramp in (1.0, 0.1, 0.0))
    assert whole["consistency"] == tenth["consistency"] == none["consistency"] > 0
    torch.testing.assert_close(tenth["loss"], tenth["consistency"] + 0.5 * tenth["cross_entropy"])
    torch.testing.assert_close(none["loss"], 0.5 * none["cross_entropy"])


def test_exchanging_the_frames_exchanges_their_cross_entropies_and_keeps_the_loss():
    outputs, pair = make_outputs_and_pair()
    forth = patent()(*outputs, pair)
    back = patent()(*outputs[::-1], pair._replace(**{f: getattr(pair, f).flip(1) for f in pair._fields[:4]}))
    torch.testing.assert_close(forth["cross_entropy_1"], back["cross_entropy_2"])
    assert not torch.isclose(forth["cross_entropy_1"], forth["cross_entropy_2"])
    torch.testing.assert_close(forth["loss"], back["loss"])


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["w", "strength", "balance", "adjustment"])
def test_a_weight_that_is_negative_or_not_finite_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}: .*got {value}"):
        patent(**{name: value})


@pytest.mark.parametrize("name", ["balance", "adjustment"])
def test_a_share_above_one_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name}: a number from 0 to 1 is needed, got 1.1"):
        patent(**{name: 1.1})


def test_a_weight_of_zero_leaves_the_consistency_alone():
    outputs, pair = make_outputs_and_pair()
    parts = patent(w=0)(*outputs, pair)
    assert parts["loss"] == parts["consistency"]


def test_without_a_consistency_only_the_cross_entropies_are_left_and_only_they_give_a_gradient():
    outputs, pair = make_outputs_and_pair(requires_grad=True)
    parts = TemporalLoss(1.0, None)(*outputs, pair)
    assert parts["consistency"] == 0
    assert parts["loss"] == parts["cross_entropy"]
    parts["loss"].backward()
    assert outputs[0].features_BCHW.grad is None
    assert outputs[0].logits_BKHW.grad is not None


def test_soft_labels_reach_the_cross_entropy_of_their_frame():
    outputs, pair = make_outputs_and_pair()
    runner_up, share = (pair.labels_BTHW + 1) % 4, torch.full(pair.labels_BTHW.shape, 0.7)
    share[:, 1] = 0.6
    parts = patent()(*outputs, pair._replace(runner_up_BTHW=runner_up, share_BTHW=share))
    for t, name in enumerate(("cross_entropy_1", "cross_entropy_2")):
        hard = functional.cross_entropy(outputs[t].logits_BKHW, pair.labels_BTHW[:, t])
        ignored = pair.labels_BTHW[:, t] == 255
        second = functional.cross_entropy(outputs[t].logits_BKHW, runner_up[:, t].where(~ignored, 255))
        first_share = (0.7, 0.6)[t]
        torch.testing.assert_close(parts[name], first_share * hard + (1 - first_share) * second)


def test_class_weights_reach_pairs_and_labelled_images_alike():
    outputs, pair = make_outputs_and_pair()
    loss, counts = patent(balance=0.5), torch.tensor([700, 200, 90, 10])
    loss.set_class_share(counts)
    weight = functional.class_weights(counts, 0.5)
    logits, labels = outputs[0].logits_BKHW, pair.labels_BTHW[:, 0]
    expected = functional.cross_entropy(logits, labels, class_weight_K=weight)
    torch.testing.assert_close(loss(*outputs, pair)["cross_entropy_1"], expected)
    torch.testing.assert_close(loss.labelled(logits, ImageBatch.hard(logits, labels)), expected)
    assert not torch.isclose(expected, functional.cross_entropy(logits, labels))


def test_the_whole_loss_sees_adjusted_logits():
    outputs, pair = make_outputs_and_pair()
    counts = torch.tensor([700, 200, 90, 10])
    plain, adjusted = (
        TemporalLoss(0.5, Consistency("total_variation", "probabilities"), 2.0, balance=0.5, adjustment=adjustment)
        for adjustment in (0.0, 0.4)
    )
    for loss in (plain, adjusted):
        loss.set_class_share(counts)
    shift = 0.4 * functional.class_weights(counts, 0.5).log()[:, None, None]
    moved = [output._replace(logits_BKHW=output.logits_BKHW + shift) for output in outputs]
    assert numbers(adjusted(*outputs, pair)) == pytest.approx(numbers(plain(*moved, pair)), rel=1e-5)
    logits, labels = outputs[0].logits_BKHW, pair.labels_BTHW[:, 0]
    torch.testing.assert_close(
        adjusted.labelled(logits, ImageBatch.hard(logits, labels)),
        plain.labelled(logits + shift, ImageBatch.hard(logits, labels)),
    )
    assert numbers(adjusted(*outputs, pair)) != pytest.approx(numbers(plain(*outputs, pair)), rel=1e-2)


@pytest.mark.parametrize(("adjustment", "rare"), [(0.0, 0.5), (0.5, 0.25), (1.0, 0.1)])
def test_an_adjusted_answer_is_as_often_a_rare_class_as_the_class_is_there(adjustment, rare):
    """All that can be learned is how common the classes are; weighed alike they are equally likely."""
    labels = torch.ones(1, 10, 10, dtype=torch.long)
    labels[0, 0] = 0
    loss = TemporalLoss(1.0, None, balance=1.0, adjustment=adjustment)
    loss.set_class_share(torch.tensor([10, 90]))
    logits = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=50)

    def closure():
        optimizer.zero_grad()
        maps = logits[None, :, None, None].expand(1, 2, 10, 10)
        value = loss.labelled(maps, ImageBatch.hard(maps, labels))
        value.backward()
        return value

    optimizer.step(closure)
    assert logits.softmax(0)[0].item() == pytest.approx(rare, abs=1e-3)


def test_without_balance_labelled_images_have_the_plain_cross_entropy():
    outputs, pair = make_outputs_and_pair()
    loss, logits, labels = patent(), outputs[0].logits_BKHW, pair.labels_BTHW[:, 0]
    loss.set_class_share(torch.tensor([7, 2, 1, 1]))
    assert torch.equal(loss.labelled(logits, ImageBatch.hard(logits, labels)), functional.cross_entropy(logits, labels))


def test_shares_that_are_needed_and_not_set_are_asked_for():
    outputs, pair = make_outputs_and_pair()
    logits = outputs[0].logits_BKHW
    with pytest.raises(ValueError, match="class shares: set_class_share is needed"):
        patent(balance=0.1)(*outputs, pair)
    with pytest.raises(ValueError, match="class shares: set_class_share is needed"):
        patent(balance=0.1).labelled(logits, ImageBatch.hard(logits, pair.labels_BTHW[:, 0]))
    with pytest.raises(ValueError, match="class shares: they are needed"):
        TemporalLoss(1.0, Consistency("l1", "features", rare=0.1))(*outputs, pair)


def test_the_consistency_gets_shares_that_sum_to_one():
    outputs, pair = make_outputs_and_pair()
    loss = TemporalLoss(1.0, Consistency("l1", "logits", rare=0.1))
    loss.set_class_share(torch.tensor([95, 5, 0, 0]))
    expected = loss.consistency(*outputs, pair, torch.tensor([0.95, 0.05, 0, 0]))
    torch.testing.assert_close(loss(*outputs, pair)["consistency"], expected)
    assert expected < Consistency("l1", "logits")(*outputs, pair)


@pytest.mark.parametrize("shares", [[0, 0], [-1, 2], [math.nan, 1], [[1, 2]]])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ValueError, match="class shares: a number >= 0 for each class"):
        patent().set_class_share(torch.tensor(shares))


def test_shares_do_not_enter_checkpoints():
    loss = patent(balance=0.5)
    loss.set_class_share(torch.tensor([1, 2, 3, 4]))
    assert loss.state_dict() == {}


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_of_the_configuration_builds_and_gives_a_gradient(compose_config, choice):
    outputs, pair = make_outputs_and_pair(requires_grad=True)
    config = compose_config("stage=temporal", f"consistency={choice}", "w=0.25")
    loss = build(config.consistency)
    loss.set_class_share(torch.tensor([97, 1, 1, 1]))
    parts = loss(*outputs, pair)
    assert loss.w == 0.25
    assert parts["consistency"] > 0
    parts["consistency"].backward()
    compared = outputs[0].features_BCHW if choice.startswith("feature") else outputs[0].logits_BKHW
    assert compared.grad.abs().sum() > 0


def test_one_choice_away_is_the_loss_of_the_patent_and_no_labelled_images_have_a_part_in_it(compose_config):
    outputs, pair = make_outputs_and_pair()
    loss = build(compose_config("stage=temporal", "w=0.5", "consistency=feature_l1").consistency)
    assert loss.anchor == 0
    assert numbers(loss(*outputs, pair)) == numbers(patent(0.5)(*outputs, pair))


def test_a_configuration_without_consistency_builds(compose_config):
    config = compose_config("stage=temporal", "consistency.consistency=null")
    assert build(config.consistency).consistency is None
