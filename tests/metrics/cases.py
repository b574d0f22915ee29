"""One case per metric: how to make it, and the arguments of its update for a whole random video.

Every argument has the frames in front. The tests that all metrics must pass run over these; a new metric adds a line.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from facestab.metrics.agreement import DtSsd, IntervalConsistency, VideoConsistency
from facestab.metrics.area import AreaVolatility
from facestab.metrics.boundary import BoundaryJitter, BoundaryScores
from facestab.metrics.calibration import Calibration
from facestab.metrics.consistency import TemporalConsistency
from facestab.metrics.counts import CountMetric
from facestab.metrics.dynamics import Dynamics
from facestab.metrics.flicker import AbaFlicker, SwitchExcess, SwitchRate
from facestab.metrics.probabilities import ProbabilityVariation
from facestab.metrics.published import TcEtc, TcVspw, VcVspw
from facestab.metrics.scores import SegmentationScores
from facestab.metrics.signals import SignalMetric
from facestab.metrics.static import StaticConsistency, StaticFlicker
from tests.functional.toys import noise

NUM_CLASSES = 4
NAMES = tuple(f"class{k}" for k in range(NUM_CLASSES))


class Case(NamedTuple):
    make: Callable[[], CountMetric]
    video: Callable[[int, int], tuple[Tensor, ...]]


def labels_only(num_frames: int, seed: int) -> tuple[Tensor, ...]:
    return (noise(num_frames, NUM_CLASSES, seed),)


def prediction_and_truth(num_frames: int, seed: int) -> tuple[Tensor, ...]:
    return noise(num_frames, NUM_CLASSES, seed), noise(num_frames, NUM_CLASSES, seed + 1000)


def right_for_long(num_frames: int, seed: int) -> tuple[Tensor, ...]:
    """Prediction and truth that seldom change, and mostly agree."""
    generator = torch.Generator().manual_seed(seed)
    truth_THW = noise(1, NUM_CLASSES, seed).repeat(num_frames, 1, 1)
    pred_THW = truth_THW.clone()
    for labels_THW in (truth_THW, pred_THW):
        other = torch.rand(labels_THW.shape, generator=generator) < 0.1
        labels_THW[other] = noise(num_frames, NUM_CLASSES, seed + 1)[other]
    return pred_THW, truth_THW


def labels_and_motion(num_frames: int, seed: int, gap: int = 1) -> tuple[Tensor, ...]:
    labels_THW = noise(num_frames, NUM_CLASSES, seed)
    generator = torch.Generator().manual_seed(seed)
    shape = (max(num_frames - gap, 0), *labels_THW.shape[1:])
    return labels_THW, 2 * torch.randn(*shape, 2, generator=generator), torch.rand(shape, generator=generator) < 0.7


def labels_and_rest(num_frames: int, seed: int) -> tuple[Tensor, ...]:
    labels_THW, _ = right_for_long(num_frames, seed)
    generator = torch.Generator().manual_seed(seed)
    return labels_THW, torch.rand(labels_THW[1:].shape, generator=generator) < 0.9


def probabilities(num_frames: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num_frames, NUM_CLASSES, 6, 7, generator=generator).softmax(1)


def probabilities_and_motion(num_frames: int, seed: int) -> tuple[Tensor, ...]:
    return probabilities(num_frames, seed), *labels_and_motion(num_frames, seed)[1:]


def probabilities_and_truth(num_frames: int, seed: int) -> tuple[Tensor, ...]:
    return probabilities(num_frames, seed), noise(num_frames, NUM_CLASSES, seed)


VIDEO_CASES = {
    "aba": Case(lambda: AbaFlicker(NAMES, fps=25, band_px=1), labels_only),
    "switch": Case(lambda: SwitchRate(NAMES), labels_only),
    "excess": Case(SwitchExcess, prediction_and_truth),
    "static": Case(lambda: StaticFlicker(NAMES), labels_and_rest),
    "static_consistency": Case(lambda: StaticConsistency(4, "vc/static_second"), labels_and_rest),
    "consistency": Case(lambda: TemporalConsistency(NAMES), labels_and_motion),
    "consistency_gap2": Case(lambda: TemporalConsistency(NAMES, 2), lambda *args: labels_and_motion(*args, gap=2)),
    "correct": Case(lambda: VideoConsistency(3), right_for_long),
    "interval": Case(IntervalConsistency, right_for_long),
    "prob_tv": Case(lambda: ProbabilityVariation(NAMES), probabilities_and_motion),
    "tc_etc": Case(lambda: TcEtc(NAMES), lambda *args: labels_and_motion(*args)[:2]),
    "tc_vspw": Case(lambda: TcVspw(NAMES), lambda *args: labels_and_motion(*args)[:2]),
    "vc_vspw": Case(lambda: VcVspw(3), right_for_long),
    "dtssd": Case(lambda: DtSsd(NAMES), probabilities_and_truth),
    "boundary_jitter": Case(lambda: BoundaryJitter(NAMES), labels_and_motion),
    "area": Case(lambda: AreaVolatility(NAMES, fps=25, min_area_px=1), labels_only),
    "dynamics": Case(lambda: Dynamics(NAMES, fps=2), prediction_and_truth),
}
CASES = {
    **VIDEO_CASES,
    "scores": Case(lambda: SegmentationScores(NAMES), prediction_and_truth),
    "boundary_scores": Case(lambda: BoundaryScores(NAMES), prediction_and_truth),
    "calibration": Case(Calibration, probabilities_and_truth),
}


def states(metric: CountMetric) -> dict[str, list]:
    """The counts, as numbers; of time courses the videos, in an order that does not depend on theirs."""
    if isinstance(metric, SignalMetric):
        return {"videos": sorted(signal_TC.tolist() for signal_TC in metric.signals())}
    return {name: state.tolist() for name, state in metric.metric_state.items()}


def values(metric: CountMetric) -> dict[str, float | None]:
    """What compute returns, as numbers by key, None for nan."""
    return {key: None if value.isnan() else value.item() for key, value in metric.compute().items()}


def update(metric: CountMetric, window: tuple[Tensor, ...], first: bool) -> None:
    """Add a window of a video; `first` when it begins the video."""
    if isinstance(metric, SignalMetric):
        metric.update(*window, first=first)
    else:
        metric.update(*window)


def filled(name: str, num_frames: int, seed: int) -> CountMetric:
    """The metric of a case after one update with a whole video."""
    metric = CASES[name].make()
    metric.update(*CASES[name].video(num_frames, seed))
    return metric
