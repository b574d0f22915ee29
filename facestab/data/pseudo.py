"""The pseudo-label store: what the image model says of every frame of every video, once."""

import json
import logging
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock
from rich.progress import Progress

from facestab.data.videos import VideoItem, content_hash
from facestab.nets.inference import argmax_labels, frame_batches, predict_logits, resize_frames, resize_labels
from facestab.nets.segnet import SegNet
from facestab.nets.weights import weights_hash
from facestab.progress import progress_bars
from facestab.video.sink import VideoSink
from facestab.video.source import open_video

log = logging.getLogger(__name__)
SCHEMA = 1


class PseudoLabelStore:
    """Hard labels of the image model, lossless, one file a video (patent CN110427899A, S210 and S550).

    A file is found by the content of the video and the weights of the model, so that a change of either never reads
    stale labels, and a run that was interrupted goes on at the video where it stopped.

    Args:
        root: the folder of all stores.
        net: the image model.
        size: pixels of the shorter side at which the model sees the frames.
        batch_size: frames per forward pass.
        use_true_labels: take a video's true labels where it has them (patent [0074]).

    Raises:
        ValueError: for a batch size below 1.
    """

    def __init__(self, root: str, net: SegNet, size: int, batch_size: int = 16, use_true_labels: bool = False) -> None:
        if batch_size < 1:
            raise ValueError(f"pseudo.batch_size must be at least 1, got {batch_size}")
        self.net = net
        self.size = size
        self.batch_size = batch_size
        self.use_true_labels = use_true_labels
        self.model = weights_hash(net)
        self.folder = Path(root) / f"{self.model[:16]}-{size}px"

    def path(self, item: VideoItem) -> Path:
        """The label video of an item, whether it is there yet or not."""
        if self.use_true_labels and item.truth is not None:
            return item.truth
        return self.folder / f"{_content_hash(item.path)[:32]}.mkv"

    def fill(self, items: list[VideoItem], device: torch.device, rank: int = 0, world_size: int = 1) -> None:
        """Label what has no labels yet. Processes share the work: each video is labelled by one of them."""
        missing = [item for item in items if not self.path(item).exists()]
        log.info("pseudo-labels: %d of %d videos are in %s", len(items) - len(missing), len(items), self.folder)
        if not missing:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "locks").mkdir(exist_ok=True)
        self.net.to(device).eval()
        # the own share first; then whatever another process has left or is still at
        ordered = missing[rank::world_size] + [item for i, item in enumerate(missing) if i % world_size != rank]
        with progress_bars() as bars:
            videos = bars.add_task("labelling", total=len(ordered), unit="videos")
            for item in ordered:
                path = self.path(item)
                with FileLock(self.folder / "locks" / f"{path.stem}.lock"):
                    if not path.exists():
                        self._label(item, path, device, bars)
                bars.advance(videos)

    def _label(self, item: VideoItem, path: Path, device: torch.device, bars: Progress) -> None:
        frames = bars.add_task(item.id, total=item.num_frames, unit="frames")
        with open_video(item.path) as source, VideoSink(path, source.info.fps, codec="labels") as sink:
            info = source.info
            for frames_NHWC in frame_batches(source.frames(), self.batch_size):
                logits = predict_logits(self.net, resize_frames(frames_NHWC, self.size), device)
                for labels_HW in resize_labels(argmax_labels(logits), info.height, info.width):
                    sink.write(labels_HW)
                bars.advance(frames, len(frames_NHWC))
        bars.remove_task(frames)
        self._describe(item, path)

    def _describe(self, item: VideoItem, path: Path) -> None:
        card = {"schema": SCHEMA, "video": str(item.path), "frames": item.num_frames, "model": self.model}
        part = path.with_suffix(".part.json")
        part.write_text(json.dumps({**card, "size": self.size}, indent=1))
        part.replace(path.with_suffix(".json"))


@cache
def _content_hash(path: Path) -> str:
    return content_hash(path)
