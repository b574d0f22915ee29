"""What measuring costs, against the network's forward pass: ratios of one run, measured in turn.

Usage, in the checkout: python experiments/bench/metrics.py [--rounds 7] [--output results.json]

Times forward passes of `unet_resnet18` (eager, float32, channels-first) on 8 frames of 256 x 256, all flow-free metrics
of one row of a label video of that size with frames and true labels, and the same with DIS flow and everything that
needs it. The three take turns, so that the ratio holds when the machine's speed drifts.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from facestab.build import build, conf_dir
from facestab.data.synthetic import Clip, Conditions, identity_seed
from facestab.evaluation.meter import RowFrames, VideoMeter
from facestab.labels import LabelSet
from facestab.nets.inference import predict_logits
from facestab.video.flow import DisFlow, FlowBackend, VideoFrame

SIZE, NUM_FRAMES, BATCH = 256, 24, 8


def clip() -> tuple[list[VideoFrame], np.ndarray, np.ndarray]:
    """Frames, labels that flicker a little, and true labels of a synthetic clip."""
    world = Clip(identity_seed("train", 0), 0, num_frames=NUM_FRAMES, size=SIZE, conditions=Conditions.video())
    frames = [VideoFrame("clip", t, world.frame(t)) for t in range(NUM_FRAMES)]
    truth_THW = np.stack([world.labels(t) for t in range(NUM_FRAMES)])
    generator = np.random.default_rng(0)
    labels_THW = np.where(generator.random(truth_THW.shape) < 0.01, 0, truth_THW).astype(np.uint8)
    return frames, labels_THW, truth_THW


def seconds_per_frame(work: Callable[[], int]) -> float:
    """Wall time of a call, by the frames that it says it handled."""
    start = time.perf_counter()
    count = work()
    return (time.perf_counter() - start) / count


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


def processor() -> str:
    """The processor's name, as Linux knows it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("metrics.json"))
    arguments = parser.parse_args()
    OmegaConf.register_new_resolver("len", len, replace=True)
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        config = compose("config", overrides=["stage=image", "name=bench"])
    net, labels = build(config.net).eval(), build(config.labels)
    video = clip()
    pixels_NHWC = np.stack([frame.pixels_HWC for frame in video[0][:BATCH]])

    def forward() -> int:
        predict_logits(net, pixels_NHWC, torch.device("cpu"))
        return BATCH

    works = {
        "forward": forward,
        "flow-free metrics": measuring(labels, None, video),
        "all metrics with DIS": measuring(labels, DisFlow(), video),
    }
    for work in works.values():
        work()
    rounds = [{name: seconds_per_frame(work) for name, work in works.items()} for _ in range(arguments.rounds)]
    report(rounds, arguments.output)


def report(rounds: list[dict[str, float]], output: Path) -> None:
    """Print ms per frame and ratios as median [lowest, highest] over the rounds, and write them down."""
    results: dict[str, object] = {"machine": processor(), "threads": torch.get_num_threads(), "size": SIZE}
    results |= {"torch": torch.__version__, "rounds": rounds}
    print(f"{SIZE} x {SIZE}, {torch.get_num_threads()} threads, {len(rounds)} rounds: median [lowest, highest]")
    for name in rounds[0]:
        print(f"{name:>24}: {spread([1000 * one[name] for one in rounds])} ms/frame")
    for name in list(rounds[0])[1:]:
        ratios = [one["forward"] / one[name] for one in rounds]
        print(f"forward / {name}: {spread(ratios)} times")
        results[f"forward / {name}"] = [statistics.median(ratios), min(ratios), max(ratios)]
    output.write_text(json.dumps(results, indent=1) + "\n")


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


if __name__ == "__main__":
    main()
