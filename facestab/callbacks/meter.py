"""The metrics of one video, row by row, while it streams past."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facestab.functional.flicker import aba_per_frame, switch_per_frame
from facestab.functional.warping import visible_mask
from facestab.labels import LabelSet
from facestab.metrics.consistency import TemporalConsistency
from facestab.metrics.flicker import AbaFlicker, SwitchRate
from facestab.metrics.scores import SegmentationScores
from facestab.video.flow import FlowBackend, flow_pair

CONTEXT = 2


class RowMetrics:
    """Everything that is measured of one row.

    Args:
        labels: the label set.
    """

    def __init__(self, labels: LabelSet) -> None:
        # each process measures whole videos, and the videos' counts are added up later: nothing to synchronise
        local: dict[str, Any] = {"sync_on_compute": False}
        self.aba = AbaFlicker(**local)
        self.switch = SwitchRate(**local)
        self.tc = TemporalConsistency(labels.num_classes, **local)
        self.scores = SegmentationScores(labels.names, **local)

    def merge(self, other: "RowMetrics") -> None:
        """Add another video's counts."""
        for name, metric in vars(self).items():
            metric.merge_state(getattr(other, name))

    def results(self) -> dict[str, float]:
        """Values by the keys of the record; what could not be measured is absent."""
        values = {
            "flicker/aba": self.aba.compute(),
            "flicker/switch": self.switch.compute(),
            **{f"tc/{name}": value for name, value in self.tc.compute().items()},
            **{f"val/{name}": value for name, value in self.scores.compute().items()},
        }
        return {key: float(value) for key, value in values.items() if not value.isnan()}


@dataclass
class VideoResult:
    """The counts of one video.

    Attributes:
        id: of the video.
        fps: frames per second, as "25" or "30000/1001".
        size: [height, width] in pixels.
        num_frames: frames that were predicted.
        rows: row name to metrics.
        seconds: row name to the time that its labels took, for the rows that cost any.
    """

    id: str
    fps: str
    size: list[int]
    num_frames: int = 0
    rows: dict[str, RowMetrics] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def results(self) -> dict[str, dict[str, float]]:
        """Values by row and key."""
        return {
            row: {**m.results(), **time_results(self.seconds.get(row), self.num_frames)} for row, m in self.rows.items()
        }


def time_results(seconds: float | None, num_frames: int) -> dict[str, float]:
    """The time keys of the record, empty when nothing was timed."""
    if not seconds or not num_frames:
        return {}
    return {"time/ms_per_frame": 1000 * seconds / num_frames, "time/frames_per_second": num_frames / seconds}


class VideoMeter:
    """Feeds the frames of one video to the metrics of every row, with the context that each needs.

    Args:
        labels: the label set.
        flow: for the flow-warped metrics; None leaves them out.
    """

    def __init__(self, labels: LabelSet, flow: FlowBackend | None) -> None:
        self.labels = labels
        self.flow = flow
        self.rows: dict[str, RowMetrics] = {}
        self._tails: dict[str, np.ndarray] = {}
        self._frame_HWC: np.ndarray | None = None

    def update(
        self, frames_NHWC: np.ndarray, rows: Mapping[str, np.ndarray], truth_NHW: np.ndarray | None
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Add the next N frames of the video.

        Args:
            frames_NHWC: uint8 RGB.
            rows: row name to uint8 labels (N, H, W).
            truth_NHW: uint8 true labels, when there are any.

        Returns:
            row name to the ABA flicker and the switch rate of single frames, over the window of up to two frames seen
            before and the N new ones; nan where a frame lacks a neighbour.
        """
        forward, visible = self._motion(frames_NHWC)
        curves = {}
        for row, labels_NHW in rows.items():
            metrics = self.rows.setdefault(row, RowMetrics(self.labels))
            tail = self._tails.get(row, labels_NHW[:0])
            window = torch.from_numpy(np.concatenate([tail, labels_NHW]))
            metrics.aba.update(window)
            metrics.switch.update(window[max(0, len(tail) - 1) :])
            if forward is not None and visible is not None and len(forward):
                metrics.tc.update(window[-len(forward) - 1 :], forward, visible)
            if truth_NHW is not None:
                metrics.scores.update(torch.from_numpy(labels_NHW), torch.from_numpy(truth_NHW))
            curves[row] = (aba_per_frame(window), switch_per_frame(window))
            self._tails[row] = window[-CONTEXT:].numpy()
        return curves

    def _motion(self, frames_NHWC: np.ndarray) -> tuple[Tensor | None, Tensor | None]:
        """Flow and visibility from every frame to the next, the last frame of the batch before included."""
        if self.flow is None:
            return None, None
        frames = [*([] if self._frame_HWC is None else [self._frame_HWC]), *frames_NHWC]
        self._frame_HWC = frames[-1].copy()
        if len(frames) < 2:
            return None, None
        pairs = [flow_pair(self.flow, a, b) for a, b in pairwise(frames)]
        forward, backward = (torch.from_numpy(np.stack(flows)) for flows in zip(*pairs, strict=True))
        return forward, visible_mask(forward, backward)
