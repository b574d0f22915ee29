"""Everything that is measured of one row of one video: T frames, H W pixels, K classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from facestab.functional.segmentation import is_known
from facestab.keys import TRUTH
from facestab.labels import LabelSet
from facestab.metrics.agreement import DtSsd, IntervalConsistency, VideoConsistency
from facestab.metrics.area import AreaVolatility
from facestab.metrics.boundary import BoundaryJitter, BoundaryScores
from facestab.metrics.calibration import Calibration
from facestab.metrics.consistency import TemporalConsistency
from facestab.metrics.counts import CountMetric, VideoMetric
from facestab.metrics.dynamics import Dynamics
from facestab.metrics.flicker import AbaFlicker, SwitchExcess, SwitchRate
from facestab.metrics.probabilities import ProbabilityVariation
from facestab.metrics.published import TcEtc, TcVspw, VcVspw
from facestab.metrics.scores import SegmentationScores
from facestab.metrics.signals import SignalMetric
from facestab.metrics.static import StaticConsistency, StaticFlicker

GAPS = (1, 2, 4)
PUBLISHED_FRAMES = (8, 16)
UNLABELLED = "unlabelled"
# each process measures whole videos, and the videos' values are gathered later: nothing to synchronise
_LOCAL: dict[str, Any] = {"sync_on_compute": False}


@dataclass(frozen=True)
class Feed:
    """A metric and what it is fed with.

    Attributes:
        metric: takes the inputs as arguments of its `update`, in this order.
        inputs: names of streams; see `VideoMeter`.
        optional: further ones, for videos that have them.
    """

    metric: CountMetric
    inputs: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def context(self) -> int:
        """Earlier frames that each window repeats."""
        return self.metric.context if isinstance(self.metric, VideoMetric) else 0


def row_feeds(labels: LabelSet, fps: float) -> list[Feed]:
    """The metrics of a row. Those whose inputs a video does not have stay without a value.

    Args:
        labels: the label set.
        fps: frames per second.
    """
    # what a mask leaves open is a class of its own for stability: nobody hides flicker behind the ignore id
    names = (*labels.names, UNLABELLED)
    horizons = {key: max(2, round(seconds * fps)) for key, seconds in (("half_second", 0.5), ("second", 1.0))}
    flow = [Feed(TemporalConsistency(names, gap, **_LOCAL), ("ids", f"flow{gap}", f"visible{gap}")) for gap in GAPS]
    return [
        Feed(AbaFlicker(names, fps=fps, **_LOCAL), ("ids",)),
        Feed(SwitchRate(names, **_LOCAL), ("ids",)),
        Feed(AreaVolatility(labels.names, fps=fps, **_LOCAL), ("labels",)),
        Feed(SwitchExcess(**_LOCAL), ("ids", "reference")),
        Feed(Dynamics(labels.names, fps=fps, **_LOCAL), ("labels", "reference")),
        Feed(StaticFlicker(names, **_LOCAL), ("ids", "static")),
        *(Feed(StaticConsistency(n, f"vc/static_{key}", **_LOCAL), ("ids", "static")) for key, n in horizons.items()),
        *flow,
        Feed(BoundaryJitter(labels.names, **_LOCAL), ("labels", "flow1", "visible1")),
        *_truth_feeds(labels),
        *_probability_feeds(labels),
    ]


def _truth_feeds(labels: LabelSet) -> list[Feed]:
    pair = ("labels", "truth")
    return [
        Feed(SegmentationScores(labels.names, **_LOCAL), pair),
        Feed(BoundaryScores(labels.names, **_LOCAL), pair),
        Feed(IntervalConsistency(**_LOCAL), pair),
        *(Feed(VideoConsistency(n, **_LOCAL), pair) for n in PUBLISHED_FRAMES),
    ]


def _probability_feeds(labels: LabelSet) -> list[Feed]:
    return [
        Feed(ProbabilityVariation(labels.names, **_LOCAL), ("probs", "small_flow", "small_visible")),
        Feed(Calibration(**_LOCAL), ("probs",), optional=("small_truth",)),
        Feed(DtSsd(labels.names, **_LOCAL), ("probs", "small_truth")),
    ]


def published_feeds(labels: LabelSet) -> list[Feed]:
    """The literature's variants, whose counts are pooled over videos."""
    return [
        Feed(TcEtc(labels.names, **_LOCAL), ("closed", "flow1")),
        Feed(TcVspw(labels.names, **_LOCAL), ("closed", "flow1")),
        *(Feed(VcVspw(n, **_LOCAL), ("closed", "truth")) for n in PUBLISHED_FRAMES),
    ]


class RowMetrics:
    """The metrics of one row of one video.

    Args:
        labels: the label set.
        fps: frames per second.
        row: its name.
    """

    def __init__(self, labels: LabelSet, fps: float, row: str) -> None:
        self.row = row
        self.num_classes = labels.num_classes
        self.own = row_feeds(labels, fps)
        self.published = published_feeds(labels)

    @property
    def feeds(self) -> list[Feed]:
        """All metrics with their inputs."""
        return [*self.own, *self.published]

    def streams(self, labels_NHW: Tensor) -> dict[str, Tensor]:
        """A row's labels as its metrics want them.

        Returns:
            `labels` as they are; `ids`, in which an open pixel of a prediction is a class of its own while it stays
            ignored in true labels; `closed`, in which it is background: the literature knows no open pixels.
        """
        open_NHW = ~is_known(labels_NHW)
        if not open_NHW.any():
            return {"labels": labels_NHW, "ids": labels_NHW, "closed": labels_NHW}
        ids_NHW = labels_NHW if self.row == TRUTH else labels_NHW.masked_fill(open_NHW, self.num_classes)
        return {"labels": labels_NHW, "ids": ids_NHW, "closed": labels_NHW.masked_fill(open_NHW, 0)}

    def update(self, feed: Feed, window: tuple[Tensor, ...], first: bool) -> None:
        """Add a window to one metric; `first` when it begins the video."""
        if isinstance(feed.metric, SignalMetric):
            feed.metric.update(*window, first=first)
        else:
            feed.metric.update(*window)

    def results(self) -> dict[str, float]:
        """Values by the keys of the record; what could not be measured is absent."""
        return collect(self.feeds)


def collect(feeds: list[Feed]) -> dict[str, float]:
    """The values of metrics by key, without nan."""
    values: Mapping[str, Tensor] = {k: v for feed in feeds for k, v in feed.metric.compute().items()}
    return {key: float(value) for key, value in values.items() if not torch.isnan(value)}
