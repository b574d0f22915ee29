"""The motion of a pair under augmentation, against affine motions that are known."""

import albumentations as A
import cv2
import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from facestab.data.pair_sample import PairSample, from_still, to_batch
from facestab.data.still_pairs import StillPair, affine_flow
from facestab.data.transforms import Augmentation
from facestab.functional.warping import warp_bilinear, warp_labels

SIZE = 64
CONF_AFFINE = {"scale": [0.85, 1.2], "rotate": [-15, 15], "translate_percent": [-0.08, 0.08]}
BORDERS = {
    "continued": {"border_mode": cv2.BORDER_REPLICATE},
    "mirrored": {"border_mode": cv2.BORDER_REFLECT_101},
    "ignored": {"border_mode": cv2.BORDER_CONSTANT, "fill_mask": 255},
    "black": {"border_mode": cv2.BORDER_CONSTANT},
}


def motion(height, width, turn=3.0, scale=1.03, shift=(2.5, -1.5)):
    """The map (2, 3) from a point of the first frame to the same point of the second."""
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, scale)
    matrix[:, 2] += shift
    return matrix


def moving_sample(height=SIZE, width=SIZE, seed=0, **how):
    """Two frames of a smooth random scene that moves, with its labels and exact flow."""
    rng = np.random.default_rng(seed)
    # larger than what is seen: nothing comes in from a border
    margin = 32
    noise = rng.random((height + 2 * margin, width + 2 * margin, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), min(height, width) / 16)
    scene = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    # classes 0 and 1, which have no sides, so that a flip leaves them alone
    scene_labels = (scene[..., 0] > np.median(scene[..., 0])).astype(np.uint8)
    matrix = motion(height, width, **how)
    inner = matrix.copy()
    inner[:, 2] += margin - matrix[:, :2] @ [margin, margin]
    size = scene_labels.shape[::-1]
    seen = slice(margin, margin + height), slice(margin, margin + width)
    frames = np.stack([scene[seen], cv2.warpAffine(scene, inner, size)[seen]])
    labels = np.stack([scene_labels[seen], cv2.warpAffine(scene_labels, inner, size, flags=cv2.INTER_NEAREST)[seen]])
    share = np.full(labels.shape, 0.75, np.float32)
    return PairSample(frames, labels, labels, share, *affine_flow(matrix, height, width))


def flow_under(transform, sample, flip=0.0, size=SIZE, face11=None, seed=0):
    geometry = [] if transform is None else [transform]
    return to_batch(sample, Augmentation(size, face11, geometry=geometry, flip=flip), seed, False)


def check_alignment(batch):
    """The second frame and its labels lie on the first along the flow, and do not without it."""
    frames = batch.frames_BTCHW.float()
    warped, inside = warp_bilinear(frames[1], batch.flow_BHW2)
    valid = inside & batch.visible_BHW
    assert valid.float().mean() > 0.4
    error = (warped - frames[0]).abs().mean(0)[valid].mean()
    still = (frames[1] - frames[0]).abs().mean(0)[valid].mean()
    # what remains is interpolation
    assert error < 4
    assert error < 0.35 * still
    labels, inside = warp_labels(batch.labels_BTHW[1], batch.flow_BHW2)
    valid = inside & batch.visible_BHW & ~beside_an_edge(batch.labels_BTHW[0])
    assert valid.float().mean() > 0.3
    assert (labels == batch.labels_BTHW[0])[valid].float().mean() > 0.995


def beside_an_edge(labels_HW):
    """Where the nearest pixel may be one of another class."""
    shown_1HW = labels_HW[None].float()
    return (max_pool2d(shown_1HW, 5, 1, 2) != -max_pool2d(-shown_1HW, 5, 1, 2))[0]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("border", BORDERS)
def test_the_moved_flow_still_leads_from_the_first_frame_to_the_second(face11, border, seed):
    affine = A.Affine(**CONF_AFFINE, **BORDERS[border], p=1.0)
    check_alignment(flow_under(affine, moving_sample(seed=seed), 0.5, face11=face11, seed=seed))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 100), (128, 150), (40, 48)])
@pytest.mark.parametrize("seed", range(3))
def test_resizing_cropping_and_a_mirror_take_the_flow_along(face11, height, width, seed):
    sample = moving_sample(height, width, seed)
    for flip in (0.0, 1.0):
        check_alignment(flow_under(None, sample, flip, face11=face11, seed=seed))


def test_without_chance_the_flow_is_resized_only(face11):
    batch = to_batch(moving_sample(128, 160), Augmentation(SIZE, face11, flip=1.0), None, False)
    check_alignment(batch)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(("turn", "scale", "shift"), [(15, 0.85, 5), (-15, 0.85, -5), (10, 1.2, 4), (0, 1.0, 0)])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_flow_vectors_turn_and_stretch_to_a_twentieth_of_a_pixel(face11, border, turn, scale, shift, flip):
    flow = np.tile(np.float32([6, -3]), (SIZE, SIZE, 1))
    planes = np.zeros((2, SIZE, SIZE), np.uint8)
    frames = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    sample = PairSample(frames, planes, planes, np.ones(planes.shape, np.float32), flow, None)
    affine = A.Affine(
        scale=(scale, scale),
        rotate=(turn, turn),
        translate_px=(shift, shift),
        interpolation=cv2.INTER_LINEAR,
        **BORDERS[border],
        p=1.0,
    )
    batch = flow_under(affine, sample, flip, face11=face11)
    # albumentations turns against the clock as seen, while rows grow downwards
    angle = np.deg2rad(-turn)
    turned = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ [6, -3]
    expected = turned * [1 - 2 * flip, 1]
    visible = batch.visible_BHW.numpy()
    assert visible[24:40, 24:40].all()
    np.testing.assert_allclose(batch.flow_BHW2.numpy()[visible], np.tile(expected, (visible.sum(), 1)), atol=0.05)


@pytest.mark.parametrize("border", BORDERS)
def test_what_was_filled_or_continued_is_not_visible(face11, border):
    # the picture shrinks about its centre: its place is known
    affine = A.Affine(scale=(0.8, 0.8), **BORDERS[border], p=1.0)
    batch = flow_under(affine, moving_sample(turn=0.0, scale=1.0, shift=(0.0, 0.0)), face11=face11)
    visible = batch.visible_BHW.numpy()
    margin = (SIZE - 0.8 * SIZE) / 2
    first, last = int(np.ceil(margin)) + 1, int(SIZE - margin) - 1
    assert visible[first:last, first:last].all()
    # rounding leaves two pixels in doubt
    outside = np.ones_like(visible)
    outside[int(margin) - 2 : SIZE - int(margin) + 2, int(margin) - 2 : SIZE - int(margin) + 2] = False
    assert not visible[outside].any()


def test_what_is_hidden_stays_hidden(face11):
    sample = moving_sample(turn=0.0, scale=1.0, shift=(0.0, 0.0))
    sample.visible_HW[:, :20] = False
    assert flow_under(None, sample, face11=face11).visible_BHW.sum(1).tolist() == [44] * SIZE
    mirrored = flow_under(None, sample, 1.0, face11=face11).visible_BHW
    assert not mirrored[:, 44:].any()
    assert mirrored[:, :44].all()


def test_a_mirror_exchanges_sides_in_labels_and_runners_up_and_not_in_shares(face11):
    labels = np.zeros((2, SIZE, SIZE), np.uint8)
    labels[:, :, :10] = 2
    runner_up = np.where(labels == 2, 4, 5).astype(np.uint8)
    share = np.where(labels == 2, 0.6, 0.9).astype(np.float32)
    sample = PairSample(np.zeros((2, SIZE, SIZE, 3), np.uint8), labels, runner_up, share, None, None)
    batch = flow_under(None, sample, 1.0, face11=face11)
    assert (batch.labels_BTHW[:, :, 54:] == 3).all()
    assert (batch.labels_BTHW[:, :, :54] == 0).all()
    assert (batch.runner_up_BTHW[:, :, 54:] == 5).all()
    assert (batch.runner_up_BTHW[:, :, :54] == 4).all()
    assert torch.equal(batch.share_BTHW, torch.from_numpy(share[:, :, ::-1].copy()))


def test_filled_pixels_are_ignored_and_have_a_whole_share(face11):
    affine = A.Affine(scale=(0.5, 0.5), **BORDERS["ignored"], p=1.0)
    batch = flow_under(affine, moving_sample(), face11=face11)
    is_filled = batch.labels_BTHW == 255
    assert 0.7 < is_filled.float().mean() < 0.8
    assert (batch.share_BTHW[is_filled] == 1).all()
    assert (batch.share_BTHW[~is_filled] == 0.75).all()


def test_without_flow_there_is_no_motion_and_all_is_visible(face11):
    sample = moving_sample()
    without = PairSample(sample.frames, sample.labels, sample.runner_up, sample.share, None, None)
    batch = to_batch(without, Augmentation(32, face11), None, False)
    assert batch.flow_BHW2.shape == (32, 32, 2)
    assert batch.flow_BHW2.dtype == torch.float32
    assert not batch.flow_BHW2.any()
    assert batch.visible_BHW.dtype == torch.bool
    assert batch.visible_BHW.all()


def test_only_agreeing_ignores_both_labels_where_they_differ():
    sample = moving_sample()
    agreeing = sample.only_agreeing()
    differ = sample.labels[0] != sample.labels[1]
    assert differ.any()
    for t in (0, 1):
        np.testing.assert_array_equal(agreeing.labels[t], np.where(differ, 255, sample.labels[t]))
    np.testing.assert_array_equal(agreeing.runner_up, sample.runner_up)


def test_padding_does_not_count(face11):
    sample = moving_sample()
    still = StillPair(sample.frames, sample.labels, sample.flow_HW2, sample.visible_HW)
    for batch in (to_batch(sample, Augmentation(SIZE, face11), 0, True), from_still(still, True)):
        assert (batch.labels_BTHW == 255).all()
        assert not batch.visible_BHW.any()


def test_a_pair_of_a_still_has_hard_labels(face11):
    sample = moving_sample()
    still = StillPair(sample.frames, sample.labels, sample.flow_HW2, sample.visible_HW)
    batch = from_still(still, False)
    assert torch.equal(batch.labels_BTHW, torch.from_numpy(sample.labels).long())
    assert torch.equal(batch.runner_up_BTHW, batch.labels_BTHW)
    assert (batch.share_BTHW == 1).all()
    assert torch.equal(batch.flow_BHW2, torch.from_numpy(sample.flow_HW2))
