"""A video of a set, and what every set of videos can do."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from facestab.types import VideoInfo
from facestab.video.excerpt import Excerpt, ExcerptSource
from facestab.video.source import VideoSource, open_video, sequence_files


@dataclass(frozen=True)
class VideoItem:
    """One video.

    Attributes:
        id: unique in its set, usable as a folder name.
        info: where it is, how long and how large; of the part, when it is a part of a file.
        truth: a label video or folder with a true label for every frame, when there is one.
        true_frames: number of a frame and its true label image, where only some frames have one.
        excerpt: which part of the file it is, None for all of it.
        cuts: frames that begin another shot.
    """

    id: str
    info: VideoInfo
    truth: Path | None = None
    true_frames: tuple[tuple[int, Path], ...] = ()
    excerpt: Excerpt | None = None
    cuts: tuple[int, ...] = ()

    @property
    def path(self) -> Path:
        """A file or a folder of frames."""
        return self.info.path

    @property
    def num_frames(self) -> int:
        """As the index counts them."""
        return self.info.num_frames

    @property
    def shots(self) -> list[tuple[int, int]]:
        """First frame and the one after the last of every shot."""
        return list(pairwise([0, *self.cuts, self.num_frames]))

    def open(self, backend: str = "auto") -> VideoSource:
        """The frames, see `open_video`."""
        whole = open_video(self.path, backend, self.info.fps)
        return whole if self.excerpt is None else ExcerptSource(whole, self.excerpt)

    def digest(self) -> str:
        """64 hex digits that change with any byte of the video, and with the part of it."""
        whole = content_hash(self.path)
        return whole if self.excerpt is None else hashlib.sha256(f"{whole} {self.excerpt}".encode()).hexdigest()


class VideoSet(Protocol):
    """Videos with the splits train, val and test."""

    @property
    def skipped(self) -> Mapping[str, str]:
        """Path to reason of the videos that the splits asked for so far have left out."""
        ...

    def prepare(self) -> None:
        """Make what the splits read, once per machine."""
        ...

    def split(self, name: str) -> list[VideoItem]:
        """The videos of one split, or those of "all"."""
        ...


def training_videos(videos: VideoSet, splits: Sequence[str]) -> list[VideoItem]:
    """The videos of some splits, each once. Only those of "train" keep the true labels that they may have."""
    found: dict[str, VideoItem] = {}
    for split in splits:
        for item in videos.split(split):
            found.setdefault(item.id, item if split == "train" else replace(item, truth=None, true_frames=()))
    return list(found.values())


@cache
def content_hash(path: Path) -> str:
    """64 hex digits that change with any byte of a file, or of any file in a folder or sequence of frames."""
    digest = hashlib.sha256()
    is_file = path.is_file()
    for file in [path] if is_file else sequence_files(path):
        digest.update(b"" if is_file else file.name.encode())
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
