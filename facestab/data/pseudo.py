"""The pseudo-label store: what a teacher says of every frame of every video, once."""

import hashlib
import json
import logging
from collections.abc import Sequence
from contextlib import closing, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from rich.progress import Progress, TaskID

from facestab.data.labelling import LabelWriter, teach
from facestab.data.pseudo_labels import NUM_LEVELS, PseudoLabels, confident_levels
from facestab.data.teacher import Teacher
from facestab.data.videos import VideoItem
from facestab.engines.base import Engine, EngineKind
from facestab.engines.eager import TorchKind
from facestab.errors import FacestabError, FrameError, none_usable
from facestab.labels import LabelSet
from facestab.nets.inference import frame_batches, resize_frames
from facestab.nets.segnet import SegNet
from facestab.nets.weights import weights_hash
from facestab.overlap import Behind
from facestab.progress import progress_bars
from facestab.video.label_video import read_labels

log = logging.getLogger(__name__)
# raised when the same settings give other files than before
SCHEMA = 3


class PseudoLabelStore:
    """Labels made by a teacher from the image model, lossless, one file a video (patent CN110427899A, S210 and S550).

    A frame of a file holds the best class, the runner-up and the share between them, one above the other, so that
    hard, soft and thresholded labels are read from the same file. It is found by the content of the video, the weights
    of the model and the settings of the teacher, so that a change of any never reads stale labels, and a run that was
    interrupted goes on at the video where it stopped. The card beside it (.json) counts its pixels by class and level;
    see `count_levels`.

    Args:
        root: the folder of all stores.
        net: the image model.
        size: pixels of the shorter side at which the model sees the frames.
        teacher: makes probabilities of a video's frames.
        labels: the classes.
        batch_size: frames per forward pass.
        engine: what runs the image model; None: torch, in float32.
        use_true_labels: take the true labels of a video that has one for every frame. Single frames that have one
            always use it (patent [0074]).
        soft: give the runner-up and the share, too; the patent's labels are hard.
        keep: share of each class's pixels, the most certain ones, that keep their label; the others are ignored. One
            threshold a class holds for all videos given to `fill`. True labels are all kept.

    Attributes:
        skipped: path to reason of the videos with a frame that cannot be read: they get no labels.

    Raises:
        ValueError: for a batch size below 1, or keep not above 0 and up to 1.
    """

    def __init__(
        self,
        root: str,
        net: SegNet,
        size: int,
        teacher: Teacher,
        labels: LabelSet,
        batch_size: int = 16,
        engine: EngineKind | None = None,
        use_true_labels: bool = False,
        soft: bool = False,
        keep: float = 1.0,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"pseudo.batch_size must be at least 1, got {batch_size}")
        if not 0 < keep <= 1:
            raise ValueError(f"pseudo.keep must be above 0 and at most 1, got {keep}")
        self.net = net
        self.size = size
        self.teacher = teacher
        self.labels = labels
        self.batch_size = batch_size
        self.engine_kind = engine or TorchKind()
        self._engine: Engine | None = None
        self.use_true_labels = use_true_labels
        self.soft = soft
        self.keep = keep
        self.skipped: dict[str, str] = {}
        self.model = weights_hash(net)
        made_by = json.dumps({"schema": SCHEMA, **self.made_by()}, sort_keys=True)
        digest = hashlib.sha256(made_by.encode()).hexdigest()
        self.folder = Path(root) / f"{self.model[:16]}-{size}px-{digest[:12]}"
        # known from the start when nothing is left out
        self._least_level_K = np.zeros(labels.num_classes, np.int64) if keep == 1 else None

    def made_by(self) -> dict[str, Any]:
        """What makes the labels beside the model's weights: primitives that change with whatever changes them."""
        # torch's are the same on every machine but for rounding
        engine = {} if self.engine_kind.name == TorchKind().name else {"engine": self.engine_kind.name}
        return {**self.teacher.settings(), **engine}

    def __getstate__(self) -> dict[str, Any]:
        """For workers, which only read: engines stay where they are."""
        return {**self.__dict__, "_engine": None}

    def path(self, item: VideoItem) -> Path:
        """The label video of an item, whether it is there yet or not."""
        if self._is_true(item):
            assert item.truth is not None
            return item.truth
        digest = item.digest()
        if item.cuts:
            # teachers that look around stop at cuts
            digest = hashlib.sha256(f"{digest} {item.cuts}".encode()).hexdigest()
        return self.folder / f"{digest[:32]}.mkv"

    def open(self, item: VideoItem) -> PseudoLabels:
        """The labels of an item that has been given to `fill`.

        Raises:
            RuntimeError: with keep below 1, before `fill`.
            VideoError: when they are not there.
        """
        return self._labels_of(item, self.soft, self._least_levels())

    def certain(self, item: VideoItem) -> PseudoLabels:
        """All labels of an item that is labelled, with their shares, whatever `soft` and `keep` say."""
        return self._labels_of(item, True, np.zeros(self.labels.num_classes, np.int64))

    def _labels_of(self, item: VideoItem, soft: bool, least_level_K: np.ndarray) -> PseudoLabels:
        return PseudoLabels(self.path(item), self._is_true(item), soft, least_level_K, dict(item.true_frames))

    def class_pixels(self, items: Sequence[VideoItem]) -> np.ndarray:
        """Pixels of each class that have a label, float64 (K,), of items that have been given to `fill`.

        Raises:
            RuntimeError: with keep below 1, before `fill`.
        """
        kept_KL = np.arange(NUM_LEVELS) >= self._least_levels()[:, None]
        pixels_K = np.zeros(self.labels.num_classes)
        for item in items:
            if self._is_true(item):
                pixels_K += _true_pixels(self.path(item))[: len(pixels_K)]
            elif item.true_frames:
                # the card does not know of them
                for soft in self.open(item).frames():
                    pixels_K += np.bincount(soft.label_HW.ravel(), minlength=256)[: len(pixels_K)]
            else:
                pixels_K += (self._levels(item) * kept_KL).sum(1)
        return pixels_K

    def fill(self, items: Sequence[VideoItem], device: torch.device, rank: int = 0, world_size: int = 1) -> None:
        """Label what has no labels yet. Processes share the work: each video is labelled by one of them.

        Raises:
            VideoError: when no video could be read to its end.
        """
        missing = [item for item in items if not self.path(item).exists()]
        log.info("pseudo-labels: %d of %d videos are in %s", len(items) - len(missing), len(items), self.folder)
        if missing:
            # the own share first; then whatever another process has left or is still at
            others = [item for i, item in enumerate(missing) if i % world_size != rank]
            self._make(missing[rank::world_size] + others, device)
        usable = self.usable(items)
        if self.keep < 1:
            self._choose(usable)

    def usable(self, items: Sequence[VideoItem]) -> list[VideoItem]:
        """Those that have labels.

        Raises:
            VideoError: when there are none.
        """
        found = [item for item in items if self.path(item).exists()]
        if items and not found:
            raise none_usable([self.skipped.get(str(item.path), f"{item.path}: it has no labels") for item in items])
        return found

    def label(self, item: VideoItem, device: torch.device) -> bool:
        """Label one video, unless it is labelled; whether it is now."""
        if not self.path(item).exists():
            self._make([item], device)
        return self.path(item).exists()

    def _make(self, items: Sequence[VideoItem], device: torch.device) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "locks").mkdir(exist_ok=True)
        self.net.to(device).eval()
        with progress_bars() as bars:
            videos = bars.add_task("labelling", total=len(items), unit="videos")
            for item in items:
                path = self.path(item)
                with FileLock(self.folder / "locks" / f"{path.stem}.lock"):
                    if not path.exists():
                        self._try(item, path, device, bars)
                bars.advance(videos)

    def _try(self, item: VideoItem, path: Path, device: torch.device, bars: Progress) -> None:
        task = bars.add_task(item.id, total=item.num_frames, unit="frames")
        try:
            self._label(item, path, device, bars, task)
        except FrameError as error:
            self.skipped[str(item.path)] = str(error)
            log.warning("left out: %s", error)
        bars.remove_task(task)

    def _label(self, item: VideoItem, path: Path, device: torch.device, bars: Progress, task: TaskID) -> None:
        with LabelWriter(path, item.info, self.labels.num_classes) as writer:
            probs = teach(item, self._ready(item, device), self.teacher, self.size, self.batch_size)
            with closing(probs), Behind(writer.write, 2 * self.batch_size) as behind:
                for probs_KHW in probs:
                    behind.put(probs_KHW)
                    bars.advance(task)
            # before the video appears, which is what says that the work is done
            self._describe(item, path, writer.pixels_KL)

    def _ready(self, item: VideoItem, device: torch.device) -> Engine:
        if self._engine is None:
            with item.open() as source:
                first_NHWC = next(frame_batches(source.frames(), self.batch_size))
            self._engine = self.engine_kind.make(self.net, resize_frames(first_NHWC, self.size), device, nullcontext)
        return self._engine

    def _describe(self, item: VideoItem, path: Path, pixels_KL: np.ndarray) -> None:
        card = {"schema": SCHEMA, "video": str(item.path), "frames": item.num_frames, "model": self.model}
        card |= {"size": self.size, "teacher": self.made_by(), "pixels": pixels_KL.tolist()}
        part = path.with_suffix(".part.json")
        part.write_text(json.dumps(card))
        part.replace(path.with_suffix(".json"))

    def _choose(self, items: Sequence[VideoItem]) -> None:
        """Set what a label must reach to be kept, by all videos that are not truly labelled."""
        pixels_KL = np.zeros((self.labels.num_classes, NUM_LEVELS), np.int64)
        for item in items:
            if not self._is_true(item):
                pixels_KL += self._levels(item)
        self._least_level_K = confident_levels(pixels_KL, self.keep)
        kept_K = (pixels_KL * (np.arange(NUM_LEVELS) >= self._least_level_K[:, None])).sum(1)
        named = zip(self.labels.names, kept_K, pixels_KL.sum(1), strict=True)
        shares = ", ".join(f"{name} {kept / total:.3f}" for name, kept, total in named if total)
        log.info("pseudo-labels: share of pixels that keep their label: %s", shares or "no pixels")

    def _is_true(self, item: VideoItem) -> bool:
        return self.use_true_labels and item.truth is not None

    def _least_levels(self) -> np.ndarray:
        if self._least_level_K is None:
            raise RuntimeError("pseudo.keep: which labels are kept is known after fill(items)")
        return self._least_level_K

    def _levels(self, item: VideoItem) -> np.ndarray:
        """int64 (K, 256), from the card."""
        path = self.path(item).with_suffix(".json")
        try:
            return np.array(json.loads(path.read_text())["pixels"], np.int64)
        except (OSError, ValueError, KeyError):
            remedy = f"remove {path.with_suffix('.mkv').name}, so that both are made again"
            raise FacestabError(f"{path}: the card of a label video cannot be read; {remedy}") from None


@cache
def _true_pixels(path: Path) -> np.ndarray:
    """int64 (256,): pixels of each id in a label video."""
    return sum(
        (np.bincount(labels_HW.ravel(), minlength=256) for labels_HW in read_labels(path)), np.zeros(256, np.int64)
    )
