import math

import pytest
import torch

from facestab.metrics.probabilities import ProbabilityVariation
from tests.functional import references
from tests.functional.toys import panorama
from tests.metrics.cases import NAMES, probabilities, probabilities_and_motion


def result(*videos, names=NAMES):
    metric = ProbabilityVariation(names)
    for video in videos:
        metric.update(*video)
    return {name: v.item() for name, v in metric.compute().items()}


def everywhere(probs_TKHW, flow_THW2=None):
    shape = (len(probs_TKHW) - 1, *probs_TKHW.shape[2:])
    return probs_TKHW, torch.zeros(*shape, 2) if flow_THW2 is None else flow_THW2, torch.ones(shape, dtype=torch.bool)


def test_values_equal_loops_over_pixels():
    video = probabilities_and_motion(4, 0)
    mean, by_class = references.probability_variation(*video)
    expected = {"flicker/prob_tv": mean} | {f"flicker/prob_tv/{n}": v for n, v in zip(NAMES, by_class, strict=True)}
    assert result(video) == pytest.approx(expected, abs=1e-6)


def test_a_still_output_does_not_vary_and_a_blinking_one_varies_wholly():
    still = probabilities(1, 0).expand(4, -1, -1, -1)
    assert result(everywhere(still))["flicker/prob_tv"] == 0
    blinking = torch.zeros(4, 2, 3, 3)
    blinking[::2, 0] = blinking[1::2, 1] = 1
    assert set(result(everywhere(blinking), names=("a", "b")).values()) == {1}


def test_it_sees_flicker_that_no_label_shows():
    probs_TKHW = torch.full((3, 2, 4, 4), 0.2)
    probs_TKHW[:, 1] = 0.8
    probs_TKHW[1] = probs_TKHW[1] * 0.5 + 0.25
    got = result(everywhere(probs_TKHW), names=("a", "b"))
    assert got["flicker/prob_tv"] == pytest.approx(0.15, abs=1e-6)
    assert got["flicker/prob_tv/b"] == pytest.approx(0.15, abs=1e-6)
    assert math.isnan(got["flicker/prob_tv/a"])


def test_what_moves_with_the_flow_does_not_vary():
    labels_THW, flow = panorama(3, step_x=2, step_y=1)
    probs_TKHW = torch.stack([0.1 + 0.6 * (labels_THW == k) for k in range(4)], dim=1)
    assert result(everywhere(probs_TKHW, flow))["flicker/prob_tv"] == pytest.approx(0, abs=1e-6)
    assert result(everywhere(probs_TKHW))["flicker/prob_tv"] > 0.1


def test_only_pixels_seen_in_both_frames_count():
    probs_TKHW, flow, visible = everywhere(probabilities(2, 1))
    probs_TKHW[1, :, :, :3] = probs_TKHW[0, :, :, :3]
    visible[..., 3:] = False
    assert result((probs_TKHW, flow, visible))["flicker/prob_tv"] == 0
    assert math.isnan(result((probs_TKHW, flow, torch.zeros_like(visible)))["flicker/prob_tv"])


def test_half_precision_is_added_up_in_single_precision():
    video = probabilities_and_motion(3, 2)
    rounded = video[0].half()
    assert result((rounded, *video[1:])) == result((rounded.float(), *video[1:]))


def test_a_wrong_number_of_classes_is_refused():
    with pytest.raises(ValueError, match="probs: 4 classes are needed, got 3"):
        ProbabilityVariation(NAMES).update(*everywhere(torch.zeros(2, 3, 4, 4)))
    with pytest.raises(ValueError, match="class_names"):
        ProbabilityVariation(["a"])
