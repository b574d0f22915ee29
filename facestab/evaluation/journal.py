"""What is measured of each video, kept on disk until the run is finished, so that no video is done twice."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facestab.data.videos import VideoItem
from facestab.evaluation.result import VideoResult
from facestab.labels import LabelSet

VIDEOS = "videos"


class VideoJournal:
    """One file for each video that is finished: its values, and the sizes of its files.

    Args:
        folder: of the journal.
        run: folder of the run; files of a video lie below `videos/<id>/`.
        labels: the label set.
    """

    def __init__(self, folder: Path, run: Path, labels: LabelSet) -> None:
        self.folder = folder
        self.run = run
        self.labels = labels

    def keep(self, item: VideoItem, result: VideoResult) -> None:
        """Remember a video whose files are all there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        entry = {"source": _stamp(item), "files": self._sizes(item), "result": result.to_dict()}
        part = self._path(item).with_suffix(".part")
        torch.save(entry, part)
        part.replace(self._path(item))

    def find(self, item: VideoItem) -> VideoResult | None:
        """What was measured of a video; None when it is not finished, or it or a file of it is not what it was."""
        try:
            entry = torch.load(self._path(item), weights_only=True)
        except FileNotFoundError:
            return None
        if entry["source"] != _stamp(item) or not _holds(self._sizes(item), entry["files"]):
            return None
        return VideoResult.from_dict(entry["result"], self.labels)

    def _path(self, item: VideoItem) -> Path:
        return self.folder / f"{item.id}.pt"

    def _sizes(self, item: VideoItem) -> dict[str, int]:
        folder = self.run / VIDEOS / item.id
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def _holds(there: Mapping[str, int], wanted: Mapping[str, int]) -> bool:
    return all(there.get(name) == size for name, size in wanted.items())


def _stamp(item: VideoItem) -> list[Any]:
    """Changes when the video does. Its whole content would take long to read."""
    stat = item.path.stat()
    return [str(item.path), stat.st_size, stat.st_mtime_ns, item.num_frames, str(item.excerpt)]
