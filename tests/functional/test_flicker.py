import math
from itertools import pairwise

import pytest
import torch

from facestab.functional.flicker import (
    aba_counts,
    aba_mask,
    aba_per_frame,
    count_by_class,
    excess_counts,
    switch_counts,
    switch_mask,
    switch_per_frame,
)
from tests.functional import references
from tests.functional.toys import disc, noise


def masked(mask, labels_THW):
    return tuple(int(part.sum()) for part in mask(labels_THW))


def test_aba_counts_a_hand_made_video():
    # columns: still, flips and returns, flips for good, wanders over three classes, ignored in one frame
    frames = torch.tensor([[1, 1, 1, 1, 1], [1, 2, 2, 2, 2], [1, 1, 2, 3, 255], [1, 1, 2, 1, 1]]).view(4, 1, 5)
    assert masked(aba_mask, frames) == (1, 8)
    assert masked(switch_mask, frames) == (7, 13)
    counts = aba_counts(frames, num_classes=4, band_px=1)
    # class 1: the middle frames of the still column, and the flip; class 2: what has flipped for good
    assert counts.by_class_K2.tolist() == [[0, 0], [1, 3], [0, 1], [0, 0]]
    assert (int(counts.num_boundary), int(counts.num_valid)) == (0, 8)
    assert switch_counts(frames, num_classes=4).tolist() == [[0, 0], [4, 8], [2, 4], [1, 1]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
@pytest.mark.parametrize("num_frames", [0, 1, 2, 3, 9])
def test_masks_and_counts_equal_loops_over_pixels_for_any_length(num_frames, dtype):
    labels_THW = noise(num_frames, num_classes=3, seed=num_frames).to(dtype)
    assert masked(aba_mask, labels_THW) == references.aba(labels_THW)
    assert masked(switch_mask, labels_THW) == references.switches(labels_THW)
    counts = aba_counts(labels_THW, 3, band_px=2)
    assert counts.by_class_K2.dtype == torch.int64
    assert counts.by_class_K2.tolist() == references.aba_by_class(labels_THW, 3)
    assert int(counts.num_valid) == references.aba(labels_THW)[1]
    events = aba_mask(labels_THW)[0]
    bands = [torch.tensor(references.boundary_band(frame, 2)) for frame in labels_THW]
    assert int(counts.num_boundary) == sum(int((e & b).sum()) for e, b in zip(events, bands, strict=False))


def test_switches_are_counted_where_they_are_asked_for():
    labels_THW = noise(6)
    where_THW = torch.rand(5, 6, 7, generator=torch.Generator().manual_seed(0)) < 0.5
    assert switch_counts(labels_THW, 4, where_THW).tolist() == references.switches_by_class(labels_THW, 4, where_THW)
    everywhere = torch.ones_like(where_THW)
    assert switch_counts(labels_THW, 4).tolist() == references.switches_by_class(labels_THW, 4, everywhere)
    with pytest.raises(ValueError, match=r"where: shape \(5, 6, 7\) is needed, got \(6, 6, 7\)"):
        switch_counts(labels_THW, 4, torch.ones(6, 6, 7, dtype=torch.bool))


def test_masks_lie_within_where_they_could():
    for mask in (aba_mask, switch_mask):
        events, valid = mask(noise(5))
        assert events.any()
        assert not (events & ~valid).any()


def test_excess_compares_over_the_pixels_valid_in_both():
    labels_THW, reference_THW = noise(5, seed=1), noise(5, seed=2)
    own = other = total = 0
    for course in references.pixels(labels_THW, reference_THW):
        for (a, r), (b, s) in pairwise(course):
            if 255 not in (a, b, r, s):
                own, other, total = own + (a != b), other + (r != s), total + 1
    assert excess_counts(labels_THW, reference_THW).tolist() == [own, other, total]
    with pytest.raises(ValueError, match=r"labels: .*\(4, 6, 7\).*\(5, 6, 7\)"):
        excess_counts(labels_THW, reference_THW[1:])


@pytest.mark.parametrize("num_classes", [2, 20, 255])
def test_every_id_up_to_the_number_of_classes_is_counted(num_classes):
    labels = torch.arange(num_classes)
    got = count_by_class(labels, labels % 2 == 0, labels > 0, num_classes)
    assert got.tolist() == [[0, 0]] + [[int(k % 2 == 0), 1] for k in range(1, num_classes)]


@pytest.mark.parametrize(
    ("dtype", "wrong"), [(torch.uint8, 4), (torch.uint8, 254), (torch.int64, 4), (torch.int64, -1)]
)
def test_an_id_without_a_class_is_refused(dtype, wrong):
    labels_THW = noise(4).to(dtype)
    labels_THW[1:, 2, 3] = wrong
    for count in (switch_counts, lambda *args: aba_counts(*args, band_px=1)):
        with pytest.raises(ValueError, match=f"labels: ids go from 0 to 3, got .*{wrong}"):
            count(labels_THW, 4)


def test_a_disc_in_smooth_motion_switches_but_never_flips_back():
    labels_THW = torch.stack([disc(20 + 1.5 * t, 24) for t in range(12)]).long()
    assert masked(aba_mask, labels_THW)[0] == 0
    assert masked(switch_mask, labels_THW)[0] > 100


def test_renaming_the_classes_renames_the_counts():
    labels_THW = noise(8, num_classes=4)
    order = torch.tensor([2, 0, 3, 1])
    renamed = torch.arange(256)
    renamed[:4] = order
    plain, other = (aba_counts(ids, 4, band_px=1) for ids in (labels_THW, renamed[labels_THW]))
    assert torch.equal(other.by_class_K2[order], plain.by_class_K2)
    assert other[1:] == plain[1:]
    assert torch.equal(switch_counts(renamed[labels_THW], 4)[order], switch_counts(labels_THW, 4))


@pytest.mark.parametrize("num_frames", [0, 1, 2, 3, 7])
def test_rates_per_frame_equal_those_of_three_and_two_frame_clips(num_frames):
    labels_THW = noise(num_frames)
    aba, switch = aba_per_frame(labels_THW)[:, 0], switch_per_frame(labels_THW)
    assert aba.shape == switch.shape == (num_frames,)
    for t in range(num_frames):
        for got, start, stop, count in (
            (aba, t - 1, t + 2, references.aba),
            (switch, t - 1, t + 1, references.switches),
        ):
            if start < 0 or stop > num_frames:
                assert math.isnan(got[t])
            else:
                events, valid = count(labels_THW[start:stop])
                assert got[t].item() == pytest.approx(events / valid)


def test_a_frame_that_is_ignored_altogether_has_no_rate():
    labels_THW = noise(6)
    labels_THW[3] = 255
    assert aba_per_frame(labels_THW)[:, 0].isnan().tolist() == [True, False, True, True, True, True]
    assert switch_per_frame(labels_THW).isnan().tolist() == [True, False, False, True, True, False]


def test_an_open_pixel_is_no_flicker_of_a_class():
    labels_THW = torch.tensor([[[1, 1]], [[255, 2]], [[1, 1]]], dtype=torch.uint8)
    by_class_TK = aba_per_frame(labels_THW, 3)[:, 1:]
    assert by_class_TK[1].tolist()[1] == 1.0
    assert by_class_TK[1].isnan().tolist() == [True, False, True]
