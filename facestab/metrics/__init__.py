"""Metrics of label videos as torchmetrics classes: they need nothing else of facestab."""

from facestab.metrics.agreement import DtSsd, IntervalConsistency, VideoConsistency
from facestab.metrics.area import AreaVolatility
from facestab.metrics.boundary import BoundaryJitter, BoundaryScores
from facestab.metrics.calibration import Calibration
from facestab.metrics.consistency import TemporalConsistency
from facestab.metrics.dynamics import Dynamics
from facestab.metrics.flicker import AbaFlicker, SwitchExcess, SwitchRate
from facestab.metrics.probabilities import ProbabilityVariation
from facestab.metrics.published import TcEtc, TcVspw, VcVspw
from facestab.metrics.scores import SegmentationScores
from facestab.metrics.static import StaticConsistency, StaticFlicker

__all__ = [
    "AbaFlicker",
    "AreaVolatility",
    "BoundaryJitter",
    "BoundaryScores",
    "Calibration",
    "DtSsd",
    "Dynamics",
    "IntervalConsistency",
    "ProbabilityVariation",
    "SegmentationScores",
    "StaticConsistency",
    "StaticFlicker",
    "SwitchExcess",
    "SwitchRate",
    "TcEtc",
    "TcVspw",
    "TemporalConsistency",
    "VcVspw",
    "VideoConsistency",
]
