import pytest
import torch

from facestab.functional.warping import visible_mask, warp_bilinear, warp_labels
from tests.functional import references
from tests.functional.toys import moving_disc, noise, panorama


def random_flow(*shape, scale=3.0, seed=0):
    return scale * torch.randn(*shape, 2, generator=torch.Generator().manual_seed(seed))


def test_labels_are_fetched_from_where_the_flow_points():
    labels_HW = torch.tensor([[1, 2, 3], [4, 5, 6]])
    flow_HW2 = torch.zeros(2, 3, 2)
    flow_HW2[0, 0] = torch.tensor([2.0, 1.0])
    flow_HW2[1, 2] = torch.tensor([-1.0, 0.0])
    flow_HW2[1, 0] = torch.tensor([-1.0, 0.0])
    warped, in_bounds = warp_labels(labels_HW, flow_HW2)
    assert warped.tolist() == [[6, 2, 3], [255, 5, 5]]
    assert in_bounds.tolist() == [[True, True, True], [False, True, True]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_warped_labels_equal_a_loop_over_pixels(dtype):
    labels_THW, flow_THW2 = noise(3).to(dtype), random_flow(3, 6, 7)
    warped, in_bounds = warp_labels(labels_THW, flow_THW2)
    expected = [references.warp_nearest(*frame) for frame in zip(labels_THW, flow_THW2, strict=True)]
    assert warped.dtype == dtype
    assert warped.tolist() == [labels for labels, _ in expected]
    assert in_bounds.tolist() == [inside for _, inside in expected]


def test_labels_under_an_integer_shift_come_back_exactly_where_they_stay_in_view():
    labels_THW, flow = panorama(2, step_x=3, step_y=-2)
    warped, in_bounds = warp_labels(labels_THW[1], flow[0])
    assert int(in_bounds.sum()) == (20 - 2) * (24 - 3)
    assert torch.equal(warped[in_bounds], labels_THW[0][in_bounds])
    assert (warped[~in_bounds] == 255).all()


@pytest.mark.parametrize("shift", [0.5, -0.5, 1.5])
def test_a_half_pixel_shift_makes_no_new_class_and_drops_no_column(shift):
    labels_HW = (torch.arange(20) * 7 % 200).expand(4, 20).clone()
    flow_HW2 = torch.zeros(4, 20, 2)
    flow_HW2[..., 0] = shift
    warped, in_bounds = warp_labels(labels_HW, flow_HW2)
    assert set(warped[in_bounds].tolist()) <= set(labels_HW.flatten().tolist())
    assert len(set(warped[0, in_bounds[0]].tolist())) == int(in_bounds[0].sum())


def test_a_flow_that_is_not_finite_is_out_of_bounds_everywhere():
    flow_HW2 = torch.zeros(2, 3, 2)
    flow_HW2[0, 0, 0], flow_HW2[0, 1, 1], flow_HW2[1, 2, 0] = torch.nan, torch.inf, -torch.inf
    expected = [[False, False, True], [True, True, False]]
    assert warp_labels(torch.ones(2, 3).long(), flow_HW2)[1].tolist() == expected
    warped, in_bounds = warp_bilinear(torch.ones(1, 2, 3), flow_HW2)
    assert in_bounds.tolist() == expected
    assert warped[0].tolist() == in_bounds.float().tolist()
    assert visible_mask(flow_HW2, torch.zeros(2, 3, 2)).tolist() == expected


def test_half_precision_flow_keeps_coordinates_beyond_2048():
    labels_HW = torch.arange(3001).view(1, 3001)
    warped, _ = warp_labels(labels_HW, torch.ones(1, 3001, 2).half() * torch.tensor([1.0, 0.0]))
    assert warped[0, :-1].tolist() == list(range(1, 3001))


@pytest.mark.parametrize(("labels", "flow"), [((4, 5), (5, 4, 2)), ((3, 4, 5), (4, 5, 2)), ((4, 5), (4, 5))])
def test_a_flow_of_another_shape_is_refused(labels, flow):
    with pytest.raises(ValueError, match="flow: shape"):
        warp_labels(torch.zeros(labels).long(), torch.zeros(flow))


def test_bilinear_samples_equal_a_loop_over_pixels():
    maps_TCHW = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    flow_THW2 = random_flow(2, 4, 5, scale=1.0)
    warped, in_bounds = warp_bilinear(maps_TCHW, flow_THW2)
    for t, y, x in torch.cartesian_prod(torch.arange(2), torch.arange(4), torch.arange(5)).tolist():
        dx, dy = flow_THW2[t, y, x].tolist()
        for c in range(3):
            expected = references.sample_bilinear(maps_TCHW[t, c], x + dx, y + dy)
            assert bool(in_bounds[t, y, x]) == (expected is not None)
            assert warped[t, c, y, x].item() == pytest.approx(expected or 0.0, abs=1e-5)
    assert 0 < in_bounds.sum() < in_bounds.numel()


def test_bilinear_warping_by_whole_pixels_is_exact():
    maps_CHW = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(2))
    warped, in_bounds = warp_bilinear(maps_CHW, torch.tensor([2.0, -1.0]).expand(4, 6, 2))
    assert torch.equal(warped[:, 1:, :4], maps_CHW[:, :3, 2:])
    assert int(in_bounds.sum()) == 3 * 4


def test_the_gradient_of_the_bilinear_warp_agrees_with_finite_differences():
    maps_CHW = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    flow_HW2 = random_flow(3, 4, scale=0.7)
    assert torch.autograd.gradcheck(lambda maps: warp_bilinear(maps, flow_HW2)[0], [maps_CHW])


def test_visible_mask_equals_a_loop_over_pixels():
    forward, backward = random_flow(2, 6, 7, scale=1.0), random_flow(2, 6, 7, scale=1.0, seed=1)
    got = visible_mask(forward, backward)
    assert got.tolist() == [references.visible(*frame) for frame in zip(forward, backward, strict=True)]
    assert 0 < got.sum() < got.numel()


def test_visible_mask_hits_the_138_pixels_that_the_disc_covers_and_no_other():
    _, forward, backward, covered = moving_disc()
    assert int(covered.sum()) == 138
    assert torch.equal(~visible_mask(forward, backward)[0], covered)


def test_adding_the_flows_at_the_same_pixel_would_flag_138_more():
    _, forward, backward, covered = moving_disc()
    squares = forward.square().sum(-1) + backward.square().sum(-1)
    same_pixel = (forward + backward).square().sum(-1) > 0.01 * squares + 0.5
    assert int(same_pixel.sum()) == 276
    assert int((same_pixel[0] & covered).sum()) == 138


@pytest.mark.parametrize(
    ("forward", "backward", "expected"),
    # the squared mismatch and its bound: 7.29 and 7.49, 7.84 and 7.46, 0.504 and 0.505, 0.518 and 0.505
    [(20.0, -17.3, True), (20.0, -17.2, False), (0.0, 0.71, True), (0.0, 0.72, False)],
)
def test_the_flows_may_disagree_by_a_part_of_their_length(forward, backward, expected):
    forward_HW2, backward_HW2 = torch.zeros(2, 3, 40, 2)
    forward_HW2[..., 0], backward_HW2[..., 0] = forward, backward
    assert bool(visible_mask(forward_HW2, backward_HW2)[1, 5]) is expected


def test_what_leaves_the_frame_is_not_visible_even_when_both_flows_agree():
    forward = torch.tensor([3.0, 0.0]).expand(4, 8, 2)
    assert visible_mask(forward, -forward).tolist() == [[True] * 5 + [False] * 3] * 4
