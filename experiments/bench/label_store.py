"""What the label store costs: bytes and random pairs against PNG files, and training from it against memory.

Usage, in the checkout: python experiments/bench/label_store.py [--rounds 5] [--output results.json]

The labels are those of a synthetic clip of 256 x 256 with probabilities as a network has them: sure inside, shared at
the boundaries, with noise. All ways of keeping them and both ways of training take turns in one run.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset
from turns import arguments, configuration, ratios, spread, write

from facestab.build import build
from facestab.data.frame_store import FrameStore
from facestab.data.loader import make_loader
from facestab.data.pair_sample import PairSample, to_batch
from facestab.data.pairs import FramePairs
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.pseudo_labels import encode
from facestab.data.sampler import SampleKey
from facestab.data.synthetic import Clip, Conditions, identity_seed
from facestab.data.teacher import FrameTeacher
from facestab.data.videos import VideoItem
from facestab.types import FramePairBatch
from facestab.video.label_video import LabelVideo
from facestab.video.sink import VideoSink
from facestab.video.source import open_video

SIZE, NUM_FRAMES, NUM_PAIRS = 256, 64, 64
TRAIN_SIZE, NUM_STEPS, BATCH = 128, 12, 4


def encoded_labels(num_classes: int) -> Iterator[np.ndarray]:
    """uint8 (3 H, W) of every frame: best class, runner-up and level, one above the other."""
    world = Clip(identity_seed("train", 0), 0, num_frames=NUM_FRAMES, size=SIZE, conditions=Conditions.video())
    generator = np.random.default_rng(0)
    for t in range(NUM_FRAMES):
        planes = np.stack([world.labels(t) == k for k in range(num_classes)]).astype(np.float32)
        soft = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.5) for plane in planes]) + 1e-4
        soft *= np.exp(0.3 * generator.standard_normal(soft.shape)).astype(np.float32)
        yield encode(torch.from_numpy(soft / soft.sum(0))).reshape(-1, SIZE)


class Kept:
    """One way of keeping label maps on disk."""

    def __init__(self, folder: Path, frames: list[np.ndarray], kind: str) -> None:
        self.folder = folder
        self.kind = kind
        folder.mkdir()
        if kind.startswith("PNG"):
            for t, frame in enumerate(frames):
                Image.fromarray(frame).save(folder / f"{t}.png")
        else:
            with VideoSink(folder / "labels.mkv", Fraction(25), codec="labels") as sink:
                for frame in frames:
                    sink.write(frame)
            self.source = LabelVideo(folder / "labels.mkv")

    @property
    def bytes_per_frame(self) -> float:
        """Of all files."""
        return sum(path.stat().st_size for path in self.folder.iterdir()) / NUM_FRAMES

    def pair(self, index: int) -> np.ndarray:
        """Two adjacent label maps."""
        if not self.kind.startswith("PNG"):
            return self.source.pair(index)
        return np.stack([np.asarray(Image.open(self.folder / f"{t}.png")) for t in (index, index + 1)])


class InMemory(Dataset[FramePairBatch]):
    """The samples of `FramePairs` with nothing to read."""

    def __init__(self, pairs: FramePairs) -> None:
        self.pairs = pairs
        self.samples: list[PairSample] = [pairs.sample(*pairs.locate(i), 1) for i in range(len(pairs))]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: SampleKey) -> FramePairBatch:
        return to_batch(self.samples[key.position], self.pairs.augment, key.seed, key.is_padding)


def seconds(work: Callable[[], None]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def reading(kept: Kept, seed: int) -> Callable[[], None]:
    """Random pairs of one way of keeping labels."""

    def work() -> None:
        for index in np.random.default_rng(seed).integers(0, NUM_FRAMES - 1, NUM_PAIRS):
            kept.pair(int(index))

    return work


def training(dataset: Dataset[FramePairBatch], net: torch.nn.Module) -> Callable[[], None]:
    """Forward and backward passes over pairs that one worker loads."""
    loader = make_loader(dataset, batch_size=BATCH, num_workers=1, seed=0, shuffle=True, trainer=None)

    def work() -> None:
        for step, batch in enumerate(loader):
            if step == NUM_STEPS:
                break
            net(batch.frames_BTCHW.flatten(0, 1)).logits_BKHW.mean().backward()

    return work


def make_pairs(folder: Path, labels: object, augment: object, is_decoded: bool) -> FramePairs:
    """Pairs of one clip that is labelled by a network with random weights, read from files or decoded once before."""
    folder.mkdir()
    world = Clip(identity_seed("train", 1), 1, num_frames=NUM_FRAMES, size=SIZE, conditions=Conditions.video())
    with VideoSink(folder / "clip.mkv", Fraction(25), codec="ffv1_rgb") as sink:
        for t in range(NUM_FRAMES):
            sink.write(world.frame(t))
    item = VideoItem("clip", open_video(folder / "clip.mkv").info)
    net = build(configuration("stage=image", "net=unet_small").net)
    store = PseudoLabelStore(str(folder / "store"), net, TRAIN_SIZE, FrameTeacher(labels), labels)  # type: ignore[arg-type]
    store.fill([item], torch.device("cpu"))
    kept = None
    if is_decoded:
        kept = FrameStore(str(folder / "frames"), 1e9)
        kept.fill([item], store)
    return FramePairs([item], store, augment, train=True, decoded=kept)  # type: ignore[arg-type]


def main() -> None:
    """The command line."""
    chosen = arguments(__doc__, 5)
    config = configuration("stage=image", "net=unet_small", f"size={TRAIN_SIZE}")
    labels, augment, net = build(config.labels), build(config.augment), build(config.net)
    frames = list(encoded_labels(labels.num_classes))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        ways = {
            "FFV1, class, runner-up and share (the store)": Kept(root / "a", frames, "FFV1"),
            "PNG, class, runner-up and share": Kept(root / "b", frames, "PNG"),
            "FFV1, class alone": Kept(root / "c", [frame[:SIZE] for frame in frames], "FFV1"),
            "PNG, class alone": Kept(root / "d", [frame[:SIZE] for frame in frames], "PNG"),
        }
        pairs = make_pairs(root / "train", labels, augment, is_decoded=False)
        decoded = make_pairs(root / "decoded", labels, augment, is_decoded=True)
        steps = {
            "files": training(pairs, net),
            "the store of decoded frames": training(decoded, net),
            "memory": training(InMemory(pairs), net),
        }
        for work in (*(reading(kept, 0) for kept in ways.values()), *steps.values()):
            work()
        rounds = [
            {
                **{way: NUM_PAIRS / seconds(reading(kept, turn)) for way, kept in ways.items()},
                **{f"steps from {where}": NUM_STEPS / seconds(work) for where, work in steps.items()},
            }
            for turn in range(chosen.rounds)
        ]
        sizes = {way: kept.bytes_per_frame for way, kept in ways.items()}
    report(rounds, sizes, chosen.output)


def report(rounds: list[dict[str, float]], sizes: dict[str, float], output: Path) -> None:
    """Print medians with ranges, and write everything down."""
    for way, size in sizes.items():
        print(f"{way:>46}: {size:7.0f} bytes/frame, {spread((one[way] for one in rounds), 0)} pairs/s")
    # steps a second, not seconds
    found = {}
    for where in ("files", "the store of decoded frames"):
        found[f"{where} / memory"] = ratios(rounds, f"steps from {where}", "steps from memory")
        print(f"training steps a second, {where} / memory: {spread(found[f'{where} / memory'], 3)}")
    write(output, "label_store", {"bytes": sizes, "rounds": rounds, **found})


if __name__ == "__main__":
    main()
