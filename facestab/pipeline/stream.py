"""stage=predict on a camera or a pipe: one frame in, one out, and never behind."""

import logging
import signal
import time
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from omegaconf import DictConfig

from facestab.build import build
from facestab.data.folder_name import folder_name
from facestab.data.live_framing import LiveFramer
from facestab.engines.base import Engine
from facestab.engines.onnx_net import load_any
from facestab.errors import SettingError, VideoError
from facestab.evaluation.summary import video_record
from facestab.evaluation.video import EvaluationPlan, VideoEvaluation
from facestab.keys import IMAGE, STABILIZED
from facestab.nets.inference import argmax_labels, resize_frames, resize_labels
from facestab.pipeline.folder import open_run
from facestab.pipeline.framing import make_framer
from facestab.pipeline.trainer import make_loggers
from facestab.pipeline.videos import finish, log_videos, make_plan
from facestab.video.crop import Square, around, crop, paste
from facestab.video.live import LastTime, LiveFrame, LiveSource, Newest
from facestab.video.live_sink import LiveSink
from facestab.video.overlay import overlay
from facestab.video.timing import Timing

log = logging.getLogger(__name__)
# containers count time in steps; two frames may not share one
_STEP = Fraction(1, 1000)


def run_stream(config: DictConfig, folder: Path, overrides: list[str]) -> None:
    """Label a stream while it runs, write its files and metrics, say what frames took and how many were left out."""
    path = Path(config.ckpt)
    net, card = load_any(path, config.allow_targets)
    size = config.size or card.size
    framer = make_framer(config, net, size)
    row = STABILIZED if card.stage == "temporal" else IMAGE
    seconds = config.stream.seconds
    if seconds is not None and not seconds > 0:
        raise SettingError(f"stream.seconds must be above 0, or null, got {seconds}")
    # motion and smoothers take longer than the network
    plan = replace(make_plan(config, folder, card.label_set, row, None), controls={}, flow=None, probabilities=False)
    fabric = Fabric(accelerator=config.trainer.accelerator, devices=1, precision=config.trainer.precision)
    net = net.to(fabric.device).eval()
    source = LiveSource(config.video.source)
    newest = Newest(source.frames(), config.stream.drop)
    frames = iter(newest)
    log.info("stage=predict ckpt=%s size=%s: waiting for %s", path, size, source.name)
    first = next(frames, None)
    if first is None:
        raise VideoError(f"{source.name}: no frame came")
    # a camera goes on while the engine is made ready, which says nothing about what comes then
    square = None if framer is None else LiveFramer(framer, float(source.fps))(first.pixels_HWC)
    seen_1HWC = _seen(first.pixels_HWC, square, size)
    engine = build(config.engine).make(net, seen_1HWC, fabric.device, fabric.autocast)
    open_run(folder, config, overrides)
    with make_loggers(config, folder) as loggers, ended_by_signals(newest):
        log.info("%s: %s frames a second, into %s; Ctrl-C ends it", source.name, float(source.fps), folder)
        live = None if framer is None else LiveFramer(framer, float(source.fps))
        stream = Stream(plan, row, engine, size, source, newest, config.stream.output, live)
        result = stream.run(first, frames, seconds)
        record = {"stage": "predict", "ckpt": str(path), "size": size, "flow": "none"}
        record |= {"labels": card.label_set.to_dict(), **video_record([result], row, None), "stream": stream.summary()}
        log_videos(loggers, record, folder)
    finish(record, folder)
    log.info(described(stream.summary()))


@contextmanager
def ended_by_signals(newest: Newest) -> Iterator[None]:
    """Ctrl-C and a polite kill end the stream, and what has come is kept."""
    before = {number: signal.signal(number, lambda *_: newest.stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Stream:
    """A stream on its way through a network.

    Args:
        plan: what is written and measured.
        row: the network's.
        engine: the network.
        size: pixels of the shorter side at which it sees frames.
        source: where the frames come from.
        newest: the frames.
        output: a named pipe or file that gets the overlay as it is made.
        framer: finds the square that the network sees; None: it sees whole frames.
    """

    def __init__(
        self,
        plan: EvaluationPlan,
        row: str,
        engine: Engine,
        size: int,
        source: LiveSource,
        newest: Newest,
        output: str | None,
        framer: LiveFramer | None,
    ) -> None:
        self.plan = plan
        self.row = row
        self.engine = engine
        self.size = size
        self.source = source
        self.newest = newest
        self.output = output
        self.framer = framer
        self.latencies = array("f")
        self.begin = self.end = 0.0

    def run(self, first: LiveFrame, frames: Iterator[LiveFrame], seconds: float | None) -> Any:
        """Label frames until they end, or for so many seconds; the result of the video."""
        times = LastTime()
        timing = Timing(self.source.fps, times)
        size = first.pixels_HWC.shape[0], first.pixels_HWC.shape[1]
        self.newest.count_from_here()
        self.begin, previous = time.perf_counter(), -_STEP
        name = f"camera{self.source.name}" if self.source.name.isdecimal() else folder_name(Path(self.source.name).stem)
        with (
            LiveSink(self.output, self.source.fps) as sink,
            VideoEvaluation(self.plan, name, timing, size, self.source.name) as evaluation,
        ):
            frame: LiveFrame | None = first._replace(arrived=self.begin)
            while frame is not None:
                at = max(Fraction(frame.arrived - self.begin).limit_denominator(90000), previous + _STEP)
                times.add(at)
                previous = at
                square = None if self.framer is None else self.framer(frame.pixels_HWC)
                labels_HW = self._label(frame.pixels_HWC, square)
                if self.output is not None:
                    sink.write(overlay(frame.pixels_HWC, labels_HW, self.plan.labels))
                took = time.perf_counter() - frame.arrived
                self.latencies.append(took)
                evaluation.add(
                    frame.pixels_HWC[None],
                    {},
                    {self.row: took},
                    labels={self.row: labels_HW[None]},
                    squares=None if square is None else [[(square.x, square.y, square.side)]],
                )
                if seconds is not None and time.perf_counter() - self.begin > seconds:
                    self.newest.stop()
                frame = next(frames, None)
            self.end = time.perf_counter()
            return evaluation.finish()

    @torch.inference_mode()
    def _label(self, pixels_HWC: np.ndarray, square: Square | None) -> np.ndarray:
        height, width = pixels_HWC.shape[:2]
        logits_1KHW = self.engine(_seen(pixels_HWC, square, self.size))
        if square is None:
            labels_HW: np.ndarray = resize_labels(argmax_labels(logits_1KHW), height, width)[0]
            return labels_HW
        region = around([[square]], height, width)
        logits_KHW = paste(logits_1KHW, [region.moved(square)], *region.size)
        labels_HW = np.zeros((height, width), np.uint8)
        region.of(labels_HW)[:] = argmax_labels(logits_KHW[None])[0]
        return labels_HW

    def summary(self) -> dict[str, Any]:
        """Frames that came, were labelled and were left out; milliseconds from a frame's arrival to its labels."""
        p50, p95 = (float(1000 * value) for value in np.percentile(np.frombuffer(self.latencies, np.float32), (50, 95)))
        seconds = max(self.end - self.begin, 1e-9)
        return {
            "arrived": self.newest.num_arrived,
            "labelled": len(self.latencies),
            "dropped": self.newest.num_dropped,
            "seconds": seconds,
            "latency_p50_ms": p50,
            "latency_p95_ms": p95,
        }


def _seen(pixels_HWC: np.ndarray, square: Square | None, size: int) -> np.ndarray:
    """The frame as the network sees it, uint8 (1, h, w, 3)."""
    if square is None:
        return resize_frames(pixels_HWC[None], size)
    return crop(pixels_HWC, square, size)[None]


def described(summary: Mapping[str, Any]) -> str:
    """A line for people."""
    text = (
        f"stream: {summary['arrived']} frames in, {summary['labelled']} labelled, {summary['dropped']} dropped; "
        f"latency p50 {summary['latency_p50_ms']:.0f} ms, p95 {summary['latency_p95_ms']:.0f} ms"
    )
    if not summary["dropped"]:
        return text
    rate = summary["labelled"] / summary["seconds"]
    return f"{text}; it cannot keep up: {rate:.1f} frames a second; a smaller size= or engine=auto takes less time"
