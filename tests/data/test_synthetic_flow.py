"""Flow and occlusion of the synthetic world: exact, and checked by other means than those that make them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facestab.data.synthetic import Clip, Conditions, Identity
from facestab.data.synthetic.annotation import exact_flow
from facestab.data.synthetic.parts import Layer
from facestab.data.synthetic.scene import Scene, pixel_rays
from facestab.data.synthetic.state import HandPose, State

SIZE = 96


def _clip(seed: int, *, hand: float = 0.0, num_frames: int = 40) -> Clip:
    return Clip(seed, seed + 100, num_frames=num_frames, size=SIZE, conditions=Conditions(hand=hand))


def _targets(flow_HW2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices(flow_HW2.shape[:2])
    return (flow_HW2[..., 0] + columns).astype(np.float32), (flow_HW2[..., 1] + rows).astype(np.float32)


def test_flow_of_a_frozen_clip_is_zero_and_hides_nothing() -> None:
    clip = Clip(3, 4, num_frames=3, size=64, conditions=replace(Conditions.video(), motion=0.0))
    flow_HW2, visible_HW = clip.flow(1)
    assert np.abs(flow_HW2).max() < 1e-3
    assert visible_HW.mean() > 0.999
    np.testing.assert_array_equal(clip.labels(0), clip.labels(2))


def test_flow_of_a_translated_world_is_the_translation() -> None:
    start = State(yaw=0.2, mouth=0.5, hand=HandPose(0.25, 0.2, -0.4))
    move_x, move_y = 1.5 / SIZE, -0.75 / SIZE
    names = {"x": move_x, "y": move_y, "body_x": move_x, "body_y": move_y, "pan_x": move_x, "pan_y": move_y}
    hand = HandPose(0.25 + move_x, 0.2 + move_y, -0.4)
    end = replace(start, hand=hand, **{name: getattr(start, name) + move for name, move in names.items()})
    identity = Identity.sample(2)
    flow_HW2, visible_HW = exact_flow(Scene(identity, start), Scene(identity, end), SIZE)
    np.testing.assert_allclose(flow_HW2, np.broadcast_to([1.5, -0.75], flow_HW2.shape), atol=1e-3)
    assert visible_HW[2:, :-2].mean() > 0.999
    assert not visible_HW[0].any()
    assert not visible_HW[:, -1].any()


@pytest.mark.parametrize("seed", [0, 3, 11])
def test_following_the_flow_finds_the_same_surface_point_in_the_next_frame(seed: int) -> None:
    clip = _clip(seed, hand=1.0)
    for t in (5, 20):
        now, following = clip.surface(t), clip.surface(t + 1)
        flow_HW2, visible_HW = clip.flow(t)
        column_HW, row_HW = (np.rint(v).astype(int).clip(0, SIZE - 1) for v in _targets(flow_HW2))
        is_same_HW = following.layer_HW[row_HW, column_HW] == now.layer_HW
        # The nearest pixel lies up to 0.71 pixels away, so edges may differ, and names by about a pixel.
        assert is_same_HW[visible_HW].mean() > 0.97
        apart_HW = np.abs(following.material_HW3[row_HW, column_HW] - now.material_HW3)[..., :2].max(-1)
        within = visible_HW & is_same_HW
        assert np.median(apart_HW[within]) < 0.5 / (0.58 * SIZE)
        assert np.quantile(apart_HW[within], 0.97) < 2.5 / (0.58 * SIZE)


def test_warping_the_next_picture_by_the_flow_gives_this_picture_where_it_is_visible() -> None:
    clip = _clip(7, hand=1.0)
    errors, unwarped = [], []
    for t in range(0, 36, 6):
        now_HW3, next_HW3 = (clip.clean_frame(t + step).astype(np.float32) for step in (0, 1))
        flow_HW2, visible_HW = clip.flow(t)
        warped_HW3 = cv2.remap(next_HW3, *_targets(flow_HW2), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        errors.append(np.abs(warped_HW3 - now_HW3)[visible_HW].mean())
        unwarped.append(np.abs(next_HW3 - now_HW3)[visible_HW].mean())
    assert np.mean(errors) < 3.0
    assert np.mean(errors) < 0.7 * np.mean(unwarped)


@pytest.mark.parametrize("seed", [1, 8])
def test_a_visible_point_keeps_its_class(seed: int) -> None:
    clip = _clip(seed)
    flow_HW2, visible_HW = clip.flow(12)
    column_HW, row_HW = (np.rint(v).astype(int).clip(0, SIZE - 1) for v in _targets(flow_HW2))
    is_kept_HW = clip.labels(13)[row_HW, column_HW] == clip.labels(12)
    assert is_kept_HW[visible_HW].mean() > 0.97


def test_a_passing_hand_hides_what_it_moves_over_and_nothing_else() -> None:
    identity = Identity.sample(4)
    before = State(hand=HandPose(0.30, 0.10, 0.0))
    after = replace(before, hand=HandPose(0.22, 0.10, 0.0))
    scene, following = Scene(identity, before), Scene(identity, after)
    layer_HW, _ = scene.surface(*pixel_rays(SIZE))
    next_layer_HW, _ = following.surface(*pixel_rays(SIZE))
    flow_HW2, visible_HW = exact_flow(scene, following, SIZE)
    is_hand_HW, will_be_HW = layer_HW == Layer.HAND, next_layer_HW == Layer.HAND
    newly_hidden_HW = will_be_HW & ~is_hand_HW
    assert newly_hidden_HW.sum() > 100
    np.testing.assert_array_equal(~visible_HW & ~is_hand_HW, newly_hidden_HW)
    np.testing.assert_allclose(
        flow_HW2[is_hand_HW], np.broadcast_to([-0.08 * SIZE, 0], (is_hand_HW.sum(), 2)), atol=1e-3
    )
    np.testing.assert_allclose(flow_HW2[~is_hand_HW], 0, atol=1e-3)


def test_background_that_the_hair_moves_over_is_hidden() -> None:
    identity = Identity.sample(0)
    assert identity.hair_length > 0
    before, after = State(), State(x=3 / SIZE)
    scene, following = Scene(identity, before), Scene(identity, after)
    layer_HW, _ = scene.surface(*pixel_rays(SIZE))
    next_layer_HW, _ = following.surface(*pixel_rays(SIZE))
    _, visible_HW = exact_flow(scene, following, SIZE)
    covered_HW = (layer_HW == Layer.BACKGROUND) & (next_layer_HW == Layer.HAIR)
    assert covered_HW.sum() > 40
    assert not visible_HW[covered_HW].any()
    still_free_HW = (layer_HW == Layer.BACKGROUND) & (next_layer_HW == Layer.BACKGROUND)
    assert visible_HW[still_free_HW].all()


def test_a_closing_lid_hides_the_eye() -> None:
    identity = Identity.sample(6)
    open_scene, closed_scene = Scene(identity, State()), Scene(identity, State(eye_left=0.0, eye_right=0.0))
    layer_HW, _ = open_scene.surface(*pixel_rays(SIZE))
    is_eye_HW = (layer_HW == Layer.EYE_LEFT) | (layer_HW == Layer.EYE_RIGHT)
    _, visible_HW = exact_flow(open_scene, closed_scene, SIZE)
    assert is_eye_HW.sum() > 30
    assert not visible_HW[is_eye_HW].any()


@pytest.mark.parametrize("gap", [2, 4, -1, -3])
def test_a_visible_point_keeps_its_class_over_any_gap(gap: int) -> None:
    clip = _clip(8, hand=1.0)
    flow_HW2, visible_HW = clip.flow(12, gap)
    column_HW, row_HW = (np.rint(v).astype(int).clip(0, SIZE - 1) for v in _targets(flow_HW2))
    is_kept_HW = clip.labels(12 + gap)[row_HW, column_HW] == clip.labels(12)
    assert visible_HW.mean() > 0.8
    assert is_kept_HW[visible_HW].mean() > 0.96


def test_two_steps_of_one_frame_are_one_step_of_two() -> None:
    clip = _clip(3, hand=1.0)
    for t in (5, 20):
        first_HW2, seen_HW = clip.flow(t)
        second_HW2, seen_next_HW = clip.flow(t + 1)
        both_HW2, seen_both_HW = clip.flow(t, 2)
        second_HW2, seen_next_HW = (
            cv2.remap(v, *_targets(first_HW2), cv2.INTER_LINEAR) for v in (second_HW2, seen_next_HW.astype(np.float32))
        )
        mask_HW = seen_HW & seen_both_HW & (seen_next_HW == 1)
        apart_HW = np.linalg.norm(first_HW2 + second_HW2 - both_HW2, axis=-1)
        assert mask_HW.mean() > 0.8
        # interpolation mixes two surfaces at edges only
        assert np.median(apart_HW[mask_HW]) < 0.005
        assert np.quantile(apart_HW[mask_HW], 0.98) < 0.1
        assert np.linalg.norm(both_HW2, axis=-1)[mask_HW].mean() > 0.2


def test_the_way_back_ends_where_the_way_there_began() -> None:
    clip = _clip(3, hand=1.0)
    there_HW2, seen_HW = clip.flow(10, 3)
    back_HW2, seen_back_HW = clip.flow(13, -3)
    back_HW2, seen_back_HW = (
        cv2.remap(v, *_targets(there_HW2), cv2.INTER_LINEAR) for v in (back_HW2, seen_back_HW.astype(np.float32))
    )
    apart_HW = np.linalg.norm(there_HW2 + back_HW2, axis=-1)
    mask_HW = seen_HW & (seen_back_HW == 1)
    assert mask_HW.mean() > 0.8
    assert np.median(apart_HW[mask_HW]) < 0.005
    assert np.quantile(apart_HW[mask_HW], 0.95) < 0.1


def test_no_step_is_no_motion() -> None:
    flow_HW2, visible_HW = _clip(5, hand=1.0).flow(7, 0)
    assert np.abs(flow_HW2).max() < 1e-3
    assert visible_HW.mean() > 0.999


def test_flow_past_either_end_of_a_clip_is_an_error() -> None:
    clip = _clip(1, num_frames=2)
    with pytest.raises(IndexError, match="frames 0 to 1, got 2"):
        clip.flow(1)
    with pytest.raises(IndexError, match="frames 0 to 1, got -1"):
        clip.flow(1, -2)
