"""Decoded frames of videos and of their labels, kept on disk for training."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from facestab.data.pseudo import PseudoLabelStore
from facestab.data.pseudo_labels import PseudoLabels
from facestab.data.videos import VideoItem, content_hash
from facestab.types import VideoInfo
from facestab.video.base import Source
from facestab.video.label_video import LabelVideo
from facestab.video.source import VideoSource

log = logging.getLogger(__name__)
# of the space that is left, so much is not taken
_SPARED = 0.5


class StoredFrames(Source):
    """The frames of a video in an array on disk, which is mapped where it is used and sent to workers by its path.

    Args:
        path: uint8 (T, H, W, 3), or what the frames of a label video are, .npy.
        info: of the video.
    """

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self.path = path
        self._info = info

    @property
    def info(self) -> VideoInfo:
        """Of the video."""
        return self._info

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames start .. stop - 1 as a slice takes them, uint8 (H, W, 3)."""
        return map(np.array, self._mapped()[start:stop])

    def pair(self, index: int) -> np.ndarray:
        """Frames index and index + 1, uint8 (2, H, W, 3).

        Raises:
            IndexError: unless 0 <= index < num_frames - 1.
        """
        self.check_pair(index)
        return np.array(self._mapped()[index : index + 2])

    def close(self) -> None:
        """Nothing is held."""

    def _mapped(self) -> np.ndarray:
        array_THWC: np.ndarray = np.load(self.path, mmap_mode="r")
        return array_THWC


class FrameStore:
    """Decodes each video and each label video once, where both fit; where they do not, they are decoded at every use.

    A frame takes three bytes a pixel, and so do its labels.

    Args:
        root: folder of the store. Files are found by the content of the video, so that runs share them.
        limit: bytes that the videos of a training may take; 0 keeps nothing.

    Raises:
        ValueError: for a negative limit.
    """

    def __init__(self, root: str, limit: float) -> None:
        if limit < 0:
            raise ValueError(f"limit: 0 or more bytes are needed, got {limit}")
        self.folder = Path(root)
        self.limit = limit
        self._fits = False

    def fill(self, items: Sequence[VideoItem], labels: PseudoLabelStore, rank: int = 0, world_size: int = 1) -> None:
        """Decode what is not there yet. Processes share the work: each video is done by one of them."""
        needed = sum(2 * 3 * item.num_frames * item.info.height * item.info.width for item in items)
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [item for item in items if not self._is_there(item, labels)]
        has_space = not missing or needed < _SPARED * shutil.disk_usage(self.folder).free
        self._fits = needed <= self.limit and has_space
        if not self._fits:
            if self.limit:
                log.info("decoded frames would take %.1f GB: videos are decoded at every use", needed / 1e9)
            return
        for item in missing[rank::world_size] + [item for i, item in enumerate(missing) if i % world_size != rank]:
            self._keep(item.open(), self._path(_name(item)))
            self._keep(labels.open(item).source, self._path(_name_of_labels(item, labels)))

    def frames(self, item: VideoItem, backend: str = "auto") -> VideoSource:
        """The frames of a video that was given to `fill`."""
        return StoredFrames(self._path(_name(item)), item.info) if self._fits else item.open(backend)

    def labels(self, item: VideoItem, labels: PseudoLabelStore) -> PseudoLabels:
        """The labels of a video that was given to `fill`."""
        found = labels.open(item)
        if self._fits:
            found.source = StoredFrames(self._path(_name_of_labels(item, labels)), found.source.info)
        return found

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _is_there(self, item: VideoItem, labels: PseudoLabelStore) -> bool:
        return self._path(_name(item)).exists() and self._path(_name_of_labels(item, labels)).exists()

    def _keep(self, source: VideoSource | LabelVideo, path: Path) -> None:
        with source, FileLock(path.with_suffix(".lock")):
            if not path.exists():
                self._decode(source, path)

    @staticmethod
    def _decode(source: VideoSource | LabelVideo, path: Path) -> None:
        part = path.with_suffix(".part.npy")
        info, kept = source.info, None
        for number, frame in enumerate(source.frames()):
            if kept is None:
                kept = np.lib.format.open_memmap(part, "w+", np.uint8, (info.num_frames, *frame.shape))
            kept[number] = frame
        assert kept is not None
        kept.flush()
        part.replace(path)


def _name(item: VideoItem) -> str:
    return item.digest()[:32]


def _name_of_labels(item: VideoItem, labels: PseudoLabelStore) -> str:
    return content_hash(labels.path(item))[:32]
