import math

import numpy as np
import pytest
import torch

from facestab.functional.boundary import (
    band_overlap,
    contour,
    contour_distances,
    contour_f,
    contour_matches,
    object_size,
)
from tests.functional import reference_contours as reference
from tests.functional.toys import disc, noise


def blobs(seed, num_classes=4, height=18, width=22, ignored=0.0):
    """Random labels in patches, so that classes have insides; uint8."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(num_classes, (height // 3 + 1, width // 3 + 1), generator=generator)
    labels_HW = coarse.repeat_interleave(3, 0).repeat_interleave(3, 1)[:height, :width].clone()
    flips = torch.rand(labels_HW.shape, generator=generator)
    labels_HW[flips < 0.05] = 0
    labels_HW[flips > 1 - ignored] = 255
    return labels_HW.to(torch.uint8)


def edge_at(column, width=24):
    """Class 0 to the left, class 1 from the column on."""
    return (torch.arange(width) >= column).expand(10, width).to(torch.uint8).contiguous()


def beside_ignored():
    """A rectangle, and its truth, of which nobody knows how far it goes to the right."""
    pred, target = torch.zeros(2, 20, 26, dtype=torch.uint8)
    pred[2:18, 2:14], target[2:18, 2:14], target[:, 14:22] = 1, 1, 255
    return pred, target


PAIRS = [
    (blobs(0), blobs(1)),
    (blobs(2, ignored=0.02), blobs(3, ignored=0.02)),
    (noise(1, seed=4)[0].to(torch.uint8), noise(1, seed=5)[0].to(torch.uint8)),
    beside_ignored(),
    (disc(12, 9, 20, 30, 6).to(torch.uint8), disc(15, 10, 20, 30, 5).to(torch.uint8)),
]
every_pair = pytest.mark.parametrize("pair", range(len(PAIRS)))


def numpys(*tensors):
    return [tensor.numpy() for tensor in tensors]


def test_the_contour_of_a_square_touches_it_from_the_left_and_above():
    mask = np.zeros((6, 6), np.uint8)
    mask[2:4, 2:4] = 255
    expected = np.zeros((6, 6), np.uint8)
    expected[1:4, 1:4] = 255
    expected[2, 2] = 0
    assert contour(mask).tolist() == expected.tolist()


def test_a_class_cut_off_by_the_frame_has_no_contour_there():
    assert not contour(np.full((5, 5), 255, np.uint8)).any()
    assert contour(255 * edge_at(3).numpy()).any(0).nonzero()[0].tolist() == [2]


@every_pair
@pytest.mark.parametrize("class_id", [0, 1, 3])
def test_contours_equal_loops_over_pixels(pair, class_id):
    labels_HW = PAIRS[pair][0]
    got = contour(255 * (labels_HW == class_id).to(torch.uint8).numpy())
    assert {tuple(p) for p in np.argwhere(got).tolist()} == reference.contour(labels_HW, class_id)


@every_pair
@pytest.mark.parametrize("tolerance_px", [1, 2, 3])
def test_matches_equal_loops_over_pixels(pair, tolerance_px):
    expected = [reference.matches(*PAIRS[pair], k, tolerance_px) for k in range(4)]
    assert contour_matches(*numpys(*PAIRS[pair]), 4, tolerance_px).tolist() == expected


@pytest.mark.parametrize(("shift", "num_matched"), [(0, 10), (2, 10), (3, 0)])
def test_an_edge_within_the_tolerance_is_matched_and_beyond_it_is_not(shift, num_matched):
    got = contour_matches(*numpys(edge_at(8), edge_at(8 + shift)), 2, tolerance_px=2)
    assert got.tolist() == [[[num_matched, 10]] * 2] * 2


def test_a_class_on_one_side_only_is_all_unmatched():
    got = contour_matches(*numpys(edge_at(8), edge_at(24)), 3, tolerance_px=2)
    assert got[1].tolist() == [[0, 10], [0, 0]]
    assert got[2].tolist() == [[0, 0], [0, 0]]


def test_contours_at_ignored_pixels_are_not_counted():
    target = edge_at(8)
    target[:, 5:9] = 255
    # the true edge is somewhere in the ignored columns, and so may be the predicted one, but not further away
    assert contour_matches(*numpys(edge_at(8), target), 2, tolerance_px=1)[1].tolist() == [[0, 0], [0, 0]]
    assert contour_matches(*numpys(edge_at(14), target), 2, tolerance_px=1)[1].tolist() == [[0, 10], [0, 0]]


@every_pair
@pytest.mark.parametrize("width_px", [1, 2, 4])
def test_bands_equal_loops_over_pixels(pair, width_px):
    expected = [reference.overlap(*PAIRS[pair], k, width_px) for k in range(4)]
    assert band_overlap(*numpys(*PAIRS[pair]), 4, width_px).tolist() == expected


def test_bands_of_a_shifted_edge_overlap_by_what_they_share():
    # above and below 3 rows each of 16 and 15 columns; in 4 rows between, columns 8-10 and 9-11, and 21-23 of both
    got = band_overlap(*numpys(edge_at(8), edge_at(9)), 2, width_px=3)[1]
    assert got.tolist() == [6 * 15 + 4 * (2 + 3), 6 * 16 + 4 * (4 + 3)]


@every_pair
def test_distances_equal_loops_over_pixels(pair):
    first, second = PAIRS[pair]
    comparable = torch.rand(first.shape, generator=torch.Generator().manual_seed(6)) < 0.9
    sums_K, numbers_K = contour_distances(*numpys(first, second, comparable), 4)
    expected = [reference.distances(first, second, comparable, k) for k in range(4)]
    assert numbers_K.tolist() == [len(distances) for distances in expected]
    assert sums_K.tolist() == pytest.approx([sum(distances) for distances in expected], rel=1e-6)


@pytest.mark.parametrize("shift", [0, 1, 2, 3, 4, 7, 11])
def test_the_distance_of_two_parallel_edges_is_exact_near_and_far(shift):
    everywhere = np.ones((10, 24), bool)
    sums_K, numbers_K = contour_distances(*numpys(edge_at(8), edge_at(8 + shift)), everywhere, 2)
    assert sums_K.tolist() == [20 * shift] * 2
    assert numbers_K.tolist() == [20] * 2


def test_a_class_without_a_contour_in_either_map_is_not_measured():
    everywhere = np.ones((10, 24), bool)
    sums_K, numbers_K = contour_distances(*numpys(edge_at(8), edge_at(24)), everywhere, 2)
    assert sums_K.tolist() == [0, 0]
    assert numbers_K.tolist() == [0, 0]


def test_boundary_f_is_the_harmonic_mean_of_precision_and_recall():
    counts = torch.tensor([[[3, 4], [1, 2]], [[0, 4], [0, 2]], [[0, 4], [0, 0]], [[0, 0], [0, 0]], [[4, 4], [2, 2]]])
    expected = [2 * 0.75 * 0.5 / 1.25, 0, 0, math.nan, 1]
    assert contour_f(counts).tolist() == pytest.approx(expected, nan_ok=True)


def test_the_size_of_an_object_is_the_diagonal_of_its_box():
    labels = np.zeros((20, 20), np.uint8)
    labels[2, 5], labels[4, 8] = 1, 3
    labels[19, 19] = 255
    assert object_size(labels) == 5
    assert object_size(np.zeros((4, 4), np.uint8)) == 0
