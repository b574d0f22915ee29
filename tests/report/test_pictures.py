import base64

import cv2
import numpy as np
import pytest
import torch

from facestab.functional.flicker import aba_mask
from facestab.report.pictures import choose_column, choose_window, heat, peak_count, png_uri, profile, scan


def random_labels(num_frames, seed=0):
    labels_THW = np.random.default_rng(seed).integers(0, 4, (num_frames, 5, 6)).astype(np.uint8)
    labels_THW[labels_THW == 3] = 255
    return labels_THW


@pytest.mark.parametrize("num_frames", [1, 2, 3, 31, 32, 33, 34, 65, 97])
def test_flips_are_those_of_aba_mask_whatever_the_length(num_frames):
    labels_THW = random_labels(num_frames)
    found = scan(iter(labels_THW), num_frames)
    events_THW, _ = aba_mask(torch.from_numpy(labels_THW))
    np.testing.assert_array_equal(found.flips_HW, events_THW.sum(0).numpy())
    assert len(found.flips_T) == num_frames
    np.testing.assert_array_equal(found.flips_T[1:-1], events_THW.sum((1, 2)).numpy())
    assert found.flips_T[[0, -1]].tolist() == [0, 0]


def test_the_middle_frame_and_the_columns_are_those_of_the_video():
    labels_THW = random_labels(70)
    found = scan(labels_THW, 70)
    np.testing.assert_array_equal(found.middle_HW, labels_THW[35])
    for k in (0, 1, 2, 255):
        np.testing.assert_array_equal(found.columns_KW[k], (labels_THW == k).sum((0, 1)))


def test_a_profile_is_one_column_over_time():
    labels_THW = np.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10], [11, 12]]], np.uint8)
    np.testing.assert_array_equal(profile(iter(labels_THW), 1), [[2, 6, 10], [4, 8, 12]])
    frames_THWC = np.stack([labels_THW] * 3, axis=-1)
    assert profile(frames_THWC, 0).shape == (2, 3, 3)


def test_the_column_goes_through_the_small_classes():
    face = np.array(
        [
            [0, 1, 1, 1, 1, 1, 0],
            [0, 1, 2, 1, 1, 1, 0],
            [0, 1, 1, 1, 1, 1, 0],
            [0, 1, 3, 3, 3, 1, 0],
            [0, 1, 1, 1, 1, 1, 0],
        ],
        np.uint8,
    )
    assert choose_column(scan([face], 1).columns_KW) == 2


def test_without_small_classes_any_foreground_will_do_and_without_that_the_middle():
    one = np.array([[0, 0, 0, 1], [0, 0, 0, 1]], np.uint8)
    assert choose_column(scan([one], 1).columns_KW) == 3
    nothing = np.array([[0, 255, 0, 0, 0]], np.uint8)
    assert choose_column(scan([nothing], 1).columns_KW) == 2


def test_the_window_holds_most_flips():
    flips_T = np.array([0, 1, 0, 5, 4, 0, 0, 1])
    assert choose_window(flips_T, 3) == 2
    assert choose_window(flips_T, 8) == 0
    assert choose_window(np.array([0, 0, 0, 9]), 2) == 2


def test_all_heat_maps_share_one_scale_from_dark_to_bright():
    before_HW, after_HW = np.array([[0, 8], [4, 8]]), np.array([[0, 2], [1, 0]])
    peak = peak_count([before_HW, after_HW])
    assert peak == pytest.approx(8, abs=0.1)
    brightness = [heat(counts_HW, peak).astype(int).sum(-1) for counts_HW in (before_HW, after_HW)]
    assert brightness[0][0, 0] == brightness[1][0, 0] < brightness[1][1, 0] < brightness[1][0, 1] < brightness[0][1, 0]
    assert peak_count([np.zeros((2, 2), int)]) == 1


def test_a_picture_comes_back_from_its_uri():
    picture_HWC = np.random.default_rng(0).integers(0, 256, (3, 4, 3)).astype(np.uint8)
    kind, _, text = png_uri(picture_HWC).partition(",")
    assert kind == "data:image/png;base64"
    found = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(found[..., ::-1], picture_HWC)
