import numpy as np
import pytest
import torch

from facestab.data.synthetic.clip import Clip
from facestab.data.synthetic.conditions import Conditions
from facestab.functional.regions import boundary_band, boundary_tolerance_px, static_mask
from tests.functional import references
from tests.functional.toys import disc, noise


@pytest.mark.parametrize("band_px", [1, 2, 5])
def test_the_band_equals_a_loop_over_squares(band_px):
    # large patches, so that there is something outside the band
    labels_THW = noise(3, height=4, width=5).repeat_interleave(4, 1).repeat_interleave(4, 2).to(torch.uint8)
    got = boundary_band(labels_THW, band_px)
    assert got.tolist() == [references.boundary_band(frame, band_px) for frame in labels_THW]


def test_the_band_lies_on_both_sides_of_a_straight_boundary():
    labels_THW = torch.zeros(1, 6, 12, dtype=torch.uint8)
    labels_THW[..., 6:] = 3
    columns = boundary_band(labels_THW, 2)[0].all(0)
    assert columns.tolist() == [4 <= x < 8 for x in range(12)]


def test_one_class_has_no_band_and_ignored_pixels_make_none():
    labels_THW = torch.full((2, 8, 8), 4, dtype=torch.uint8)
    labels_THW[1, 2:5, 2:5] = 255
    assert not boundary_band(labels_THW, 3).any()


def test_the_tolerance_is_that_of_davis():
    # diagonals 362.04 and 1001.7 (854 x 480, the size of DAVIS: 8)
    assert boundary_tolerance_px(256, 256) == 3
    assert boundary_tolerance_px(480, 854) == 8
    assert boundary_tolerance_px(16, 16) == 1


def picture(seed=0, size=64):
    """A smooth random picture, as float grey levels around the middle."""
    noise_HW = np.random.default_rng(seed).normal(size=(size // 4, size // 4))
    return 128 + 40 * np.kron(noise_HW, np.ones((4, 4)))


def video(*pictures, sigma=0.0):
    generator = np.random.default_rng(9)
    frames = [np.clip(p + sigma * generator.normal(size=p.shape), 0, 255) for p in pictures]
    return torch.from_numpy(np.stack(frames).astype(np.uint8)[..., None].repeat(3, -1))


def test_a_frozen_picture_is_static_everywhere_and_a_new_one_nowhere():
    same, other = picture(), picture(1)
    mask = static_mask(video(same, same, other, same + 0.0))
    assert mask.shape == (3, 64, 64)
    assert mask.dtype == torch.bool
    assert mask[0].all()
    assert mask[1].float().mean() < 0.15
    assert mask[2].float().mean() < 0.15


def test_an_exposure_that_jumps_is_no_motion():
    assert static_mask(video(picture() / 2, picture() / 2 + 20)).all()


@pytest.mark.parametrize("sigma", [0, 2, 8])
def test_what_moves_is_told_from_noise_of_any_strength(sigma):
    before, moved = picture(), picture()
    # a quarter of the frame shows something else
    moved[16:48, 16:48] = picture(2)[16:48, 16:48]
    mask = static_mask(video(before, moved, sigma=sigma))[0]
    inside = torch.zeros(64, 64, dtype=torch.bool)
    inside[18:46, 18:46] = True
    far = torch.ones(64, 64, dtype=torch.bool)
    far[8:56, 8:56] = False
    assert mask[inside].float().mean() < 0.15
    assert mask[far].float().mean() > 0.6


def test_a_pair_is_judged_alone_so_windows_do_not_matter():
    frames_THWC = video(picture(), picture(), picture(3), picture(3), sigma=5)
    whole = static_mask(frames_THWC)
    assert torch.equal(torch.cat([static_mask(frames_THWC[t : t + 2]) for t in range(3)]), whole)


@pytest.mark.parametrize("num_frames", [0, 1])
def test_without_a_pair_there_is_no_mask(num_frames):
    assert static_mask(torch.zeros(num_frames, 8, 9, 3, dtype=torch.uint8)).shape == (0, 8, 9)


def test_flow_of_half_a_pixel_is_motion():
    frames_THWC = video(picture(), picture())
    flow_THW2 = torch.zeros(1, 64, 64, 2)
    flow_THW2[0, :, :20] = torch.tensor([0.3, 0.3])
    flow_THW2[0, :, 20:40] = torch.tensor([0.3, -0.4])
    flow_THW2[0, :, 40:50, 1] = torch.nan
    expected = torch.ones(64, dtype=torch.bool)
    expected[20:50] = False
    assert torch.equal(static_mask(frames_THWC, flow_THW2)[0], expected.expand(64, 64))
    with pytest.raises(ValueError, match="flow: shape"):
        static_mask(frames_THWC, flow_THW2[0])


def test_of_a_disc_that_moves_the_edges_are_not_static():
    frames = [200.0 * disc(x, 24).numpy() + 20 for x in (30, 33)]
    mask = static_mask(video(*frames, sigma=3))[0]
    changed = disc(30, 24) ^ disc(33, 24)
    assert not mask[changed].any()
    assert mask[:, :10].float().mean() > 0.7


@pytest.mark.parametrize(("conditions", "precision"), [(Conditions.clean(), 0.99), (Conditions.video(), 0.98)])
def test_in_the_synthetic_world_what_is_called_static_rests_and_keeps_its_label(conditions, precision):
    clip = Clip(7, 3, num_frames=60, size=96, conditions=conditions)
    times = range(40, 48)
    labels_THW = np.stack([clip.labels(t) for t in times])
    speeds_THW = np.stack([np.linalg.norm(clip.flow(t)[0], axis=-1) for t in times[:-1]])
    rests_THW = (speeds_THW < 0.5) & (labels_THW[1:] == labels_THW[:-1])
    mask = static_mask(torch.from_numpy(np.stack([clip.frame(t) for t in times]))).numpy()
    assert 0.4 < mask.mean() < 0.9
    assert rests_THW[mask].mean() > precision
    # of what moves or changes, less is called static than of what rests
    assert mask[~rests_THW].mean() < 0.7 * mask[rests_THW].mean()
