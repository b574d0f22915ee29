import math

import pytest
import torch

from facestab.functional.warping import visible_mask, warp_labels
from facestab.keys import is_video_key
from facestab.metrics.boundary import BoundaryJitter, BoundaryScores
from tests.functional import reference_contours as reference
from tests.functional.toys import disc, moving_disc, noise, panorama
from tests.metrics.cases import labels_and_motion, states

NAMES = ["background", "skin", "hair", "nose"]


def scores(*pairs, names=NAMES, **settings):
    metric = BoundaryScores(names, **settings)
    for pred, target in pairs:
        metric.update(pred, target)
    return {name: value.item() for name, value in metric.compute().items()}


def jitter(names, labels_THW, flow=None, visible=None):
    metric = BoundaryJitter(names)
    shape = (len(labels_THW) - 1, *labels_THW.shape[1:])
    flow = torch.zeros(*shape, 2) if flow is None else flow
    metric.update(labels_THW, flow, torch.ones(shape, dtype=torch.bool) if visible is None else visible)
    return {name: value.item() for name, value in metric.compute().items()}


def edge_at(column, height=10, width=24):
    return (torch.arange(width) >= column).expand(height, width).long()


def test_scores_equal_loops_over_the_pixels_of_all_frames():
    pairs = [(noise(2, seed=s, height=9, width=11), noise(2, seed=s + 10, height=9, width=11)) for s in range(2)]
    frames = [frame for pair in pairs for frame in zip(*pair, strict=True)]
    f, iou = [], []
    for k in range(4):
        (hits, found), (recalled, wanted) = sum(torch.tensor(reference.matches(*pair, k, 1)) for pair in frames)
        precision, recall = hits / found, recalled / wanted
        f.append(float(2 * precision * recall / (precision + recall)))
        both, either = sum(torch.tensor(reference.overlap(*pair, k, 1)) for pair in frames)
        iou.append(float(both / either))
    expected = {"val/boundary_f": sum(f[1:]) / 3, "val/boundary_iou": sum(iou[1:]) / 3}
    expected |= {f"val/boundary_f/{name}": value for name, value in zip(NAMES, f, strict=True)}
    expected |= {f"val/boundary_iou/{name}": value for name, value in zip(NAMES, iou, strict=True)}
    got = scores(*pairs, tolerance=0.05, dilation_ratio=0.05)
    assert got == pytest.approx(expected)
    assert all(is_video_key(key) for key in got)


def test_a_perfect_output_scores_one_and_absent_classes_are_nan():
    labels = torch.stack([disc(30, 24), disc(33, 20)]).long()
    got = scores((labels, labels))
    expected = {f"val/boundary_{score}/{name}": 1 for score in ("f", "iou") for name in ("background", "skin")}
    expected |= {f"val/boundary_{score}/{name}": math.nan for score in ("f", "iou") for name in ("hair", "nose")}
    assert got == pytest.approx({"val/boundary_f": 1, "val/boundary_iou": 1, **expected}, nan_ok=True)


@pytest.mark.parametrize(("size", "shift", "f"), [((96, 96), 2, 1), ((96, 96), 3, 0), ((192, 192), 3, 1)])
def test_the_tolerance_grows_with_the_frame(size, shift, f):
    # 0.008 diagonals are 1.09 and 2.17 pixels, rounded up
    target, pred = edge_at(40, *size)[None], edge_at(40 + shift, *size)[None]
    assert scores((pred, target), names=["left", "right"])["val/boundary_f"] == f


def test_the_bands_are_two_hundredths_of_the_diagonal_wide():
    target, pred = torch.zeros(2, 1, 60, 80, dtype=torch.long)
    target[0, 10:50, 10:70], pred[0, 12:48, 12:68] = 1, 1
    # 0.02 diagonals are 2 pixels: the bands lie side by side
    assert scores((pred, target))["val/boundary_iou"] == 0
    pred[0, 10:50, 10:70] = 1
    pred[0, 12:48, 12:68] = 2
    hollow = scores((pred, target))
    assert hollow["val/boundary_iou/skin"] == 1
    assert hollow["val/boundary_iou/hair"] == 0


def test_a_pixel_between_classes_costs_little_area_but_much_of_the_boundary():
    target, pred = disc(40, 24, radius=20).long()[None], disc(40, 24, radius=17).long()[None]
    overlap = int((pred & target).sum()) / int((pred | target).sum())
    got = scores((pred, target))
    assert overlap > 0.7
    assert got["val/boundary_f"] < 0.1
    assert got["val/boundary_iou"] < 0.1


def test_open_predictions_are_missing_contours_and_ignored_truth_is_not_counted():
    target = edge_at(8)[None]
    assert scores((torch.full_like(target, 255), target))["val/boundary_f"] == 0
    target[..., 4:12] = 255
    unknown = scores((edge_at(8)[None], target))
    assert math.isnan(unknown["val/boundary_f/skin"])
    assert unknown["val/boundary_iou/skin"] == 1


@pytest.mark.parametrize(("setting", "value"), [("tolerance", 0), ("tolerance", 2), ("dilation_ratio", -0.1)])
def test_widths_that_are_no_share_of_the_diagonal_are_refused(setting, value):
    with pytest.raises(ValueError, match=f"{setting}: .*got {value}"):
        BoundaryScores(NAMES, **{setting: value})


def test_unequal_shapes_and_unknown_ids_are_refused():
    metric = BoundaryScores(NAMES)
    with pytest.raises(ValueError, match="pred"):
        metric.update(noise(1), noise(2))
    for pair in ((noise(1) + 1, noise(1)), (noise(1), noise(1, num_classes=9))):
        with pytest.raises(ValueError, match="ids go from 0 to 3"):
            metric.update(*pair)


@pytest.mark.parametrize("metric", [BoundaryScores, BoundaryJitter])
@pytest.mark.parametrize("names", [["a"], ["a", "b", "a"]])
def test_missing_or_repeated_names_are_refused(metric, names):
    with pytest.raises(ValueError, match="class_names"):
        metric(names)


def test_jitter_equals_loops_over_pixels():
    labels_THW, flow, visible = labels_and_motion(4, seed=0)
    distances, relative = [[] for _ in NAMES], [[] for _ in NAMES]
    for t, now in enumerate(labels_THW[:-1]):
        warped, inside = warp_labels(labels_THW[t + 1], flow[t])
        known = visible[t] & inside & (warped != 255) & (now != 255)
        rows, columns = ((now > 0) & (now < 255)).nonzero().unbind(1)
        size = math.hypot(int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1)
        for k in range(4):
            found = reference.distances(now, torch.where(known, warped, now), known, k)
            distances[k] += found
            relative[k] += [distance / size for distance in found]
    expected = {}
    for unit, values in (("px", distances), ("relative", relative)):
        means = [sum(found) / len(found) for found in values]
        key = f"flicker/boundary_jitter_{unit}"
        expected |= {key: sum(means[1:]) / 3, **{f"{key}/{n}": mean for n, mean in zip(NAMES, means, strict=True)}}
    got = jitter(NAMES, labels_THW, flow, visible)
    # the sums are kept in 1 / 65536
    assert got == pytest.approx(expected, abs=1e-4)
    assert all(is_video_key(key) for key in got)


def test_a_still_video_has_no_jitter():
    got = jitter(NAMES, torch.stack([disc(30, 24)] * 4).long())
    assert got["flicker/boundary_jitter_px"] == got["flicker/boundary_jitter_relative"] == 0
    assert math.isnan(got["flicker/boundary_jitter_px/hair"])


@pytest.mark.parametrize(("step_x", "step_y"), [(1, 0), (-2, 3)])
def test_motion_with_exact_flow_is_no_jitter_and_without_it_is(step_x, step_y):
    labels_THW, flow = panorama(4, step_x, step_y)
    assert jitter(NAMES, labels_THW, flow)["flicker/boundary_jitter_px"] == 0
    assert jitter(NAMES, labels_THW)["flicker/boundary_jitter_px"] > 0.1


def test_what_is_covered_or_uncovered_is_no_jitter():
    labels_THW, forward, backward, _ = moving_disc()
    names = ["background", "disc"]
    assert jitter(names, labels_THW, forward, visible_mask(forward, backward))["flicker/boundary_jitter_px"] == 0
    assert jitter(names, labels_THW, forward)["flicker/boundary_jitter_px"] > 0.5


@pytest.mark.parametrize("shift", [1, 2, 5])
def test_an_edge_that_jumps_jitters_by_its_distance(shift):
    labels_THW = torch.stack([edge_at(8), edge_at(8 + shift), edge_at(8)])
    got = jitter(["background", "skin"], labels_THW)
    assert got["flicker/boundary_jitter_px"] == shift
    sizes = [math.hypot(10, 16), math.hypot(10, 16 - shift)]
    assert got["flicker/boundary_jitter_relative"] == pytest.approx(sum(shift / size for size in sizes) / 2, abs=1e-5)


def test_the_relative_jitter_does_not_depend_on_the_resolution():
    small = torch.stack([disc(20, 20, 40, 60, 10), disc(22, 20, 40, 60, 10)]).long()
    large = small.repeat_interleave(4, 1).repeat_interleave(4, 2)
    names = ["background", "disc"]
    px, relative = (f"flicker/boundary_jitter_{unit}" for unit in ("px", "relative"))
    assert jitter(names, large)[px] == pytest.approx(4 * jitter(names, small)[px], rel=0.1)
    assert jitter(names, large)[relative] == pytest.approx(jitter(names, small)[relative], rel=0.1)


def test_a_class_that_vanishes_is_not_measured():
    labels_THW = torch.zeros(3, 12, 16, dtype=torch.long)
    labels_THW[:, 2:10, 2:14] = 1
    labels_THW[::2, 4:6, 6:8] = 2
    got = jitter(NAMES, labels_THW)
    assert math.isnan(got["flicker/boundary_jitter_px/hair"])
    # but the hole that it leaves in another class is
    assert got["flicker/boundary_jitter_px/skin"] > 0
    assert got["flicker/boundary_jitter_px/background"] == 0


def test_labels_do_not_count_where_they_are_ignored_in_either_frame():
    labels_THW = torch.stack([edge_at(8), edge_at(9)])
    labels_THW[0, :5, 5:12] = 255
    labels_THW[1, 5:, 5:12] = 255
    assert math.isnan(jitter(NAMES, labels_THW)["flicker/boundary_jitter_px"])


def test_flow_and_mask_must_have_one_frame_less_than_the_labels():
    labels_THW = noise(3)
    flow, visible = torch.zeros(2, 6, 7, 2), torch.ones(2, 6, 7, dtype=torch.bool)
    for wrong, parts in (("flow", (flow[:1], visible)), ("visible", (flow, visible[:1]))):
        metric = BoundaryJitter(NAMES)
        with pytest.raises(ValueError, match=wrong):
            metric.update(labels_THW, *parts)
        assert states(metric) == states(BoundaryJitter(NAMES))
