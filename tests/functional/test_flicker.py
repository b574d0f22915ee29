import math

import pytest
import torch

from facestab.functional.flicker import (
    aba_counts,
    aba_mask,
    aba_per_frame,
    switch_counts,
    switch_mask,
    switch_per_frame,
)
from tests.functional import references
from tests.functional.toys import disc, noise


def counts(pair):
    events, valid = pair
    assert events.dtype == valid.dtype == torch.int64
    return int(events), int(valid)


def test_aba_counts_a_hand_made_video():
    # columns: still, flips and returns, flips for good, wanders over three classes, ignored in one frame
    frames = [[1, 1, 1, 1, 1], [1, 2, 2, 2, 2], [1, 1, 2, 3, 255], [1, 1, 2, 1, 1]]
    assert counts(aba_counts(torch.tensor(frames).view(4, 1, 5))) == (1, 8)
    assert counts(switch_counts(torch.tensor(frames).view(4, 1, 5))) == (7, 13)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
@pytest.mark.parametrize("num_frames", [0, 1, 2, 3, 9])
def test_counts_equal_a_loop_over_pixels_for_any_length(num_frames, dtype):
    labels_THW = noise(num_frames, num_classes=3, seed=num_frames).to(dtype)
    assert counts(aba_counts(labels_THW)) == references.aba(labels_THW)
    assert counts(switch_counts(labels_THW)) == references.switches(labels_THW)


def test_masks_say_where_and_sum_to_the_counts():
    labels_THW = noise(5)
    for mask, count in ((aba_mask, aba_counts), (switch_mask, switch_counts)):
        events, valid = mask(labels_THW)
        assert counts((events.sum(), valid.sum())) == counts(count(labels_THW))
        assert not (events & ~valid).any()


def test_a_disc_in_smooth_motion_switches_but_never_flips_back():
    labels_THW = torch.stack([disc(20 + 1.5 * t, 24) for t in range(12)]).long()
    assert counts(aba_counts(labels_THW))[0] == 0
    assert counts(switch_counts(labels_THW))[0] > 100


def test_renaming_the_classes_changes_no_count():
    labels_THW = noise(8, num_classes=4)
    renamed = torch.arange(256)
    renamed[:4] = torch.tensor([2, 0, 3, 1])
    for count in (aba_counts, switch_counts):
        assert counts(count(renamed[labels_THW])) == counts(count(labels_THW))


@pytest.mark.parametrize("num_frames", [0, 1, 2, 3, 7])
def test_rates_per_frame_equal_those_of_three_and_two_frame_clips(num_frames):
    labels_THW = noise(num_frames)
    aba, switch = aba_per_frame(labels_THW), switch_per_frame(labels_THW)
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
    assert aba_per_frame(labels_THW).isnan().tolist() == [True, False, True, True, True, True]
    assert switch_per_frame(labels_THW).isnan().tolist() == [True, False, False, True, True, False]
