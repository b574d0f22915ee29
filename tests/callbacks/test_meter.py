import csv
import itertools

import numpy as np
import pytest
import torch

from facestab.callbacks.files import CurveFile
from facestab.callbacks.meter import RowMetrics, VideoMeter
from facestab.functional.warping import visible_mask
from facestab.metrics.consistency import TemporalConsistency
from facestab.metrics.flicker import AbaFlicker, SwitchRate
from facestab.metrics.scores import SegmentationScores
from facestab.video.flow import DisFlow, flow_pair

NUM_FRAMES = 11


@pytest.fixture(scope="module")
def video():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (10, 12, 3)).astype(np.uint8).repeat(6, 0).repeat(6, 1)
    frames = np.stack([np.roll(picture, t, axis=1) for t in range(NUM_FRAMES)])
    labels = rng.integers(0, 11, (NUM_FRAMES, 60, 72)).astype(np.uint8)
    truth = rng.integers(0, 11, (NUM_FRAMES, 60, 72)).astype(np.uint8)
    return frames, labels, truth


@pytest.mark.parametrize("batch", [1, 2, 3, 4, NUM_FRAMES])
def test_a_streamed_video_measures_like_the_whole_video_at_once(video, face11, batch):
    frames, labels, truth = video
    meter, flow = VideoMeter(face11, DisFlow("fast")), DisFlow("fast")
    for first in range(0, NUM_FRAMES, batch):
        part = slice(first, first + batch)
        meter.update(frames[part], {"image": labels[part]}, truth[part])
    whole = torch.from_numpy(labels)
    pairs = [flow_pair(flow, a, b) for a, b in itertools.pairwise(frames)]
    forward, backward = (torch.from_numpy(np.stack(flows)) for flows in zip(*pairs, strict=True))
    aba, switch, tc, scores = AbaFlicker(), SwitchRate(), TemporalConsistency(11), SegmentationScores(face11.names)
    aba.update(whole)
    switch.update(whole)
    tc.update(whole, forward, visible_mask(forward, backward))
    scores.update(whole, torch.from_numpy(truth))
    results = meter.rows["image"].results()
    assert results["flicker/aba"] == float(aba.compute())
    assert results["flicker/switch"] == float(switch.compute())
    assert results["tc/masked"] == float(tc.compute()["masked"])
    assert results["tc/coverage"] == float(tc.compute()["coverage"])
    assert results["val/miou"] == float(scores.compute()["miou"])


def test_what_cannot_be_measured_is_absent(video, face11):
    frames, labels, _ = video
    meter = VideoMeter(face11, None)
    meter.update(frames[:2], {"image": labels[:2]}, None)
    assert list(meter.rows["image"].results()) == ["flicker/switch"]


def test_counts_of_videos_add_up(video, face11):
    frames, labels, truth = video
    total, parts = RowMetrics(face11), []
    for first in (0, 5):
        meter = VideoMeter(face11, None)
        meter.update(frames[first : first + 5], {"image": labels[first : first + 5]}, truth[first : first + 5])
        parts.append(meter.rows["image"])
        total.merge(meter.rows["image"])
    assert total.aba.num_aba == sum(part.aba.num_aba for part in parts)
    assert (total.scores.score_confusion == sum(part.scores.score_confusion for part in parts)).all()


@pytest.mark.parametrize("batch", [1, 2, 3, NUM_FRAMES])
def test_every_frame_has_one_line_of_flicker(video, face11, tmp_path, batch):
    frames, labels, _ = video
    meter = VideoMeter(face11, None)
    with CurveFile(tmp_path / "frames.csv") as file:
        for first in range(0, NUM_FRAMES, batch):
            part = slice(first, first + batch)
            curves = meter.update(frames[part], {"image": labels[part]}, None)
            file.write(curves, len(frames[part]))
    with (tmp_path / "frames.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [int(line["frame"]) for line in lines] == list(range(NUM_FRAMES))
    for t, line in enumerate(lines):
        if 0 < t < NUM_FRAMES - 1:
            flickers = (labels[t - 1] == labels[t + 1]) & (labels[t] != labels[t - 1])
            assert float(line["image/flicker/aba"]) == pytest.approx(flickers.mean(), abs=1e-6)
        else:
            assert line["image/flicker/aba"] == ""
        if t:
            assert float(line["image/flicker/switch"]) == pytest.approx((labels[t] != labels[t - 1]).mean(), abs=1e-6)


def test_a_curve_file_of_an_interrupted_video_does_not_appear(tmp_path):
    with pytest.raises(RuntimeError), CurveFile(tmp_path / "frames.csv"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())
