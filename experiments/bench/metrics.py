"""What measuring costs, against the network's forward pass: ratios of one run, measured in turn.

Usage, in the checkout: python experiments/bench/metrics.py [--rounds 7] [--output results.json]

Times forward passes of `unet_resnet18` (eager, float32, channels-first) on 8 frames of 256 x 256, all flow-free metrics
of one row of a label video of that size with frames and true labels, and the same with DIS flow and everything that
needs it. The three take turns, so that the ratio holds when the machine's speed drifts.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from turns import arguments, clip, configuration, ratios, spread, take_turns, write

from facestab.build import build
from facestab.evaluation.meter import RowFrames, VideoMeter
from facestab.labels import LabelSet
from facestab.nets.inference import predict_logits
from facestab.video.flow import DisFlow, FlowBackend, VideoFrame

SIZE, NUM_FRAMES, BATCH = 256, 24, 8


def flickering_clip() -> tuple[list[VideoFrame], np.ndarray, np.ndarray]:
    """Frames, labels that flicker a little, and true labels of a synthetic clip."""
    frames_THWC, truth_THW = clip(SIZE, NUM_FRAMES)
    frames = [VideoFrame("clip", t, frame_HWC) for t, frame_HWC in enumerate(frames_THWC)]
    generator = np.random.default_rng(0)
    labels_THW = np.where(generator.random(truth_THW.shape) < 0.01, 0, truth_THW).astype(np.uint8)
    return frames, labels_THW, truth_THW


def measuring(
    labels: LabelSet, flow: FlowBackend | None, video: tuple[list[VideoFrame], np.ndarray, np.ndarray]
) -> Callable[[], int]:
    """Measures the clip as prediction does, batch by batch."""

    def work() -> int:
        frames, labels_THW, truth_THW = video
        meter = VideoMeter(labels, float(Fraction(25)), flow)
        for first in range(0, NUM_FRAMES, BATCH):
            part = slice(first, first + BATCH)
            meter.update(frames[part], {"masks": RowFrames(labels_THW[part])}, truth_THW[part])
        meter.results()
        return NUM_FRAMES

    return work


def main() -> None:
    """The command line."""
    chosen = arguments(__doc__, 7)
    config = configuration("stage=image")
    net, labels = build(config.net).eval(), build(config.labels)
    video = flickering_clip()
    pixels_NHWC = np.stack([frame.pixels_HWC for frame in video[0][:BATCH]])

    def forward() -> int:
        predict_logits(net, pixels_NHWC, torch.device("cpu"))
        return BATCH

    works = {
        "forward": forward,
        "flow-free metrics": measuring(labels, None, video),
        "all metrics with DIS": measuring(labels, DisFlow(), video),
    }
    report(take_turns(works, chosen.rounds), chosen.output)


def report(rounds: list[dict[str, float]], output: Path) -> None:
    """Print ms per frame and ratios as median [lowest, highest] over the rounds, and write them down."""
    print(f"{SIZE} x {SIZE}, {torch.get_num_threads()} threads, {len(rounds)} rounds: median [lowest, highest]")
    for name in rounds[0]:
        print(f"{name:>24}: {spread(1000 * one[name] for one in rounds)} ms/frame")
    found = {f"forward / {name}": ratios(rounds, "forward", name) for name in list(rounds[0])[1:]}
    for name, values in found.items():
        print(f"{name}: {spread(values)} times")
    write(output, "metrics", {"size": SIZE, "rounds": rounds, "ratios": found})


if __name__ == "__main__":
    main()
