"""Frame pairs with pseudo labels, and labelled images beside them, for the temporal stage."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from facestab.data.flow_store import FlowStore
from facestab.data.frame_store import FrameStore
from facestab.data.images import ImageSplit, augmented
from facestab.data.pair_sample import PairSample, from_still, to_batch
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.sampler import SampleKey
from facestab.data.still_pairs import StillPairs
from facestab.data.transforms import Augmentation
from facestab.data.videos import VideoItem
from facestab.data.windows import FrameWindows
from facestab.nets.inference import resize_frames, resize_labels
from facestab.types import FramePairBatch, ImageBatch, TemporalBatch


class FramePairs(FrameWindows):
    """Every two frames of a shot that are `gap` apart; no pair crosses its end (patent S220, S560).

    Args:
        items: the videos; those that are no longer than the smallest gap give no pair.
        store: their labels.
        augment: one geometry for both frames and their labels, photometric damage for each frame.
        train: whether chance has a say.
        gaps: frames from the first to the second; with several each sample draws one that fits into its shot, in
            training, or takes the smallest.
        stride: frames from the first of one pair to the first of the next.
        flows: the motion between the frames; None: there is none.
        only_agreeing: ignore the labels of a pixel whose two labels differ.
        backend: auto, decord or pyav.
        decoded: see `FrameWindows`.

    Raises:
        ValueError: for a gap or stride below 1, or no gap.
        FacestabError: when there is no pair at all.
    """

    def __init__(
        self,
        items: list[VideoItem],
        store: PseudoLabelStore,
        augment: Augmentation,
        train: bool,
        gaps: Sequence[int] = (1,),
        stride: int = 1,
        flows: FlowStore | None = None,
        only_agreeing: bool = False,
        backend: str = "auto",
        decoded: FrameStore | None = None,
    ) -> None:
        check_gaps(gaps)
        super().__init__(
            items, store, augment, train, window=min(gaps) + 1, stride=stride, backend=backend, decoded=decoded
        )
        self.items = items
        self.gaps = sorted(gaps)
        self.flows = flows
        self.only_agreeing = only_agreeing

    def gap(self, video: int, frame: int, seed: int) -> int:
        """The gap of a sample: the smallest without chance, and where no other fits."""
        # the smallest always fits: windows are made for it
        end = next(stop for start, stop in self.items[video].shots if start <= frame < stop)
        possible = [gap for gap in self.gaps if frame + gap < end]
        return possible[seed % len(possible)] if self.train else possible[0]

    def sample(self, video: int, frame: int, gap: int) -> PairSample:
        """Two frames as stored, or at the network's size where there is flow, with all that is known of them."""
        other = frame + gap
        source = self.sources[video]
        if gap == 1:
            frames = source.pair(frame)
        else:
            between = list(source.frames(frame, other + 1))
            frames = np.stack([between[0], between[-1]])
        soft = self.labels[video].picked([frame, other])
        labels, runner_up, share = (np.stack(planes) for planes in zip(*soft, strict=True))
        if self.flows is None:
            return PairSample(frames, labels, runner_up, share, None, None)
        frames = resize_frames(frames, self.flows.size)
        size = frames.shape[1:3]
        labels, runner_up, share = (resize_labels(planes, *size) for planes in (labels, runner_up, share))
        return PairSample(frames, labels, runner_up, share, *self.flows.motion(self.items[video], gap, frame))

    def pair(self, key: SampleKey) -> FramePairBatch:
        """One pair, augmented."""
        video, frame = self.locate(key.position)
        sample = self.sample(video, frame, self.gap(video, frame, key.seed))
        if self.only_agreeing:
            sample = sample.only_agreeing()
        return to_batch(sample, self.augment, key.seed if self.train else None, key.is_padding)

    def __getitem__(self, key: SampleKey) -> FramePairBatch:  # type: ignore[override]
        return self.pair(key)


class TemporalSamples(Dataset[TemporalBatch]):
    """Pairs for training, each with labelled images of its own.

    Args:
        pairs: the pairs of the videos.
        images: labelled images.
        augment: what is done to the labelled images.
        num_images: labelled images beside each pair.
        stills: makes pairs of labelled images.
        still_share: share of the pairs that are made of labelled images instead.
    """

    def __init__(
        self,
        pairs: FramePairs,
        images: ImageSplit,
        augment: Augmentation,
        num_images: int,
        stills: StillPairs,
        still_share: float,
    ) -> None:
        self.pairs = pairs
        self.images = images
        self.augment = augment
        self.num_images = num_images
        self.stills = stills
        self.still_share = still_share

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: SampleKey) -> TemporalBatch:
        rng = np.random.default_rng((key.seed, 1))
        if rng.random() < self.still_share:
            pair = from_still(self.stills.pair(int(rng.integers(2**31))), key.is_padding)
        else:
            pair = self.pairs.pair(key)
        return TemporalBatch(pair, self._images(rng, key.is_padding))

    def _images(self, rng: np.random.Generator, is_padding: bool) -> ImageBatch:
        if self.num_images == 0:
            images = torch.zeros((0, 3, self.augment.size, self.augment.size), dtype=torch.uint8)
            return ImageBatch.hard(images, images[:, 0].long())
        drawn = [self._image(rng, is_padding) for _ in range(self.num_images)]
        return ImageBatch(*(torch.stack(parts) for parts in zip(*drawn, strict=True)))

    def _image(self, rng: np.random.Generator, is_padding: bool) -> ImageBatch:
        position, seed = int(rng.integers(len(self.images))), int(rng.integers(2**31))
        image = self.images.draw(position, seed)
        image = image.softened() if self.images.soft else image
        return augmented(image, self.augment, seed, is_padding)


def check_gaps(gaps: Sequence[int]) -> None:
    """Refuse gaps that cannot be.

    Raises:
        ValueError: for a gap below 1, or none.
    """
    if not gaps or min(gaps) < 1:
        raise ValueError(f"gaps: whole numbers of at least 1 frame are needed, got {list(gaps)}")
