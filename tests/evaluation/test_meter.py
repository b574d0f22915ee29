import numpy as np
import pytest
import torch

from facestab.evaluation.meter import RowFrames, VideoMeter, shrink
from facestab.functional.regions import static_mask
from facestab.metrics.area import AreaVolatility
from facestab.metrics.boundary import BoundaryJitter, BoundaryScores
from facestab.metrics.consistency import TemporalConsistency
from facestab.metrics.dynamics import Dynamics
from facestab.metrics.flicker import AbaFlicker, SwitchExcess, SwitchRate
from facestab.metrics.probabilities import ProbabilityVariation
from facestab.metrics.published import TcEtc, VcVspw
from facestab.metrics.scores import SegmentationScores
from facestab.metrics.static import StaticConsistency, StaticFlicker
from facestab.video.flow import Correspondence, DisFlow, VideoFrame

NUM_FRAMES, FPS = 30, 20.0


@pytest.fixture(scope="module")
def video():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (10, 12, 3)).astype(np.uint8).repeat(6, 0).repeat(6, 1)
    frames = [VideoFrame("v", t, np.roll(picture, t // 3, axis=1)) for t in range(NUM_FRAMES)]
    regions = rng.integers(0, 11, (10, 12)).astype(np.uint8).repeat(6, 0).repeat(6, 1)
    truth = np.stack([np.roll(regions, t // 3, axis=1) for t in range(NUM_FRAMES)])
    hit = rng.random(truth.shape) < 0.05
    labels = np.where(hit, rng.integers(0, 11, truth.shape), truth).astype(np.uint8)
    probs = torch.from_numpy(rng.random((NUM_FRAMES, 11, 30, 36), dtype=np.float32)).softmax(1)
    return frames, labels, truth, probs


def stream(video, face11, batch, flow, with_truth=True, reference=None, row="image"):
    frames, labels, truth, probs = video
    meter = VideoMeter(face11, FPS, flow, reference)
    for first in range(0, NUM_FRAMES, batch):
        part = slice(first, first + batch)
        meter.update(frames[part], {row: RowFrames(labels[part], probs[part])}, truth[part] if with_truth else None)
    return meter


@pytest.fixture(scope="module")
def whole(video, face11):
    return stream(video, face11, NUM_FRAMES, DisFlow("fast")).results()["image"]


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_a_streamed_video_measures_like_the_whole_video_at_once(video, face11, whole, batch):
    assert stream(video, face11, batch, DisFlow("fast")).results()["image"] == whole


def stack(found):
    """Flow and visibility of a list of correspondences."""
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*found, strict=True))


def test_every_metric_is_fed_with_what_belongs_to_it(video, face11, whole):
    frames, labels, truth, probs = video
    names, flow = (*face11.names, "unlabelled"), DisFlow("fast")
    ids, true = torch.from_numpy(labels), torch.from_numpy(truth)
    motion = {gap: [flow.correspondence(a, b) for a, b in zip(frames, frames[gap:], strict=False)] for gap in (1, 2, 4)}
    stacked = {gap: stack(found) for gap, found in motion.items()}
    small = stack([shrink(one, 30, 36) for one in motion[1]])
    static = static_mask(torch.from_numpy(np.stack([frame.pixels_HWC for frame in frames])))
    fed = [
        (AbaFlicker(names, fps=FPS), (ids,)),
        (SwitchRate(names), (ids,)),
        (SwitchExcess(), (ids, true)),
        (AreaVolatility(face11.names, fps=FPS), (ids,)),
        (Dynamics(face11.names, fps=FPS), (ids, true)),
        (StaticFlicker(names), (ids, static)),
        (StaticConsistency(10, "vc/static_half_second"), (ids, static)),
        (StaticConsistency(20, "vc/static_second"), (ids, static)),
        *((TemporalConsistency(names, gap), (ids, *stacked[gap])) for gap in (1, 2, 4)),
        (BoundaryJitter(face11.names), (ids, *stacked[1])),
        (SegmentationScores(face11.names), (ids, true)),
        (BoundaryScores(face11.names), (ids, true)),
        (ProbabilityVariation(face11.names), (probs, *small)),
        (TcEtc(face11.names), (ids, stacked[1][0])),
        (VcVspw(16), (ids, true)),
    ]
    for metric, inputs in fed:
        metric.update(*inputs)
        for key, value in metric.compute().items():
            assert value.isnan() or whole[key] == pytest.approx(value.item(), rel=1e-6), key
    assert {"confidence/ece", "flicker/dtssd", "vc/correct8", "vc/interval", "tc/vspw"} <= set(whole)


def test_without_flow_what_needs_motion_is_absent(video, face11):
    values = stream(video, face11, 8, None).results()["image"]
    assert not {key for key in values if key.startswith("tc/") or "jitter" in key or key.startswith("flicker/prob_tv")}
    assert {"flicker/static", "val/miou", "confidence/mean"} <= set(values)


def test_without_true_labels_what_needs_them_is_absent(video, face11):
    values = stream(video, face11, 8, DisFlow("fast"), with_truth=False).results()["image"]
    absent = ("val/", "vc/correct", "vc/vspw", "vc/interval", "dynamics/", "confidence/ece", "flicker/dtssd")
    assert not [key for key in values if key.startswith(absent)]
    assert {"confidence/mean", "flicker/static", "tc/masked"} <= set(values)
    assert "flicker/switch_excess" not in values


def test_another_row_stands_in_for_true_labels(video, face11):
    values = stream(video, face11, 8, None, with_truth=False, reference="image").results()["image"]
    assert values["flicker/switch_excess"] == 0


def test_a_row_is_measured_alike_alone_and_in_company(video, face11):
    frames, labels, truth, _ = video
    alone, both = VideoMeter(face11, FPS, None), VideoMeter(face11, FPS, None)
    for first in range(0, NUM_FRAMES, 8):
        part = slice(first, first + 8)
        rows = {"a": RowFrames(labels[part]), "truth": RowFrames(truth[part])}
        both.update(frames[part], rows, truth[part])
        alone.update(frames[part], {"a": rows["a"]}, truth[part])
    together = both.results()
    excess = together["a"].pop("flicker/aba_excess")
    assert together["a"] == alone.results()["a"]
    assert excess == together["a"]["flicker/aba"] - together["truth"]["flicker/aba"]
    assert together["truth"]["val/miou"] == 1


def test_an_open_pixel_is_flicker_in_a_prediction_and_ignored_in_the_truth(face11):
    labels = np.ones((3, 4, 5), np.uint8)
    labels[1, 0] = 255
    meter = VideoMeter(face11, FPS, None)
    meter.update(None, {"masks": RowFrames(labels), "truth": RowFrames(labels)}, labels)
    assert meter.results()["masks"]["flicker/aba"] == pytest.approx(5 / 20)
    assert meter.results()["truth"]["flicker/aba"] == 0


def test_a_shrunk_correspondence_points_to_the_same_place():
    flow = np.tile(np.float32([8.0, -4.0]), (20, 40, 1))
    small = shrink(Correspondence(flow, np.ones((20, 40), bool)), 10, 10)
    assert small.flow_HW2.shape == (10, 10, 2)
    np.testing.assert_allclose(small.flow_HW2, np.tile([2.0, -2.0], (10, 10, 1)))
    assert small.visible_HW.all()
