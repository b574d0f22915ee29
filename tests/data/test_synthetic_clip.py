"""Clips of the synthetic world: reproducible, at the speed of life, and worse than stills where asked."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from facestab.data.synthetic import Clip, Conditions, identity_seed

FRONTAL = replace(Conditions.clean(), hand=0.0)


def _clip(seed: int, *, num_frames: int = 50, size: int = 64, conditions: Conditions = FRONTAL) -> Clip:
    return Clip(identity_seed("train", seed), seed, num_frames=num_frames, size=size, conditions=conditions)


def test_frames_do_not_depend_on_the_order_in_which_they_are_asked_for() -> None:
    forward, backward = (_clip(5, num_frames=6, conditions=Conditions.video()) for _ in range(2))
    frames = {t: forward.frame(t) for t in range(6)}
    for t in reversed(range(6)):
        np.testing.assert_array_equal(backward.flow(min(t, 4))[0], forward.flow(min(t, 4))[0])
        np.testing.assert_array_equal(backward.labels(t), forward.labels(t))
        np.testing.assert_array_equal(backward.frame(t), frames[t])


def test_seeds_of_identity_and_clip_both_change_the_video() -> None:
    first, other_person, other_clip = (
        Clip(a, b, num_frames=2, size=64, conditions=FRONTAL).clean_frame(0).astype(int)
        for a, b in ((1, 1), (2, 1), (1, 2))
    )
    assert np.abs(first - other_person).mean() > 5
    assert np.abs(first - other_clip).mean() > 5


def test_arrays_have_the_promised_types_and_shapes() -> None:
    clip = _clip(2, num_frames=2)
    flow_HW2, visible_HW = clip.flow(0)
    surface = clip.surface(0)
    arrays = [clip.frame(0), clip.clean_frame(0), clip.labels(0), surface.layer_HW, surface.material_HW3]
    found = [(a.dtype.name, a.shape) for a in [*arrays, flow_HW2, visible_HW]]
    square = (64, 64)
    assert found == [
        ("uint8", (*square, 3)),
        ("uint8", (*square, 3)),
        ("uint8", square),
        ("int64", square),
        ("float32", (*square, 3)),
        ("float32", (*square, 2)),
        ("bool", square),
    ]


def test_about_one_percent_of_the_pixels_change_class_per_frame() -> None:
    rates = []
    for seed in range(16):
        clip = _clip(seed, num_frames=40, conditions=Conditions.video())
        labels_THW = np.stack([clip.labels(t) for t in range(40)])
        rates.append((labels_THW[1:] != labels_THW[:-1]).mean())
    assert 0.005 < np.mean(rates) < 0.015


def test_a_blink_takes_the_eyes_pixels_away_and_gives_them_back() -> None:
    clip = _clip(1, num_frames=60, size=96)
    state_T = [clip.state(t) for t in range(60)]
    area_T = np.array([(clip.labels(t) == 4).sum() for t in range(60)])
    closed = int(np.argmin([state.eye_left for state in state_T]))
    assert area_T[closed] <= 3
    assert area_T[:closed].max() > 20
    assert area_T[closed:].max() > 20


def test_blinks_last_four_to_eight_frames() -> None:
    lengths = []
    for seed in range(20):
        clip = _clip(seed, num_frames=120)
        lid_T = np.array([clip.state(t).eye_left for t in range(120)])
        is_shutting_T = np.concatenate([[False], lid_T < 0.9 * np.median(lid_T), [False]])
        starts, stops = (np.flatnonzero(np.diff(is_shutting_T.astype(int)) == step) for step in (1, -1))
        lengths += [stop - start for start, stop in zip(starts, stops, strict=True) if start > 0 and stop < 120]
    assert len(lengths) > 20
    assert 4 <= np.median(lengths) <= 8
    assert np.quantile(lengths, 0.9) <= 8


def test_mouths_open_and_pause() -> None:
    clips = [_clip(seed, num_frames=150) for seed in range(6)]
    mouth_ST = np.array([[clip.state(t).mouth for t in range(150)] for clip in clips])
    assert (mouth_ST.max(1) > 0.5).all()
    assert 0.1 < (mouth_ST < 0.05).mean() < 0.7
    is_peak = (
        (mouth_ST[:, 1:-1] > mouth_ST[:, :-2]) & (mouth_ST[:, 1:-1] >= mouth_ST[:, 2:]) & (mouth_ST[:, 1:-1] > 0.1)
    )
    assert 1.0 < is_peak.sum() / (6 * 150 / 25) < 5.0


def test_an_open_mouth_shows_more_inner_mouth_than_a_closed_one() -> None:
    clip = _clip(3, num_frames=60)
    mouth_T = np.array([clip.state(t).mouth for t in range(60)])
    shown, hidden = (int((clip.labels(int(t)) == 8).sum()) for t in (mouth_T.argmax(), mouth_T.argmin()))
    assert hidden <= 3
    assert shown > 12


def test_video_conditions_damage_a_clip_far_more_than_clean_ones() -> None:
    distance = {}
    for name, conditions in (("clean", Conditions.clean()), ("video", Conditions.video())):
        clips = [_clip(seed, num_frames=2, conditions=conditions) for seed in range(6)]
        distance[name] = np.mean([np.abs(c.frame(0).astype(int) - c.clean_frame(0)).mean() for c in clips])
    assert distance["video"] > 3 * distance["clean"]
    assert distance["video"] < 70


def test_noise_is_drawn_for_each_frame() -> None:
    still = Conditions(noise=0.05, motion=0.0)
    clip = _clip(4, num_frames=2, conditions=still)
    np.testing.assert_array_equal(clip.clean_frame(0), clip.clean_frame(1))
    first, second = (clip.frame(t).astype(float) - clip.clean_frame(t) for t in (0, 1))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1
    assert 5 < (first - second).std() < 60


def test_noise_is_heavier_in_the_dark() -> None:
    clip = _clip(9, num_frames=8, conditions=Conditions(noise=0.04, motion=0.0))
    clean_HW = clip.clean_frame(0).mean(-1)
    spread_HW = np.std([clip.frame(t) for t in range(8)], axis=0).mean(-1)
    assert spread_HW[clean_HW < 70].mean() > 1.3 * spread_HW[clean_HW > 130].mean()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gain_flicker", 0.1),
        ("colour_flicker", 0.1),
        ("colour_cast", 0.2),
        ("dimming", 0.9),
        ("blur", 20.0),
        ("jpeg_quality", (10, 20)),
        ("light_drift", 1.0),
        ("hand", 1.0),
    ],
)
def test_each_condition_changes_the_frames(name: str, value: float) -> None:
    plain = _clip(6, num_frames=20, conditions=Conditions())
    changed = _clip(6, num_frames=20, conditions=replace(Conditions(), **{name: value}))
    apart = [np.abs(plain.frame(t).astype(int) - changed.frame(t)).mean() for t in range(0, 20, 5)]
    assert np.max(apart) > 0.5


def test_an_open_shutter_smears_a_moving_face() -> None:
    sharp, smeared = (_clip(6, conditions=Conditions(motion=8.0, motion_blur=share)) for share in (0.0, 1.0))
    apart = [np.abs(sharp.frame(t).astype(int) - smeared.frame(t)).mean() for t in range(0, 50, 5)]
    assert np.max(apart) > 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_frames": 0}, "num_frames: at least 1 is needed, got 0"),
        ({"size": 8}, "size: at least 16 pixels are needed, got 8"),
        ({"fps": Fraction(0)}, "fps: more than 0 is needed, got 0"),
        ({"identity_seed": -1}, "seed: seeds are not negative"),
        ({"clip_seed": -1}, "seed: seeds are not negative"),
    ],
)
def test_clip_refuses_settings_that_make_no_video(settings: dict, message: str) -> None:
    valid = {"identity_seed": 0, "clip_seed": 0, "num_frames": 2, "size": 32, "conditions": FRONTAL}
    with pytest.raises(ValueError, match=message):
        Clip(**(valid | settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": -0.1}, "noise: a strength of 0 or more is needed, got -0.1"),
        ({"blur": float("nan")}, "blur: a strength of 0 or more is needed, got nan"),
        ({"hand": 1.5}, "hand: a share from 0 to 1 is needed, got 1.5"),
        ({"motion_blur": 2.0}, "motion_blur: a share from 0 to 1"),
        ({"jpeg_quality": (60, 30)}, "jpeg_quality: low and high from 1 to 100"),
        ({"jpeg_quality": (0, 30)}, "jpeg_quality: low and high from 1 to 100"),
    ],
)
def test_conditions_refuse_impossible_strengths(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Conditions(**settings)


@pytest.mark.parametrize("t", [-1, 3])
def test_a_frame_that_the_clip_has_not_is_an_error(t: int) -> None:
    with pytest.raises(IndexError, match=f"frames 0 to 2, got {t}"):
        _clip(0, num_frames=3).frame(t)
