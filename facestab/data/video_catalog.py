"""What is known of many videos, looked up once and kept."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock

from facestab.data.parallel import each
from facestab.errors import VideoError
from facestab.types import VideoInfo
from facestab.video.cuts import find_cuts
from facestab.video.source import open_video

# raised when the same file gives other entries than before
SCHEMA = 1


@dataclass(frozen=True)
class Entry:
    """One video.

    Attributes:
        info: length, rate and size; None when the video cannot be read.
        error: why not, "" when it can.
        cuts: frames that begin another shot; None when nobody has looked.
    """

    info: VideoInfo | None
    error: str = ""
    cuts: tuple[int, ...] | None = None


class VideoCatalog:
    """Looks at videos on all cores, and keeps what it has seen in a file, line by line.

    A line holds as long as the file's size and time of change are the same, so that a look which was interrupted goes
    on where it stopped, and a second one reads nothing again.

    Args:
        folder: where the file lies; None keeps nothing.
        backend: auto, decord or pyav.
        fps: of folders of frames, which do not know theirs.
    """

    def __init__(self, folder: Path | None, backend: str = "auto", fps: Fraction = Fraction(25)) -> None:
        self.path = None if folder is None else folder / f"videos-{SCHEMA}.jsonl"
        self.backend = backend
        self.fps = fps

    def look(self, paths: Sequence[Path], cuts: bool) -> list[Entry]:
        """The entries of videos, in their order.

        Args:
            paths: the videos.
            cuts: whether their shots are wanted, for which every frame is decoded.
        """
        if self.path is None:
            return list(self._entries(paths, cuts))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stamps = [_stamp(path, self.fps) for path in paths]
        # processes that ask for the same videos look once: the others wait and read
        with FileLock(self.path.with_suffix(".lock")):
            known = _read(self.path)
            missing = {
                stamp: path for stamp, path in zip(stamps, paths, strict=True) if not _suffices(known, stamp, cuts)
            }
            with self.path.open("a") as file:
                for stamp, entry in zip(missing, self._entries(list(missing.values()), cuts), strict=True):
                    known[stamp] = entry
                    file.write(json.dumps({"stamp": stamp, **_to_dict(entry)}) + "\n")
                    file.flush()
        return [known[stamp] for stamp in stamps]

    def _entries(self, paths: Sequence[Path], cuts: bool) -> Iterator[Entry]:
        return each(partial(_look, self.backend, self.fps, cuts), paths, "looking at videos", "videos")


def _read(path: Path) -> dict[str, Entry]:
    known: dict[str, Entry] = {}
    if not path.exists():
        return known
    with path.open() as file:
        for line in file:
            try:
                node = json.loads(line)
                known[node["stamp"]] = _from_dict(node)
            except (ValueError, KeyError, TypeError):
                # an interrupted look leaves half a line
                continue
    return known


def _suffices(known: dict[str, Entry], stamp: str, cuts: bool) -> bool:
    entry = known.get(stamp)
    return entry is not None and not (cuts and entry.cuts is None and entry.info is not None)


def _look(backend: str, fps: Fraction, cuts: bool, path: Path) -> Entry:
    try:
        with open_video(path, backend, fps) as source:
            info = source.info
            return Entry(info, cuts=find_cuts(source.frames()) if cuts else None)
    except (VideoError, OSError) as error:
        return Entry(None, error=" ".join(str(error).split()))


def _stamp(path: Path, fps: Fraction) -> str:
    """Changes with the file; that of a folder with what comes into it and leaves it."""
    try:
        # the pattern of a sequence in a folder is no file of its own
        about = (path if path.exists() else path.parent).stat()
    except OSError:
        return f"{path.absolute()} gone"
    rate = "" if path.is_file() else f" {fps}"
    return f"{path.absolute()} {about.st_size} {about.st_mtime_ns}{rate}"


def _to_dict(entry: Entry) -> dict[str, Any]:
    info = (
        None if entry.info is None else {**asdict(entry.info), "path": str(entry.info.path), "fps": str(entry.info.fps)}
    )
    return {"info": info, "error": entry.error, "cuts": entry.cuts}


def _from_dict(node: dict[str, Any]) -> Entry:
    info = node["info"]
    if info is not None:
        info = VideoInfo(**{**info, "path": Path(info["path"]), "fps": Fraction(info["fps"])})
    return Entry(info, node["error"], None if node["cuts"] is None else tuple(node["cuts"]))
