"""The closed forms of the synthetic world against slow or independent references."""

import numpy as np
import pytest

from facestab.data.synthetic.chart import FaceChart
from facestab.data.synthetic.identity import Identity
from facestab.data.synthetic.scene import Scene, pixel_rays
from facestab.data.synthetic.solids import Ellipsoid, Frame, rotation
from facestab.data.synthetic.state import State


def _tilted_ellipsoid(*, is_far_side: bool = False) -> Ellipsoid:
    frame = Frame(rotation(0.4, -0.2, 0.3), 0.7, np.array([0.05, -0.03, 0.1]))
    return Ellipsoid(1, frame, (0.1, 0.05, -0.02), (0.3, 0.5, 0.4), tilt=0.25, is_far_side=is_far_side)


def test_frame_world_and_local_coordinates_are_inverse() -> None:
    frame = _tilted_ellipsoid().frame
    point_3N = np.random.default_rng(0).normal(size=(3, 50))
    np.testing.assert_allclose(frame.to_local(*frame.to_world(*point_3N)), point_3N, atol=1e-12)


@pytest.mark.parametrize(
    ("angles", "expected"),
    [((0.3, 0.0, 0.0), (0, 1)), ((0.0, 0.3, 0.0), (1, 1))],
    ids=["yaw turns the nose to image-right", "pitch turns the nose down"],
)
def test_rotation_has_the_documented_sign(angles: tuple[float, float, float], expected: tuple[int, int]) -> None:
    axis, sign = expected
    assert np.sign((rotation(*angles) @ [0, 0, 1])[axis]) == sign


def test_ellipsoid_depth_is_the_first_point_inside_when_the_ray_is_walked() -> None:
    near, far = _tilted_ellipsoid(), _tilted_ellipsoid(is_far_side=True)
    x, y = pixel_rays(16, dtype=np.float64)
    z_S = np.linspace(1, -1, 4001)
    local = near.frame.to_local(x[..., None], y[..., None], z_S)
    offset_HWS3 = np.stack(np.broadcast_arrays(*local), -1) - np.array(near.centre)
    is_inside_HWS = np.linalg.norm(offset_HWS3 @ near.to_sphere_33().T, axis=-1) < 1
    is_hit_HW = is_inside_HWS.any(-1)
    assert 0.2 < is_hit_HW.mean() < 0.9
    first_HW = z_S[is_inside_HWS.argmax(-1)]
    last_HW = z_S[len(z_S) - 1 - is_inside_HWS[..., ::-1].argmax(-1)]
    np.testing.assert_allclose(near.depth(x, y)[is_hit_HW], first_HW[is_hit_HW], atol=1e-3)
    np.testing.assert_allclose(far.depth(x, y)[is_hit_HW], last_HW[is_hit_HW], atol=1e-3)
    assert np.isfinite(near.depth(x, y)).sum() <= is_hit_HW.sum() + 2


def test_ellipsoid_bounds_hold_every_hit_and_touch_it() -> None:
    ellipsoid = _tilted_ellipsoid()
    x, y = pixel_rays(400, dtype=np.float64)
    rows, columns = np.nonzero(np.isfinite(ellipsoid.depth(x, y)))
    seen = (x[0, columns.min()], x[0, columns.max()], y[rows.min(), 0], y[rows.max(), 0])
    np.testing.assert_allclose(ellipsoid.bounds(), seen, atol=0.005)


@pytest.mark.parametrize("seed", range(4))
def test_chart_maps_there_and_back_and_never_folds(seed: int) -> None:
    chart = FaceChart(Identity.sample(seed))
    wide = State(mouth=1.0, smile=0.024, brow_left=0.035, brow_right=-0.010, eye_left=1.1, eye_right=0.3)
    for opening in chart.openings(wide):
        slit = opening.slit
        x = np.linspace(-0.99, 0.99, 21)[:, None] * slit.reach + slit.centre_x
        y0 = slit.top_y + (slit.bottom(x) - slit.top_y) * np.linspace(0, 1, 301)[None, 1:-1]
        y = opening.from_rest(x, y0)
        assert (np.diff(y, axis=1) > 0).all()
        rest, is_open = opening.to_rest(x, y)
        is_edge = np.abs(y0 - slit.line(x)) < 1e-9
        assert not is_open[~is_edge].any()
        np.testing.assert_allclose(rest, y0, atol=1e-9)


def test_an_open_mouth_shows_as_much_as_its_edges_are_apart() -> None:
    chart = FaceChart(Identity.sample(1))
    mouth = chart.openings(State(mouth=0.8))[4]
    y = np.linspace(0.15, 0.45, 30001)
    _, is_open = mouth.to_rest(np.zeros_like(y), y)
    up, down = mouth.moves(np.zeros(1))
    assert is_open.mean() * 0.3 == pytest.approx(float(up[0] + down[0]), abs=1e-4)
    assert up[0] + down[0] > 0.03


@pytest.mark.parametrize(
    "state",
    [State(), State(yaw=0.6, pitch=0.15, roll=-0.2, mouth=0.7, smile=0.01, gaze_x=0.01, brow_left=0.02)],
    ids=["at rest", "turned and speaking"],
)
def test_projecting_what_a_ray_sees_gives_the_ray_back(state: State) -> None:
    for seed in range(8):
        scene = Scene(Identity.sample(seed), state)
        x, y = pixel_rays(64, dtype=np.float64)
        back_x, back_y, _ = scene.project(*scene.surface(x, y))
        np.testing.assert_allclose(back_x, x + 0 * y, atol=1e-6)
        np.testing.assert_allclose(back_y, y + 0 * x, atol=1e-6)


def test_a_grid_and_scattered_rays_see_the_same() -> None:
    scene = Scene(Identity.sample(5), State(yaw=-0.4, mouth=0.5))
    x, y = pixel_rays(64, dtype=np.float64)
    layer_HW, material_HW3 = scene.surface(x, y)
    scattered_layer_HW, scattered_HW3 = scene.surface(x + 0 * y, y + 0 * x)
    np.testing.assert_array_equal(layer_HW, scattered_layer_HW)
    np.testing.assert_allclose(material_HW3, scattered_HW3, atol=1e-12)
