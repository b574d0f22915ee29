import albumentations as A
import cv2
import numpy as np
import pytest
import torch

from facestab.data.images import ImageSplit, LabelledImage
from facestab.data.still_pairs import StillPairs, affine_flow
from facestab.data.transforms import Augmentation
from facestab.functional.warping import warp_bilinear, warp_labels

SIZE = 64


class Smooth(ImageSplit):
    """Smooth random images with two classes, one for each half of the brightness."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        noise = np.random.default_rng(index).random((SIZE, SIZE, 3)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 4)
        image = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
        return LabelledImage(image, (image[..., 0] > np.median(image[..., 0])).astype(np.uint8))


def stills(face11, photometric=(), **strengths):
    return StillPairs(Smooth(), Augmentation(SIZE, face11, photometric=photometric), **strengths)


@pytest.mark.parametrize("strengths", [{"shift": 3.0}, {"turn": 5.0}, {"zoom": 0.06}, {"shift": 2.0, "turn": 4.0}])
@pytest.mark.parametrize("seed", range(4))
def test_the_second_picture_lies_on_the_first_along_the_flow(face11, strengths, seed):
    still = {"shift": 0.0, "turn": 0.0, "zoom": 0.0}
    pair = stills(face11, **{**still, **strengths}).pair(seed)
    assert np.abs(pair.flow_HW2).max() > 0.2
    flow, visible = torch.from_numpy(pair.flow_HW2), torch.from_numpy(pair.visible_HW)
    labels, inside = warp_labels(torch.from_numpy(pair.labels[1]), flow)
    # the nearest pixel may be one of another class only beside an edge
    edge = cv2.dilate(pair.labels[0], np.ones((3, 3))) != cv2.erode(pair.labels[0], np.ones((3, 3)))
    valid = inside & visible & ~torch.from_numpy(edge)
    assert valid.float().mean() > 0.5
    assert (labels == torch.from_numpy(pair.labels[0]))[valid].all()
    first, second = (torch.from_numpy(frame).permute(2, 0, 1).float() for frame in pair.frames)
    warped, inside = warp_bilinear(second, flow)
    # twice interpolated, and rounded
    assert (warped - first).abs().mean(0)[inside & visible].mean() < 2


def test_the_motion_of_a_map_by_hand():
    flow_HW2, visible_HW = affine_flow(np.array([[0.0, -1.0, 3.0], [2.0, 0.0, 0.5]]), 3, 4)
    assert flow_HW2.shape == (3, 4, 2)
    assert flow_HW2.dtype == np.float32
    # (x, y) = (1, 2) goes to (1, 2.5), below the last row; (0, 1) to (2, 0.5)
    np.testing.assert_allclose(flow_HW2[2, 1], [0, 0.5])
    np.testing.assert_allclose(flow_HW2[1, 0], [2, -0.5])
    assert not visible_HW[2, 1]
    assert visible_HW[1, 0]


def test_a_point_is_visible_while_it_stays_in_the_picture():
    _, visible_HW = affine_flow(np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]]), 4, 5)
    expected = np.zeros((4, 5), bool)
    expected[1:, :3] = True
    np.testing.assert_array_equal(visible_HW, expected)


def test_without_motion_labels_are_equal_and_the_flow_is_zero(face11):
    for seed in range(5):
        pair = stills(face11, shift=0.0, turn=0.0, zoom=0.0).pair(seed)
        assert not pair.flow_HW2.any()
        assert pair.visible_HW.all()
        np.testing.assert_array_equal(pair.labels[0], pair.labels[1])
        np.testing.assert_array_equal(pair.frames[0], pair.frames[1])


def test_each_picture_is_damaged_on_its_own(face11):
    noise = [A.GaussNoise(std_range=(0.1, 0.1), p=1.0)]
    still = {"shift": 0.0, "turn": 0.0, "zoom": 0.0}
    clean = stills(face11, **still).pair(3)
    noisy = stills(face11, noise, **still).pair(3)
    np.testing.assert_array_equal(noisy.labels, clean.labels)
    # away from black and white, where noise is cut off
    middle = (clean.frames[0] > 80) & (clean.frames[0] < 175)
    errors = [(noisy.frames[t].astype(float) - clean.frames[t])[middle] for t in (0, 1)]
    assert all(error.std() > 10 for error in errors)
    assert abs(np.corrcoef(errors)[0, 1]) < 0.1


def test_the_seed_decides_everything(face11):
    noise = [A.GaussNoise(std_range=(0.1, 0.1), p=1.0)]
    first, again, other = (stills(face11, noise).pair(seed) for seed in (1, 1, 2))
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, same)
    assert (first.frames != other.frames).any()
    assert (first.flow_HW2 != other.flow_HW2).any()


def test_all_images_are_used(face11):
    still = {"shift": 0.0, "turn": 0.0, "zoom": 0.0}
    pairs = stills(face11, **still)
    assert len(pairs) == 3
    assert len({pairs.pair(seed).frames.tobytes() for seed in range(30)}) == 3


@pytest.mark.parametrize("strengths", [{"shift": -0.1}, {"turn": -1.0}, {"zoom": -0.01}, {"shift": float("nan")}])
def test_strengths_that_cannot_be_are_refused(face11, strengths):
    ((name, value),) = strengths.items()
    with pytest.raises(ValueError, match=f"{name}: 0 or more is needed, got {value}"):
        stills(face11, **strengths)
