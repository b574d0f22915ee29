"""Does flow-warped consistency with estimated flow rank outputs as it does with exact flow?

Usage, in the checkout: python experiments/metric_validity/study.py [--clips 12] [--frames 40]

Writes results.json beside this file and prints the table. The image model is that of `experiment=demo`, trained first
when there is none.
"""

import argparse
import json
import logging
import os
import platform
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from facestab.baselines.ema import Ema
from facestab.build import build, conf_dir
from facestab.data.exact_flow import ExactFlow
from facestab.data.synthetic.sets import SyntheticVideos
from facestab.data.videos import VideoItem
from facestab.functional.bootstrap import paired_interval
from facestab.functional.flicker import aba_mask
from facestab.metrics.consistency import TemporalConsistency
from facestab.nets.inference import argmax_labels, frame_batches, predict_logits
from facestab.nets.segnet import SegNet
from facestab.nets.weights import load_model
from facestab.pipeline.image import image_weights
from facestab.video.farneback import FarnebackFlow
from facestab.video.flow import DisFlow, FlowBackend, VideoFrame
from facestab.video.label_video import read_labels
from facestab.video.source import open_video

HERE = Path(__file__).parent
ROWS = ("truth", "truth + 1% ABA", "truth + 3% ABA", "image model", "EMA 0.7", "frozen")
GAPS = (1, 2, 4)
# the same clips without noise, blur, gain flicker and JPEG: what part of an error is the camera's
UNDAMAGED = "dis_medium on undamaged frames"


def rows_of(item: VideoItem, net: SegNet, num_classes: int) -> dict[str, np.ndarray]:
    """Row name to labels (T, H, W), uint8, of one clip."""
    truth_THW = np.stack(list(read_labels(item.truth)))
    with open_video(item.path) as source:
        parts = list(frame_batches(source.frames(), 8))
    logits = torch.cat([predict_logits(net, part, torch.device("cpu")) for part in parts])
    frames = [VideoFrame(item.id, t, frame) for t, frame in enumerate(np.concatenate(parts))]
    image_THW = argmax_labels(logits)
    noisy = {share: with_aba_noise(truth_THW, share, num_classes) for share in (0.01, 0.03)}
    ema_THW = argmax_labels(Ema(0.7)(frames, logits.softmax(1)))
    labels = (truth_THW, noisy[0.01], noisy[0.03], image_THW, ema_THW, np.repeat(image_THW[:1], len(image_THW), 0))
    return dict(zip(ROWS, labels, strict=True))


def with_aba_noise(labels_THW: np.ndarray, share: float, num_classes: int, seed: int = 0) -> np.ndarray:
    """Labels of which a share of the pixels of every frame carries another, random class in that frame alone."""
    generator = np.random.default_rng(seed)
    hit_THW = generator.random(labels_THW.shape) < share
    shift_THW = generator.integers(1, num_classes, labels_THW.shape)
    return np.where(hit_THW, (labels_THW + shift_THW) % num_classes, labels_THW).astype(np.uint8)


def consistency(
    rows: dict[str, np.ndarray], frames: list[VideoFrame], flow: FlowBackend, names: tuple[str, ...]
) -> Iterator[tuple[int, str, float, float]]:
    """Gap, row, masked TC and coverage."""
    for gap in GAPS:
        found = [flow.correspondence(a, b) for a, b in zip(frames, frames[gap:], strict=False)]
        motion = [torch.from_numpy(np.stack(part)) for part in zip(*found, strict=True)]
        suffix = "" if gap == 1 else f"_gap{gap}"
        for row, labels_THW in rows.items():
            metric = TemporalConsistency(names, gap)
            metric.update(torch.from_numpy(labels_THW), *motion)
            values = metric.compute()
            yield gap, row, float(values[f"tc/masked{suffix}"]), float(values[f"tc/coverage{suffix}"])


def measure(config: DictConfig, num_clips: int) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Flow name, gap and row to the values of the clips; under "aba" and "coverage" what they are for each."""
    net = load_model(image_weights(config, []))[0].eval()
    videos: SyntheticVideos = build(config.video)
    videos.prepare()
    names = build(config.labels).names
    flows: dict[str, FlowBackend] = {
        "exact": ExactFlow(videos),
        "dis_medium": DisFlow(),
        "dis_fast": DisFlow("fast"),
        "farneback": FarnebackFlow(),
        UNDAMAGED: DisFlow(),
    }
    values: dict[str, dict[str, dict[str, list[float]]]] = {"aba": {"": {}}}
    for item in videos.split("test")[:num_clips]:
        rows = rows_of(item, net, len(names))
        for row, labels_THW in rows.items():
            events, valid = aba_mask(torch.from_numpy(labels_THW))
            values["aba"][""].setdefault(row, []).append(float(events.sum() / valid.sum()))
        with open_video(item.path) as source:
            frames = [VideoFrame(item.id, t, frame) for t, frame in enumerate(source.frames())]
        clip = videos.clip(item)
        undamaged = [frame._replace(pixels_HWC=clip.clean_frame(frame.index)) for frame in frames]
        for name, flow in flows.items():
            seen = undamaged if name == UNDAMAGED else frames
            for gap, row, tc, coverage in consistency(rows, seen, flow, names):
                place = values.setdefault(name, {}).setdefault(str(gap), {})
                place.setdefault(row, []).append(tc)
                place.setdefault(f"coverage of {row}", []).append(coverage)
    return values


def ranks(means: dict[str, float]) -> list[str]:
    """Rows from the most consistent to the least."""
    return sorted(ROWS, key=lambda row: -means[row])


def tables(values: dict[str, dict[str, dict[str, list[float]]]]) -> str:
    """Markdown tables: a row's mean TC by each flow, its rank, and whether neighbours in rank differ for certain."""
    text = []
    for gap in map(str, GAPS):
        flows = [name for name in values if name != "aba"]
        means = {f: {row: float(np.mean(values[f][gap][row])) for row in ROWS} for f in flows}
        order = {f: ranks(means[f]) for f in flows}
        text += [f"Gap {gap}:", "", f"| row | ABA [%] | {' | '.join(f'{f} TC [%] (rank)' for f in flows)} |"]
        text.append("|---|---|" + "---|" * len(flows))
        for row in ROWS:
            cells = [f"{100 * means[f][row]:.2f} ({order[f].index(row) + 1})" for f in flows]
            text.append(f"| {row} | {100 * np.mean(values['aba'][''][row]):.3f} | {' | '.join(cells)} |")
        covered = [f"{100 * np.mean(values[f][gap]['coverage of truth']):.1f}" for f in flows]
        text += [f"| coverage | | {' | '.join(covered)} |", ""]
        same = {f: order[f] == order["exact"] for f in flows if f != "exact"}
        text.append("Ranks as by exact flow: " + ", ".join(f"{f} {'yes' if ok else 'NO'}" for f, ok in same.items()))
        for f in flows:
            gaps = [neighbours(values[f][gap], *pair) for pair in pairwise(order[f])]
            text.append(f"- {f}: {'; '.join(gaps)}")
        text.append("")
    return "\n".join(text)


def neighbours(values: dict[str, list[float]], better: str, worse: str) -> str:
    """The interval of the difference of two rows."""
    interval = paired_interval(values[better], values[worse])
    ends = "" if interval is None else " [{:+.2f}, {:+.2f}]".format(*(100 * end for end in interval))
    return f"{better} - {worse}{ends}"


def processor() -> str:
    """The processor's name, as Linux knows it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--frames", type=int, default=40)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    os.environ.setdefault("FACESTAB_NAME", "validity")
    OmegaConf.register_new_resolver("len", len, replace=True)
    settings = [f"video.num_test={arguments.clips}", f"video.num_frames={arguments.frames}"]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        config = compose("config", overrides=["experiment=demo", *settings])
    values = measure(config, arguments.clips)
    about = {"clips": arguments.clips, "frames": arguments.frames, "size": config.size, "machine": processor()}
    (HERE / "results.json").write_text(json.dumps({"about": about, "values": values}, indent=1) + "\n")
    print(tables(values))


if __name__ == "__main__":
    main()
