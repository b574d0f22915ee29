"""One case per metric: how to make it, and the arguments of its update for a whole random video.

Every argument has the frames in front. The tests that all metrics must pass run over these; a new metric adds a line.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from facestab.metrics.consistency import TemporalConsistency
from facestab.metrics.counts import CountMetric
from facestab.metrics.flicker import AbaFlicker, SwitchRate
from facestab.metrics.scores import SegmentationScores
from tests.functional.toys import noise

NUM_CLASSES = 4


class Case(NamedTuple):
    make: Callable[[], CountMetric]
    video: Callable[[int, int], tuple[Tensor, ...]]


def labels_only(num_frames: int, seed: int) -> tuple[Tensor, ...]:
    return (noise(num_frames, NUM_CLASSES, seed),)


def labels_and_motion(num_frames: int, seed: int) -> tuple[Tensor, ...]:
    labels_THW = noise(num_frames, NUM_CLASSES, seed)
    generator = torch.Generator().manual_seed(seed)
    shape = (max(num_frames - 1, 0), *labels_THW.shape[1:])
    return labels_THW, 2 * torch.randn(*shape, 2, generator=generator), torch.rand(shape, generator=generator) < 0.7


def prediction_and_truth(num_frames: int, seed: int) -> tuple[Tensor, ...]:
    return noise(num_frames, NUM_CLASSES, seed), noise(num_frames, NUM_CLASSES, seed + 1000)


def make_scores() -> SegmentationScores:
    return SegmentationScores([f"class{k}" for k in range(NUM_CLASSES)])


VIDEO_CASES = {
    "aba": Case(AbaFlicker, labels_only),
    "switch": Case(SwitchRate, labels_only),
    "consistency": Case(lambda: TemporalConsistency(NUM_CLASSES), labels_and_motion),
}
CASES = {**VIDEO_CASES, "scores": Case(make_scores, prediction_and_truth)}


def states(metric: CountMetric) -> dict[str, list[int] | int]:
    """The counts, as numbers."""
    return {name: state.tolist() for name, state in metric.metric_state.items()}


def values(metric: CountMetric) -> dict[str, float]:
    """What compute returns, as numbers by name."""
    result = metric.compute()
    return {k: v.item() for k, v in result.items()} if isinstance(result, dict) else {"value": result.item()}


def filled(name: str, num_frames: int, seed: int) -> CountMetric:
    """The metric of a case after one update with a whole video."""
    metric = CASES[name].make()
    metric.update(*CASES[name].video(num_frames, seed))
    return metric
