"""The metrics of one video, row by row, while it streams past."""

import math
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from facestab.evaluation.row_metrics import GAPS, Feed, RowMetrics
from facestab.evaluation.streams import Streams
from facestab.functional.regions import static_mask
from facestab.keys import TRUTH
from facestab.labels import LabelSet
from facestab.nets.inference import resize_labels
from facestab.video.crop import Region
from facestab.video.flow import Correspondence, FlowBackend, VideoFrame
from facestab.video.flow_check import photometric_error

_STREAM_GAPS = {"static": 1, "small_flow": 1, "small_visible": 1} | {
    f"{kind}{gap}": gap for gap in GAPS for kind in ("flow", "visible")
}


@dataclass(frozen=True)
class RowFrames:
    """A row's part of N consecutive frames.

    Attributes:
        labels_NHW: uint8 ids, at frame size.
        probs_NKHW: float, at the size at which the network sees frames; None when only labels are known.
    """

    labels_NHW: np.ndarray
    probs_NKHW: Tensor | None = None


class VideoMeter:
    """Feeds the frames of one video to the metrics of every row, with the earlier frames that each needs.

    Args:
        labels: the label set.
        fps: frames per second.
        flow: for what is measured along the motion; None leaves it out.
        reference: the row whose switches and areas the others are compared with where there are no true labels.
    """

    def __init__(self, labels: LabelSet, fps: float, flow: FlowBackend | None, reference: str | None = None) -> None:
        self.labels = labels
        self.fps = fps
        self.flow = flow
        self.reference = reference
        # what the probabilities cover; None for whole frames
        self.region: Region | None = None
        self.rows: dict[str, RowMetrics] = {}
        self._shared = self._streams(RowMetrics(labels, fps, TRUTH).feeds)
        self._streams_of: dict[str, Streams] = {}
        self._recent: deque[VideoFrame] = deque(maxlen=max(GAPS))
        self._num_seen = 0
        self._photometric_errors: list[float] = []

    @staticmethod
    def _streams(feeds: list[Feed]) -> Streams:
        depths: dict[str, int] = {}
        for feed in feeds:
            for name in (*feed.inputs, *feed.optional):
                depths[name] = max(depths.get(name, 0), feed.context)
        return Streams(depths, _STREAM_GAPS)

    def update(
        self, frames: list[VideoFrame] | None, rows: Mapping[str, RowFrames], truth_NHW: np.ndarray | None
    ) -> None:
        """Add the next N frames of the video.

        Args:
            frames: the frames; None when the video is not at hand.
            rows: row name to labels and probabilities.
            truth_NHW: uint8 true labels, when there are any.
        """
        with _single_threaded():
            self._update(frames, rows, truth_NHW)

    def _update(
        self, frames: list[VideoFrame] | None, rows: Mapping[str, RowFrames], truth_NHW: np.ndarray | None
    ) -> None:
        small = next((tuple(r.probs_NKHW.shape[-2:]) for r in rows.values() if r.probs_NKHW is not None), None)
        self._shared.push(self._common(frames, truth_NHW, small))
        if truth_NHW is None and self.reference is not None and self.reference in rows:
            self._shared.push({"reference": torch.from_numpy(rows[self.reference].labels_NHW)})
        for row, part in rows.items():
            self._update_row(row, part)
        self._num_seen += len(next(iter(rows.values())).labels_NHW)

    def _update_row(self, row: str, part: RowFrames) -> None:
        if row not in self.rows:
            self.rows[row] = RowMetrics(self.labels, self.fps, row)
            # earlier frames of what is measured, and no others: probabilities are large
            self._streams_of[row] = self._streams([f for f in self.rows[row].feeds if self._shared.has(f.inputs[1:])])
        metrics, own = self.rows[row], self._streams_of[row]
        labels_NHW = torch.from_numpy(part.labels_NHW)
        own.push(metrics.streams(labels_NHW))
        if part.probs_NKHW is not None:
            own.push({"probs": part.probs_NKHW})
        for feed in metrics.feeds:
            name, *others = feed.inputs
            others += [stream for stream in feed.optional if self._shared.has((stream,))]
            if own.has((name,)) and self._shared.has(tuple(others)):
                length = min(feed.context, self._num_seen) + len(labels_NHW)
                window = (*own.window((name,), length), *self._shared.window(tuple(others), length))
                metrics.update(feed, window, first=self._num_seen == 0)

    def _common(
        self, frames: list[VideoFrame] | None, truth_NHW: np.ndarray | None, small: tuple[int, ...] | None
    ) -> dict[str, Tensor]:
        """The streams that all rows share."""
        streams = {}
        if truth_NHW is not None:
            streams["truth"] = streams["reference"] = torch.from_numpy(truth_NHW)
            if small is not None:
                covered = truth_NHW if self.region is None else np.stack([self.region.of(one) for one in truth_NHW])
                streams["small_truth"] = torch.from_numpy(resize_labels(covered, *small))
        if frames:
            before = [self._recent[-1].pixels_HWC] if self._recent else []
            pixels_THWC = np.stack([*before, *(frame.pixels_HWC for frame in frames)])
            streams["static"] = static_mask(torch.from_numpy(pixels_THWC))
            streams |= self._motion(frames, small)
            self._recent.extend(frames)
        return streams

    def _motion(self, frames: list[VideoFrame], small: tuple[int, ...] | None) -> dict[str, Tensor]:
        if self.flow is None:
            return {}
        known = [*self._recent, *frames]
        streams: dict[str, Tensor] = {}
        for gap in GAPS:
            starts = range(max(0, len(self._recent) - gap), len(known) - gap)
            found = [self.flow.correspondence(known[i], known[i + gap]) for i in starts]
            streams |= _stack(found, f"flow{gap}", f"visible{gap}", frames[0].pixels_HWC.shape[:2])
            if gap == 1 and found:
                # one pair a batch is enough for a mean, and costs little
                i = starts[0]
                pixels = known[i].pixels_HWC, known[i + 1].pixels_HWC
                self._photometric_errors.append(photometric_error(*pixels, found[0]))
            if gap == 1 and small is not None:
                covered = found if self.region is None else [Correspondence(*map(self.region.of, one)) for one in found]
                shrunk = [shrink(one, *small) for one in covered]
                streams |= _stack(shrunk, "small_flow", "small_visible", small)
        return streams

    def floor(self) -> dict[str, float]:
        """What remains different between frames that are warped onto each other, in 0..1; empty without motion."""
        errors = [error for error in self._photometric_errors if not math.isnan(error)]
        return {"photometric_error": sum(errors) / len(errors)} if errors else {}

    def results(self) -> dict[str, dict[str, float]]:
        """Values by row and key."""
        values = {row: metrics.results() for row, metrics in self.rows.items()}
        truth = values.get(TRUTH, {}).get("flicker/aba")
        if truth is not None:
            for keys in values.values():
                if "flicker/aba" in keys:
                    keys["flicker/aba_excess"] = keys["flicker/aba"] - truth
        return values


@contextmanager
def _single_threaded() -> Iterator[None]:
    """One thread for torch: on maps of a frame's size, waking a second one costs more than it does."""
    number = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(number)


def shrink(one: Correspondence, height: int, width: int) -> Correspondence:
    """A correspondence for pictures of another size."""
    if one.visible_HW.shape == (height, width):
        return one
    scale = np.array([width / one.visible_HW.shape[1], height / one.visible_HW.shape[0]], np.float32)
    flow_HW2 = cv2.resize(one.flow_HW2, (width, height), interpolation=cv2.INTER_AREA) * scale
    visible_HW = resize_labels(one.visible_HW.astype(np.uint8)[None], height, width)[0].astype(bool)
    return Correspondence(flow_HW2, visible_HW)


def _stack(found: list[Correspondence], flow: str, visible: str, size: tuple[int, ...]) -> dict[str, Tensor]:
    flows = np.stack([one.flow_HW2 for one in found]) if found else np.zeros((0, *size, 2), np.float32)
    masks = np.stack([one.visible_HW for one in found]) if found else np.zeros((0, *size), bool)
    return {flow: torch.from_numpy(flows), visible: torch.from_numpy(masks)}
