"""What a frame costs in prediction and labelling beside the network: processor time by part.

Usage, in the checkout: python experiments/bench/spent.py [--output results.json]

Prediction as `prediction.py` runs it, one thing after the other, with a network that has its answers ready. What
24 x 8 frames take less what 8 x 8 take is what frames cost: opening files and making metrics is left out.
"""

import cProfile
import logging
import pstats
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from prediction import BATCH, SIZE, Ready, labelling, predicting
from torch import Tensor
from turns import arguments, clip, configuration, write

from facestab.build import build
from facestab.data.videos import VideoItem
from facestab.labels import LabelSet
from facestab.nets.weights import ModelCard
from facestab.video.sink import VideoSink
from facestab.video.source import open_video

SHORT, LONG = 64, 192
PARTS = {
    "decoding": ("pyav_reader.py", "read_frames"),
    "labels from logits": ("inference.py", "argmax_labels"),
    "metrics": ("meter.py", "update"),
    "flicker of every frame": ("curves.py", "update"),
    "drawing and encoding": ("files.py", "write"),
}


class Known:
    """An engine that has its answers ready: logits of true labels with noise, (N, K, H, W), channels last."""

    def __init__(self, truth_THW: np.ndarray, num_classes: int) -> None:
        generator = torch.Generator().manual_seed(0)
        true_TKHW = torch.nn.functional.one_hot(torch.from_numpy(truth_THW).long(), num_classes).movedim(-1, 1)
        noise_TKHW = torch.randn(true_TKHW.shape, generator=generator)
        logits_TKHW = 4.0 * true_TKHW + 2 * torch.nn.functional.avg_pool2d(noise_TKHW, 3, 1, 1)
        self.logits_TKHW = logits_TKHW.contiguous(memory_format=torch.channels_last)
        self.number = 0

    def __call__(self, frames_NHWC: np.ndarray) -> Tensor:
        """The next ones."""
        start = self.number % len(self.logits_TKHW)
        self.number += len(frames_NHWC)
        return self.logits_TKHW[start : start + len(frames_NHWC)]


def spent(work: Callable[[], int]) -> dict[str, float]:
    """Processor seconds by part, and of all."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(work)
    stats = pstats.Stats(profile)
    found = dict.fromkeys(PARTS, 0.0)
    # what pstats has, it does not type
    for (path, _, function), values in stats.stats.items():  # type: ignore[attr-defined]
        for part, (file, name) in PARTS.items():
            if function == name and Path(path).name == file and "facestab" in path:
                found[part] += values[3]
    # the curves are counted where the files are written
    found["drawing and encoding"] -= found["flicker of every frame"]
    return {**found, "all": stats.total_tt}  # type: ignore[attr-defined]


def make_works(root: Path, labels: LabelSet) -> dict[str, dict[int, Callable[[], int]]]:
    """Prediction and labelling, of a clip of so many frames."""
    frames_THWC, truth_THW = clip(SIZE, SHORT)
    config = configuration("stage=image", "net=tiny")
    card, net = ModelCard("image", {}, labels.to_dict(), SIZE), build(config.net)
    works: dict[str, dict[int, Callable[[], int]]] = {"prediction": {}, "labelling": {}}
    for length in (SHORT, LONG):
        with VideoSink(root / f"{length}.mp4", Fraction(25), codec="h264") as sink:
            for number in range(length):
                sink.write(frames_THWC[number % SHORT])
        item = VideoItem(str(length), open_video(root / f"{length}.mp4").info)
        engine = Ready("torch", Known(truth_THW, labels.num_classes))
        works["prediction"][length] = predicting(net, card, item, engine, root / "out", overlap=0)
        works["labelling"][length] = labelling(net, card, item, root, engine)
    return works


def main() -> None:
    """The command line."""
    chosen = arguments(__doc__, 1)
    logging.getLogger("lightning").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        works = make_works(Path(name), build(configuration("stage=image").labels))
        for lengths in works.values():
            lengths[SHORT]()
        short, long = (spent(works["prediction"][length]) for length in (SHORT, LONG))
        labelled = [spent(works["labelling"][length])["all"] for length in (SHORT, LONG)]
    found = {part: 1000 * (long[part] - short[part]) / (LONG - SHORT) for part in long}
    found["the rest"] = found["all"] - sum(found[part] for part in PARTS)
    found["labelling, all"] = 1000 * (labelled[1] - labelled[0]) / (LONG - SHORT)
    print(f"{SIZE} x {SIZE}, batches of {BATCH}: processor time beside the network")
    for part, milliseconds in found.items():
        print(f"{part:>28}: {milliseconds:6.2f} ms/frame")
    write(chosen.output, "spent", {"size": SIZE, "frames": [SHORT, LONG], "ms_per_frame": found})


if __name__ == "__main__":
    main()
