"""A set of videos in which each shows its largest face and nothing else, in a box that does not move."""

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from facestab.data.framing import Framer
from facestab.data.videos import VideoItem, VideoSet
from facestab.errors import FrameError, none_usable
from facestab.video.crop import Square
from facestab.video.excerpt import Excerpt

log = logging.getLogger(__name__)


class CroppedVideos:
    """The videos of another set, cut to a square around the face that holds it in all frames.

    Both frames of a pair are cut alike, so that what changes between them is what the face does. Squares are found
    once and kept. Videos in which no face is found, or a frame cannot be read, are left out. True labels are not cut,
    and not used.

    Args:
        videos: the set.
        framer: finds the square.
        cache: folder for the squares.
    """

    def __init__(self, videos: VideoSet, framer: Framer, cache: str) -> None:
        self.videos = videos
        self.framer = framer
        digest = hashlib.sha256(json.dumps(framer.settings(), sort_keys=True).encode()).hexdigest()
        self.folder = Path(cache) / "faces" / digest[:16]
        self._left_out: dict[str, str] = {}

    @property
    def skipped(self) -> dict[str, str]:
        """Path to reason of what was left out."""
        return {**self.videos.skipped, **self._left_out}

    def prepare(self) -> None:
        """Find the faces of the videos to train and to validate on."""
        self.videos.prepare()
        for split in ("train", "val"):
            self.split(split)

    def split(self, name: str) -> list[VideoItem]:
        """The videos of one split.

        Raises:
            VideoError: when none can be read to its end and shows a face.
        """
        items, known = self.videos.split(name), len(self._left_out)
        found = [cut for item in items if (cut := self._cut(item)) is not None]
        if not found:
            raise none_usable([self._left_out[str(item.path)] for item in items])
        if len(self._left_out) > known:
            log.warning("left out: %d of %d videos, see 'skipped' in the record", len(items) - len(found), len(items))
        return found

    def _cut(self, item: VideoItem) -> VideoItem | None:
        try:
            square, why = self._square(item), f"{item.path}: no face was found in it; detector=none uses whole frames"
        except FrameError as error:
            square, why = None, str(error)
        if square is None:
            self._left_out[str(item.path)] = why
            return None
        base = item.excerpt or Excerpt()
        side = max(2, round(square.side))
        left, top = round(square.x - (side - 1) / 2), round(square.y - (side - 1) / 2)
        # the box of a part counts from the part's own corner
        x, y = (base.box[0], base.box[1]) if base.box is not None else (0, 0)
        excerpt = replace(base, box=(x + left, y + top, x + left + side, y + top + side))
        return replace(
            item, info=replace(item.info, height=side, width=side), excerpt=excerpt, truth=None, true_frames=()
        )

    def _square(self, item: VideoItem) -> Square | None:
        path = self.folder / f"{item.digest()[:32]}.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                with item.open() as source:
                    found = self.framer.find(source.frames())
                square = self.framer.fixed(found, item.info.fps)
                part = path.with_suffix(".part")
                part.write_text(json.dumps(None if square is None else [square.x, square.y, square.side]))
                part.replace(path)
            kept = json.loads(path.read_text())
        return None if kept is None else Square(*kept)
