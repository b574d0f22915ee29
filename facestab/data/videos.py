"""Sets of videos: which files there are, and which split each belongs to."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from facestab.types import VideoInfo
from facestab.video.source import find_videos, open_video


@dataclass(frozen=True)
class VideoItem:
    """One video.

    Attributes:
        id: unique in its set, usable as a folder name.
        info: where it is, how long and how large.
        truth: a label video or folder with a true label for every frame, when there is one.
    """

    id: str
    info: VideoInfo
    truth: Path | None = None

    @property
    def path(self) -> Path:
        """A file or a folder of frames."""
        return self.info.path

    @property
    def num_frames(self) -> int:
        """As the index counts them."""
        return self.info.num_frames


class VideoSet(Protocol):
    """Videos with the splits train, val and test."""

    def prepare(self) -> None:
        """Make what the splits read, once per machine."""
        ...

    def split(self, name: str) -> list[VideoItem]:
        """The videos of one split."""
        ...


class VideoFolder:
    """A video file, a folder of frames, or a folder of either.

    The split of a video follows from a hash of its name. In prediction all are wanted: `split("all")`.

    Args:
        source: the file or folder.
        val_share: share of the videos that validate; with two or more videos at least one does.
        backend: auto, decord or pyav.
    """

    def __init__(self, source: str, val_share: float = 0.1, backend: str = "auto") -> None:
        if not 0 <= val_share < 1:
            raise ValueError(f"video.val_share must be in [0, 1), got {val_share}")
        self.source = Path(source)
        self.val_share = val_share
        self.backend = backend

    def prepare(self) -> None:
        """Nothing has to be made."""

    def split(self, name: str) -> list[VideoItem]:
        """The videos of "train", "val", "test" or "all".

        Raises:
            VideoError: when there is no video, or one cannot be opened.
        """
        paths = find_videos(self.source)
        if name != "all":
            # a lone video trains and validates: there is nothing else to look at
            ranked = sorted(paths, key=lambda path: hashlib.sha256(path.name.encode()).digest())
            num_val = max(1, round(self.val_share * len(ranked))) if len(ranked) > 1 else 0
            held_out = set(ranked[:num_val] or ranked)
            paths = [p for p in paths if p not in held_out or num_val == 0] if name == "train" else sorted(held_out)
        ids = video_ids(self.source, paths)
        return [self._item(path, ids[path]) for path in paths]

    def _item(self, path: Path, id_: str) -> VideoItem:
        with open_video(path, self.backend) as source:
            return VideoItem(id_, source.info)


def video_ids(root: Path, paths: list[Path]) -> dict[Path, str]:
    """An id for each video below `root`: its place without the suffix, or with it where two would be the same."""
    inside = {path: path.relative_to(root) if path != root else Path(path.name) for path in paths}
    short = {path: "__".join((*place.parts[:-1], path.stem)) for path, place in inside.items()}
    times = Counter(short.values())
    return {path: short[path] if times[short[path]] == 1 else "__".join(inside[path].parts) for path in paths}


def content_hash(path: Path) -> str:
    """64 hex digits that change with any byte of a file, or of any file in a folder of frames."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        digest.update(file.name.encode() if path.is_dir() else b"")
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
