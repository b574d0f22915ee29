import math

import pytest
import torch

from facestab.functional.fusion import fuse, photometric_weight, vote


def random_probs(num_frames, num_classes=3, height=4, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(num_frames, num_classes, height, width, generator=generator).mul(4).softmax(1)


def random_weights(num_links, height=4, width=5, seed=1):
    return torch.rand(num_links, height, width, generator=torch.Generator().manual_seed(seed))


def weighted_means(probs_TKHW, to_previous_TH, to_next_TH, decay):
    """A slow reference without motion: the weight of frame s is the product of what lies on the way to it."""
    means = []
    for t in range(len(probs_TKHW)):
        weights = []
        for s in range(len(probs_TKHW)):
            links = to_previous_TH[s:t] if s < t else to_next_TH[t:s]
            weights.append(decay ** abs(t - s) * links.prod(0))
        means.append(sum(w * p for w, p in zip(weights, probs_TKHW, strict=True)) / sum(weights))
    return torch.stack(means)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("with_flow", [False, True])
def test_without_motion_a_frame_counts_by_its_distance(decay, with_flow):
    probs, ones = random_probs(6), torch.ones(5, 4, 5)
    flow = torch.zeros(5, 4, 5, 2) if with_flow else None
    fused = fuse(probs, flow, ones, flow, ones, decay)
    for t in range(6):
        weights = torch.tensor([decay ** abs(t - s) for s in range(6)])
        expected = (weights[:, None, None, None] * probs).sum(0) / weights.sum()
        torch.testing.assert_close(fused[t], expected)


def test_the_weights_of_all_links_on_the_way_count():
    probs, back, forth = random_probs(6), random_weights(5), random_weights(5, seed=2)
    fused = fuse(probs, None, back, None, forth, 0.8)
    torch.testing.assert_close(fused, weighted_means(probs, back, forth, 0.8))


def test_the_result_is_a_distribution_under_any_motion():
    generator = torch.Generator().manual_seed(3)
    flows = [3 * torch.randn(4, 4, 5, 2, generator=generator) for _ in range(2)]
    fused = fuse(random_probs(5), flows[0], random_weights(4), flows[1], random_weights(4, seed=2), 0.9)
    torch.testing.assert_close(fused.sum(1), torch.ones(5, 4, 5))
    assert fused.min() >= 0


def test_lists_of_frames_are_as_good_as_tensors():
    probs, weights, flow = random_probs(4), random_weights(3), torch.ones(3, 4, 5, 2)
    whole = fuse(probs, flow, weights, -flow, weights, 0.7)
    torch.testing.assert_close(whole, fuse(list(probs), list(flow), list(weights), list(-flow), list(weights), 0.7))


def test_one_frame_stays_as_it_is():
    probs = random_probs(1)
    assert torch.equal(fuse(probs, None, [], None, [], 0.7), probs)


def test_the_probabilities_given_are_not_changed():
    probs, ones = random_probs(3), torch.ones(2, 4, 5)
    before = probs.clone()
    fuse(probs, None, ones, None, ones, 0.7)
    assert torch.equal(probs, before)


def moving_dot(num_frames=7, width=12):
    """A dot of class 1 that moves one pixel to the right a frame, from column 2 on, and its exact flows."""
    probs = torch.zeros(num_frames, 2, 5, width)
    probs[:, 0] = 1
    back, forth = torch.zeros(num_frames - 1, 5, width, 2), torch.zeros(num_frames - 1, 5, width, 2)
    for t in range(num_frames):
        probs[t, :, 2, 2 + t] = torch.tensor([0.0, 1.0])
        if t:
            back[t - 1, 2, 2 + t, 0] = -1
            forth[t - 1, 2, 1 + t, 0] = 1
    return probs, back, forth


def test_a_moving_dot_that_is_missed_once_is_found_again_where_it_is():
    truth, back, forth = moving_dot()
    seen = truth.clone()
    seen[3] = torch.tensor([1.0, 0.0])[:, None, None]
    ones = torch.ones(6, 5, 12)
    fused = fuse(seen, back, ones, forth, ones, 0.7)
    # the dot's own place: all frames but the missed one say so
    weights = [0.7 ** abs(3 - s) for s in range(7)]
    assert fused[3, 1, 2, 5].item() == pytest.approx(1 - 1 / sum(weights), abs=1e-5)
    assert torch.equal(fused.argmax(1)[3], truth.argmax(1)[3])
    still = fuse(seen, None, ones, None, ones, 0.7)
    assert still[3, 1, 2, 5] == 0


def test_where_the_motion_leads_out_of_the_frame_the_frame_speaks_for_itself():
    probs, ones = random_probs(2), torch.ones(1, 4, 5)
    flow = torch.zeros(1, 4, 5, 2)
    flow[..., 0] = 2
    fused = fuse(probs, flow, ones, flow, ones, 0.5)
    torch.testing.assert_close(fused[..., 3:], probs[..., 3:])
    torch.testing.assert_close(fused[1, ..., :3], (probs[1, ..., :3] + 0.5 * probs[0, ..., 2:]) / 1.5)


def test_nothing_passes_a_link_without_weight():
    probs, weights = random_probs(4), torch.ones(3, 4, 5)
    weights[1] = 0
    fused = fuse(probs, None, weights, None, weights, 0.6)
    ones = torch.ones(1, 4, 5)
    halves = [fuse(part, None, ones, None, ones, 0.6) for part in (probs[:2], probs[2:])]
    torch.testing.assert_close(fused, torch.cat(halves))


def test_what_cannot_be_fused_is_refused():
    probs, ones = random_probs(3), torch.ones(2, 4, 5)
    for decay in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"decay: 0 <= decay <= 1 is needed"):
            fuse(probs, None, ones, None, ones, decay)
    with pytest.raises(ValueError, match=r"links: 2 are needed between 3 frames, got 1"):
        fuse(probs, None, ones, None, ones[:1], 0.5)


def box_mean(picture, row, column, reach):
    """Mean of the pixels at most `reach` rows and columns away that there are."""
    rows = slice(max(0, row - reach), row + reach + 1)
    return picture[rows, max(0, column - reach) : column + reach + 1].mean()


def slow_weight(a_CHW, b_CHW, scale):
    height, width = a_CHW.shape[1:]
    difference_HW, weight_HW = torch.zeros(height, width), torch.zeros(height, width)
    for row in range(height):
        for column in range(width):
            for a_HW, b_HW in zip(a_CHW, b_CHW, strict=True):
                scaled_HW = b_HW * (a_HW.mean() / b_HW.mean())
                gap = box_mean(a_HW, row, column, 1) - box_mean(scaled_HW, row, column, 1)
                difference_HW[row, column] += gap.abs() / len(a_CHW)
    for row in range(height):
        for column in range(width):
            residual = box_mean(difference_HW, row, column, 2).item()
            weight_HW[row, column] = math.exp(-((residual / scale) ** 2))
    return weight_HW


def test_the_photometric_weight_equals_a_loop_over_pixels():
    generator = torch.Generator().manual_seed(0)
    a_BCHW, b_BCHW = 255 * torch.rand(2, 2, 3, 6, 7, generator=generator)
    weight_BHW = photometric_weight(a_BCHW, b_BCHW, 40.0)
    expected = [slow_weight(a, b, 40.0) for a, b in zip(a_BCHW, b_BCHW, strict=True)]
    torch.testing.assert_close(weight_BHW, torch.stack(expected))
    torch.testing.assert_close(photometric_weight(a_BCHW[0], b_BCHW[0], 40.0), expected[0])


def test_a_change_of_gain_is_no_difference_and_another_thing_is():
    generator = torch.Generator().manual_seed(0)
    a_CHW = 60 + 100 * torch.rand(3, 40, 40, generator=generator)
    gain_C11 = torch.tensor([0.7, 0.9, 1.2])[:, None, None]
    torch.testing.assert_close(photometric_weight(a_CHW, gain_C11 * a_CHW, 12.0), torch.ones(40, 40))
    b_CHW = a_CHW.clone()
    b_CHW[:, 8:14, 8:14] += 80
    weight_HW = photometric_weight(a_CHW, b_CHW, 12.0)
    assert weight_HW[9:13, 9:13].max() < 0.01
    assert weight_HW[:4].min() > 0.95


def test_a_black_frame_is_like_no_picture_whatever_the_gain():
    picture, black = torch.full((3, 8, 8), 150.0), torch.zeros(3, 8, 8)
    assert photometric_weight(picture, black, 12.0).max() < 1e-6
    assert photometric_weight(black, picture, 12.0).max() < 1e-6


def test_two_black_frames_are_the_same():
    assert photometric_weight(torch.zeros(3, 4, 5), torch.zeros(3, 4, 5), 12.0).tolist() == torch.ones(4, 5).tolist()


def test_votes_are_shared_among_those_who_see_the_pixel_and_know_its_class():
    labels_THW = torch.tensor([[[0, 0, 2, 1]], [[1, 1, 255, 1]], [[1, 1, 2, 1]]], dtype=torch.uint8)
    visible_THW = torch.tensor([[[1, 1, 1, 1]], [[1, 0, 1, 1]], [[1, 0, 1, 1]]]).bool()
    middle_KHW = torch.nn.functional.one_hot(labels_THW[0].long(), 3).movedim(-1, 0).float()
    shares_KHW = vote(labels_THW, visible_THW, middle_KHW)
    expected = torch.tensor([[1 / 3, 1, 0, 0], [2 / 3, 0, 0, 1], [0, 0, 1, 0]])
    torch.testing.assert_close(shares_KHW[:, 0], expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(shares_KHW.sum(0), torch.ones(1, 4))


def test_the_middle_frames_probabilities_decide_a_tie_and_nothing_else():
    labels_THW = torch.tensor([0, 0, 2, 1, 1]).view(5, 1, 1)
    visible_THW = torch.ones(5, 1, 1, dtype=torch.bool)
    for middle_K, winner in (([0.3, 0.2, 0.5], 0), ([0.2, 0.3, 0.5], 1)):
        assert vote(labels_THW, visible_THW, torch.tensor(middle_K).view(3, 1, 1)).argmax().item() == winner
    certain_KHW = torch.tensor([0.0, 0.0, 1.0]).view(3, 1, 1)
    assert vote(labels_THW[:4], visible_THW[:4], certain_KHW).argmax().item() == 0
