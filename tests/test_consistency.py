import pytest
import torch

from facestab.consistency import Consistency
from facestab.functional import distances
from facestab.functional.losses import feature_l1
from facestab.types import FramePairBatch, SegOutput
from tests.functional import references

PROBABILITIES = {"distance": "total_variation", "level": "probabilities"}


def make_outputs(size=(6, 8), feature_size=(3, 4), num_classes=4, requires_grad=False):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, num_classes, *size, generator=generator, dtype=torch.float64)
    features = torch.randn(2, 2, 3, *feature_size, generator=generator, dtype=torch.float64)
    return [SegOutput(*(part[i].clone().requires_grad_(requires_grad) for part in (logits, features))) for i in (0, 1)]


def make_pair(labels=None, flow=None, visible=None, size=(6, 8)):
    """The same labels everywhere and no motion, unless told."""
    labels = torch.zeros(2, 2, *size).long() if labels is None else labels
    batch_size, _, height, width = labels.shape
    flow = torch.zeros(batch_size, height, width, 2) if flow is None else flow
    visible = torch.ones(batch_size, height, width, dtype=torch.bool) if visible is None else visible
    frames = torch.zeros(batch_size, 2, 3, height, width, dtype=torch.uint8)
    return FramePairBatch(frames, labels, labels, torch.ones(labels.shape), flow, visible)


def variation(outputs, temperature=1.0):
    """Total variation of the two frames' probabilities at each pixel."""
    first, second = ((output.logits_BKHW / temperature).softmax(1) for output in outputs)
    return (first - second).abs().sum(1) / 2


def random_labels(num_classes=4, size=(6, 8)):
    labels = torch.randint(num_classes, (2, 2, *size), generator=torch.Generator().manual_seed(3))
    labels[0, 0, :2] = 255
    labels[1, 1, :, :2] = 255
    return labels


def test_the_patents_case_is_the_mean_absolute_difference_of_the_features_whatever_labels_and_motion():
    outputs = make_outputs()
    flow, visible = torch.full((2, 6, 8, 2), 2.0), torch.zeros(2, 6, 8, dtype=torch.bool)
    got = Consistency("l1", "features")(*outputs, make_pair(random_labels(), flow, visible))
    torch.testing.assert_close(got, feature_l1(*(output.features_BCHW for output in outputs)), rtol=1e-14, atol=0)


def test_the_patents_case_has_the_gradient_of_the_patents_loss():
    ours, theirs = make_outputs(requires_grad=True), make_outputs(requires_grad=True)
    Consistency("l1", "features")(*ours, make_pair()).backward()
    feature_l1(*(output.features_BCHW for output in theirs)).backward()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.features_BCHW.grad, b.features_BCHW.grad)
        assert a.logits_BKHW.grad is None


@pytest.mark.parametrize("distance", ["l1", "relative_l1", "cosine", "squared"])
@pytest.mark.parametrize("level", ["features", "logits"])
def test_any_distance_is_averaged_over_the_map_that_is_named(distance, level):
    outputs = make_outputs()
    maps = [output.features_BCHW if level == "features" else output.logits_BKHW for output in outputs]
    got = Consistency(distance, level)(*outputs, make_pair())
    torch.testing.assert_close(got, getattr(distances, distance)(*maps).mean())


@pytest.mark.parametrize("distance", ["total_variation", "jensen_shannon", "disagreement", "l1"])
@pytest.mark.parametrize("temperature", [0.5, 1, 2])
def test_probabilities_are_softened_by_the_temperature(distance, temperature):
    outputs = make_outputs()
    probs = [(output.logits_BKHW / temperature).softmax(1) for output in outputs]
    got = Consistency(distance, "probabilities", temperature=temperature)(*outputs, make_pair())
    torch.testing.assert_close(got, getattr(distances, distance)(*probs).mean())


@pytest.mark.parametrize("distance", ["total_variation", "jensen_shannon", "cosine", "squared"])
def test_equal_answers_cost_nothing(distance):
    output, _ = make_outputs()
    assert Consistency(distance, "probabilities")(output, output, make_pair()) == 0


def test_equal_but_uncertain_answers_disagree():
    output, _ = make_outputs()
    sure = SegOutput(1e6 * output.logits_BKHW, output.features_BCHW)
    assert Consistency("disagreement", "probabilities")(output, output, make_pair()) > 0.3
    assert Consistency("disagreement", "probabilities")(sure, sure, make_pair()) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("distance", ["relative_l1", "cosine"])
def test_smaller_features_do_not_lower_the_distances_that_are_free_of_scale(distance):
    outputs = make_outputs()
    half = [SegOutput(output.logits_BKHW, output.features_BCHW / 2) for output in outputs]
    pair = make_pair()
    torch.testing.assert_close(
        Consistency(distance, "features")(*half, pair), Consistency(distance, "features")(*outputs, pair)
    )
    torch.testing.assert_close(
        Consistency("l1", "features")(*half, pair), Consistency("l1", "features")(*outputs, pair) / 2
    )


def test_only_pixels_with_the_same_valid_label_count_and_the_others_stay_in_the_mean():
    outputs, labels = make_outputs(), random_labels()
    labels[0, 1, :2] = 255
    keep = (labels[:, 0] == labels[:, 1]) & (labels[:, 0] != 255)
    assert 0 < keep.sum() < keep.numel()
    got = Consistency(**PROBABILITIES, where="unchanged")(*outputs, make_pair(labels))
    torch.testing.assert_close(got, variation(outputs)[keep].sum() / keep.numel())


def test_pixels_that_are_left_out_get_no_gradient():
    outputs, labels = make_outputs(requires_grad=True), random_labels()
    Consistency(**PROBABILITIES, where="unchanged")(*outputs, make_pair(labels)).backward()
    keep = (labels[:, 0] == labels[:, 1]) & (labels[:, 0] != 255)
    for output in outputs:
        assert torch.equal(output.logits_BKHW.grad.abs().sum(1) > 0, keep)


def test_a_pair_without_a_pixel_to_compare_costs_nothing_and_changes_nothing():
    outputs = make_outputs(requires_grad=True)
    pair = make_pair(torch.full((2, 2, 6, 8), 255))
    loss = Consistency(**PROBABILITIES, where="unchanged")(*outputs, pair)
    loss.backward()
    assert loss == 0
    assert outputs[0].logits_BKHW.grad.abs().max() == 0


def test_the_weights_of_features_are_those_of_the_nearest_pixels():
    outputs = make_outputs(size=(6, 12), feature_size=(2, 4))
    labels = torch.zeros(2, 2, 6, 12).long()
    # a feature covers 3 x 3 pixels; only its middle one tells
    labels[:, 1, 1, 1] = 1
    labels[:, 1, 3:, 6:8] = 1
    labels[:, 1, 0, 9:] = 1
    keep = torch.ones(2, 2, 4, dtype=torch.bool)
    keep[:, 0, 0] = keep[:, 1, 2] = False
    got = Consistency("l1", "features", where="unchanged")(*outputs, make_pair(labels))
    expected = (outputs[0].features_BCHW - outputs[1].features_BCHW).abs().mean(1)[keep].sum() / keep.numel()
    torch.testing.assert_close(got, expected)


def test_what_moved_by_the_flow_is_compared_with_itself():
    first, _ = make_outputs(feature_size=(6, 8))
    moved = SegOutput(*(part.roll((1, 2), (-2, -1)) for part in first))
    flow = torch.tensor([2.0, 1.0]).expand(2, 6, 8, 2)
    for level in ("features", "logits", "probabilities"):
        assert Consistency("l1", level)(first, moved, make_pair(flow=flow)) > 0.1
        assert Consistency("l1", level, warp=True)(first, moved, make_pair(flow=flow)) == pytest.approx(0, abs=1e-6)


def test_along_the_flow_only_visible_pixels_whose_target_is_in_the_picture_count():
    outputs = make_outputs()
    flow = torch.zeros(2, 6, 8, 2)
    flow[..., 0] = 1.5
    visible = torch.rand(2, 6, 8, generator=torch.Generator().manual_seed(4)) < 0.7
    p, q = (output.logits_BKHW.softmax(1) for output in outputs)
    total = 0.0
    for b, y, x in visible.nonzero().tolist():
        later = [references.sample_bilinear(q[b, k], x + 1.5, y) for k in range(4)]
        if None not in later:
            total += sum(abs(p[b, k, y, x].item() - later[k]) for k in range(4)) / 2
    got = Consistency(**PROBABILITIES, warp=True)(*outputs, make_pair(flow=flow, visible=visible))
    assert got.item() == pytest.approx(total / visible.numel(), rel=1e-6)


def test_features_are_warped_by_the_flow_in_their_own_pixels():
    generator = torch.Generator().manual_seed(5)
    features = torch.randn(1, 3, 4, 6, generator=generator)
    logits = torch.zeros(1, 2, 8, 18)
    # one feature right and one down is 3 pixels right and 2 down, in the mean over the pixels of a feature
    moved = features.roll((1, 1), (-2, -1))
    flow = torch.tensor([3.0, 2.0]).repeat(1, 8, 18, 1)
    flow[:, :, ::3, 0], flow[:, :, 2::3, 0] = 1.0, 5.0
    flow[:, ::2, :, 1], flow[:, 1::2, :, 1] = 0.5, 3.5
    pair = make_pair(torch.zeros(1, 2, 8, 18).long(), flow=flow)
    got = Consistency("l1", "features", warp=True)(SegOutput(logits, features), SegOutput(logits, moved), pair)
    assert got.item() == pytest.approx(0, abs=1e-6)


def test_the_gradient_goes_through_the_flow_into_both_frames():
    outputs = make_outputs(requires_grad=True)
    flow = torch.tensor([1.0, 0.0]).expand(2, 6, 8, 2)
    Consistency(**PROBABILITIES, warp=True)(*outputs, make_pair(flow=flow)).backward()
    first, second = (output.logits_BKHW.grad.abs().sum(1) > 0 for output in outputs)
    assert first[..., :-1].all()
    assert not first[..., -1].any()
    assert second[..., 1:].all()
    assert not second[..., 0].any()


def test_labels_are_compared_on_the_first_frames_grid():
    outputs, flow = make_outputs(), torch.tensor([1.0, 0.0]).expand(2, 6, 8, 2)
    labels = random_labels()
    labels[labels == 255] = 0
    labels[:, 1] = labels[:, 0].roll(1, -1)
    pair = make_pair(labels, flow)
    both = [
        Consistency(**PROBABILITIES, warp=True, where=where)(*outputs, pair) for where in ("unchanged", "everywhere")
    ]
    torch.testing.assert_close(both[0], both[1])
    assert both[0] > 0


def test_a_flow_that_is_not_finite_is_left_out():
    outputs, flow = make_outputs(requires_grad=True), torch.zeros(2, 6, 8, 2)
    flow[0, 0, 0] = torch.nan
    settings = {"warp": True, "where": "unchanged", "stop_gradient": "certain"}
    loss = Consistency(**PROBABILITIES, **settings)(*outputs, make_pair(flow=flow))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(output.logits_BKHW.grad).all() for output in outputs)


def test_the_second_frame_can_be_a_fixed_target():
    outputs = make_outputs(requires_grad=True)
    Consistency("l1", "features", stop_gradient="second")(*outputs, make_pair()).backward()
    assert outputs[0].features_BCHW.grad.abs().sum() > 0
    assert outputs[1].features_BCHW.grad is None


def test_at_each_pixel_the_frame_that_is_more_certain_teaches_the_other():
    outputs = make_outputs(requires_grad=True)
    Consistency(**PROBABILITIES, stop_gradient="certain")(*outputs, make_pair()).backward()
    doubts = [
        torch.distributions.Categorical(logits=output.logits_BKHW.detach().movedim(1, -1)).entropy()
        for output in outputs
    ]
    learns = [output.logits_BKHW.grad.abs().sum(1) > 0 for output in outputs]
    assert torch.equal(learns[0], doubts[0] > doubts[1])
    assert torch.equal(learns[1], doubts[1] > doubts[0])


def test_certainty_decides_for_features_too_by_the_nearest_pixel():
    outputs = make_outputs(size=(3, 6), feature_size=(1, 2), num_classes=2)
    features = [output.features_BCHW.requires_grad_() for output in outputs]
    logits = torch.zeros(2, 2, 2, 3, 6)
    logits[0, :, 0, :, :3] = 9
    logits[1, :, 0, :, 3:] = 9
    settings = {"distance": "l1", "level": "features", "stop_gradient": "certain"}
    pair = make_pair(size=(3, 6))
    Consistency(**settings)(*(SegOutput(logits[i], features[i]) for i in (0, 1)), pair).backward()
    assert [(f.grad.abs().sum((0, 1)) > 0).tolist() for f in features] == [[[False, True]], [[True, False]]]


def test_certainty_is_compared_along_the_flow():
    logits = torch.zeros(2, 1, 2, 1, 4, dtype=torch.float64)
    logits[0, 0, 0, 0] = torch.tensor([3.0, 1.0, 3.0, 1.0])
    logits[1, 0, 0, 0] = torch.tensor([0.0, 4.0, 2.0, 2.0])
    first, second = logits.requires_grad_().unbind(0)
    first.retain_grad()
    second.retain_grad()
    pair = make_pair(torch.zeros(1, 2, 1, 4).long(), flow=torch.tensor([1.0, 0.0]).expand(1, 1, 4, 2))
    loss = Consistency(**PROBABILITIES, warp=True, stop_gradient="certain")
    loss(SegOutput(first, first), SegOutput(second, second), pair).backward()
    assert (first.grad.abs().sum(1) > 0).flatten().tolist() == [True, True, False, False]
    assert (second.grad.abs().sum(1) > 0).flatten().tolist() == [False, False, False, True]


def test_stopping_a_gradient_does_not_change_the_loss():
    outputs = make_outputs()
    plain, second, certain = (
        Consistency(**PROBABILITIES, stop_gradient=stop)(*outputs, make_pair())
        for stop in ("none", "second", "certain")
    )
    assert plain == second == certain


@pytest.mark.parametrize("factor", [0, 0.5, 3])
def test_a_band_around_the_boundaries_of_the_first_frames_labels_has_its_own_factor(factor):
    outputs, labels = make_outputs(size=(6, 12)), torch.zeros(2, 2, 6, 12).long()
    labels[:, 0, :, 5:] = 1
    labels[:, 1, :, 10:] = 2
    weight = torch.ones(12, dtype=torch.float64)
    weight[3:7] = factor
    got = Consistency(**PROBABILITIES, boundary=factor)(*outputs, make_pair(labels))
    torch.testing.assert_close(got, (variation(outputs) * weight).mean())


def test_rare_classes_and_what_lies_near_them_weigh_by_their_share():
    outputs, labels = make_outputs(size=(6, 12)), torch.zeros(2, 2, 6, 12).long()
    labels[:, 0, :, 4] = 2
    labels[:, 0, :, 8] = 3
    labels[:, 0, :, 11] = 255
    share = torch.tensor([0.88, 0.1, 0.015, 0.005])
    # 0.015 / 0.02 and 0.005 / 0.02; where both reach, the smaller one
    weight = torch.tensor([1, 1, 0.75, 0.75, 0.75, 0.75, 0.25, 0.25, 0.25, 0.25, 0.25, 1], dtype=torch.float64)
    got = Consistency(**PROBABILITIES, rare=0.02)(*outputs, make_pair(labels), share)
    torch.testing.assert_close(got, (variation(outputs) * weight).mean(), rtol=1e-6, atol=0)


def test_thin_parts_of_a_common_class_weigh_less():
    outputs, labels = make_outputs(size=(32, 32)), torch.zeros(2, 2, 32, 32).long()
    labels[:, :, :, 16:] = 1
    labels[:, :, :, 8] = 2
    weight = torch.ones(32, 32, dtype=torch.float64)
    # a line of one pixel holds a fifth of a window of 5 px; the boundary of two halves never less than two fifths
    weight[:, 6:11] = (0.2 / 0.4) ** 2
    got = Consistency(**PROBABILITIES, thin=0.4)(*outputs, make_pair(labels))
    torch.testing.assert_close(got, (variation(outputs) * weight).mean(), rtol=1e-6, atol=0)


def test_weights_multiply():
    outputs, labels = make_outputs(size=(6, 12)), torch.zeros(2, 2, 6, 12).long()
    labels[:, :, :, 5:] = 1
    share, weight = torch.tensor([0.99, 0.01, 0, 0]), torch.full((12,), 0.5, dtype=torch.float64)
    weight[:3] = 1
    weight[3:7] *= 3
    weight[7:] = 0.5
    settings = {"rare": 0.02, "boundary": 3, "where": "unchanged"}
    got = Consistency(**PROBABILITIES, **settings)(*outputs, make_pair(labels), share)
    torch.testing.assert_close(got, (variation(outputs) * weight).mean(), rtol=1e-6, atol=0)


def test_rare_classes_without_their_shares_are_refused():
    with pytest.raises(ValueError, match=r"class shares: .*rare > 0, got none"):
        Consistency(**PROBABILITIES, rare=0.02)(*make_outputs(), make_pair())


def test_an_answer_that_changes_exactly_as_the_labels_do_costs_nothing():
    labels = torch.tensor([[[[0, 1, 2]], [[0, 2, 255]]]])
    logits = [1000.0 * torch.nn.functional.one_hot(labels[:, t] % 253, 3).movedim(-1, 1) for t in (0, 1)]
    first, second = (SegOutput(x, x) for x in logits)
    pair, change = make_pair(labels), Consistency(**PROBABILITIES, match_change=True)
    assert change(first, second, pair) == 0
    # the answer of the first frame twice: the one pixel that should have changed costs all
    assert change(first, first, pair).item() == pytest.approx(1 / 3)
    # the other way round is twice as wrong
    assert change(second, first, pair).item() == pytest.approx(2 / 3)


def test_where_labels_stand_still_matching_their_change_is_the_variation_of_the_probabilities():
    outputs, labels = make_outputs(), random_labels()
    labels[:, 1] = labels[:, 0]
    got = Consistency(**PROBABILITIES, match_change=True)(*outputs, make_pair(labels))
    torch.testing.assert_close(got, Consistency(**PROBABILITIES, where="unchanged")(*outputs, make_pair(labels)))


def test_matching_the_change_equals_a_loop():
    outputs, labels = make_outputs(), random_labels()
    p, q = (output.logits_BKHW.softmax(1) for output in outputs)
    total = 0.0
    for b, y, x in ((labels[:, 0] != 255) & (labels[:, 1] != 255)).nonzero().tolist():
        a, c = labels[b, :, y, x].tolist()
        total += sum(abs((q - p)[b, k, y, x].item() - ((k == c) - (k == a))) for k in range(4)) / 2
    got = Consistency(**PROBABILITIES, match_change=True)(*outputs, make_pair(labels))
    assert got.item() == pytest.approx(total / (2 * 6 * 8))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single_precision(dtype):
    outputs = [SegOutput(*(part.to(dtype) for part in output)) for output in make_outputs()]
    single = [SegOutput(*(part.float() for part in output)) for output in outputs]
    flow = torch.full((2, 6, 8, 2), 0.5)
    for level in ("features", "logits", "probabilities"):
        loss = Consistency("l1", level, warp=True)
        got = loss(*outputs, make_pair(flow=flow))
        assert got.dtype == torch.float32
        assert got == loss(*single, make_pair(flow=flow))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distance": "l2"}, "distance: one of l1, .* is needed, got l2"),
        ({"level": "encoder"}, "level: one of features, logits, probabilities is needed, got encoder"),
        ({"where": "static"}, "where: one of everywhere, unchanged is needed, got static"),
        ({"stop_gradient": "first"}, "stop_gradient: one of none, second, certain is needed, got first"),
        ({"level": "probabilities", "temperature": 0.0}, "temperature: .*got 0.0"),
        ({"level": "probabilities", "temperature": float("nan")}, "temperature: .*got nan"),
        ({"temperature": 2.0}, "temperature: 1 is needed for the level features, got 2.0"),
        ({"boundary": -1.0}, "boundary: .*got -1.0"),
        ({"boundary": float("inf")}, "boundary: .*got inf"),
        ({"rare": -0.1}, "rare: a number from 0 to 1 is needed, got -0.1"),
        ({"thin": 2.0}, "thin: a number from 0 to 1 is needed, got 2.0"),
        ({"rare": 1.5}, "rare: a number from 0 to 1 is needed, got 1.5"),
        ({"distance": "total_variation"}, "level: probabilities is needed for .*total_variation, got features"),
        ({"distance": "jensen_shannon", "level": "logits"}, "level: probabilities .*got logits"),
        ({"distance": "disagreement"}, "level: probabilities .*got features"),
        ({"match_change": True}, "level: probabilities is needed for match_change, got features"),
        ({"match_change": True, "level": "probabilities"}, "distance: total_variation is needed .*got l1"),
        ({**PROBABILITIES, "match_change": True, "warp": True}, "warp: false is needed for match_change"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Consistency(**{"distance": "l1", "level": "features", **settings})


def test_frames_with_maps_of_different_shapes_are_refused():
    output, _ = make_outputs()
    other, _ = make_outputs(feature_size=(3, 5))
    with pytest.raises(ValueError, match="maps: both need one shape"):
        Consistency("l1", "features")(output, other, make_pair())
