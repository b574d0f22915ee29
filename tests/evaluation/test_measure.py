import numpy as np
import torch

from facestab.evaluation.measure import Measure
from facestab.functional.flicker import aba_mask
from facestab.video.crop import Region
from facestab.video.flow import VideoFrame


def test_a_video_that_is_not_larger_is_measured_as_it_is():
    labels = np.random.default_rng(0).integers(0, 5, (2, 60, 80)).astype(np.uint8)
    frames = [VideoFrame("a", 0, np.zeros((60, 80, 3), np.uint8))]
    region = Region(3, 4, 50, 33)
    for largest in (60, 512, None):
        measure = Measure((60, 80), largest)
        assert measure.size == (60, 80)
        assert measure.labels(labels) is labels
        assert measure.frames(frames)[0] is frames[0]
        assert measure.region(region) is region
    assert measure.frames(None) is None
    assert measure.region(None) is None


def test_a_larger_one_keeps_its_aspect_and_its_places():
    measure = Measure((1080, 1920), 540)
    assert measure.size == (540, 960)
    (frame,) = measure.frames([VideoFrame("a", 7, np.full((1080, 1920, 3), 9, np.uint8))])
    assert frame.pixels_HWC.shape == (540, 960, 3)
    assert (frame.video, frame.index, int(frame.pixels_HWC.max())) == ("a", 7, 9)
    assert measure.region(Region(100, 200, 301, 402)) == Region(50, 100, 150, 201)
    assert measure.region(Region(1919, 1079, 1920, 1080)).size == (1, 1)
    labels = np.zeros((1, 1080, 1920), np.uint8)
    labels[:, 200:402, 100:300] = 3
    assert measure.labels(labels)[0, 100:201, 50:150].min() == 3
    assert (measure.labels(labels) == 3).sum() == 101 * 100


def test_flicker_as_a_share_of_the_pixels_stays_in_the_mean():
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:400, :400]
    # a disc whose edge jitters by a pixel and more, and single pixels that flip
    radii = 120 + 1.5 * generator.standard_normal(40)
    discs = np.stack([(np.hypot(rows - 200, columns - 200) < radius) for radius in radii]).astype(np.uint8)
    labels = discs ^ (generator.random(discs.shape) < 0.002)
    whole, small = (
        aba_mask(torch.from_numpy(ids))[0].float().mean().item()
        for ids in (labels, Measure((400, 400), 150).labels(labels))
    )
    assert abs(small / whole - 1) < 0.05
