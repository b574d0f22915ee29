"""Videos of the user's: a file, a folder of them, or a list."""

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from facestab.data.folder_name import folder_name
from facestab.data.manifest import SUFFIXES, ListedVideo, read_manifest
from facestab.data.true_labels import TrueFrames, true_labels
from facestab.data.video_catalog import Entry, VideoCatalog
from facestab.data.videos import VideoItem
from facestab.errors import FacestabError, VideoError, none_usable
from facestab.video.excerpt import Excerpt
from facestab.video.source import find_videos

log = logging.getLogger(__name__)
# so many of the videos that are left out are named
_NAMED = 10


class VideoFolder:
    """A video file, a folder of frames, a folder of either at any depth, or a manifest (.csv, .json).

    Which split a video is in follows from a hash of its identity, so that one person's videos stay together. In
    prediction all are wanted: `split("all")`. Videos that cannot be read or are too short are left out and named;
    only when nothing is left, or the one video that was given is such, it is an error.

    Args:
        source: the file or folder.
        val_share: share of the identities that validate; with two or more at least one does.
        backend: auto, decord or pyav.
        cache: where it is kept what the videos hold; None keeps it nowhere.
        identity: regular expression that finds in a video's path, below the folder, whom or what it shows: its first
            group, or all of it. None: every video shows another.
        cuts: whether training looks for shots, so that no pair crosses a cut.
        min_frames: videos with fewer are left out of training and validation.
        fps: of folders of frames.
        root: the folder that a manifest's paths stay in; None: the manifest's own.

    Raises:
        ValueError: for a share outside 0..1, an expression that is none, min_frames below 1 or an fps not above 0.
    """

    def __init__(
        self,
        source: str,
        val_share: float = 0.1,
        backend: str = "auto",
        cache: str | None = None,
        identity: str | None = None,
        cuts: bool = False,
        min_frames: int = 1,
        fps: float | str = 25,
        root: str | None = None,
    ) -> None:
        if not 0 <= val_share < 1:
            raise ValueError(f"video.val_share must be in [0, 1), got {val_share}")
        if min_frames < 1:
            raise ValueError(f"video.min_frames must be at least 1, got {min_frames}")
        try:
            self.identity = None if identity is None else re.compile(identity)
            self.fps = Fraction(str(fps))
        except (re.error, ValueError, ZeroDivisionError) as error:
            raise ValueError(f"video.identity is a regular expression and video.fps a number ({error})") from None
        if self.fps <= 0:
            raise ValueError(f"video.fps must be above 0, got {fps}")
        self.source = Path(source)
        self.val_share = val_share
        self.backend = backend
        self.cache = None if cache is None else Path(cache)
        self.root = None if root is None else Path(root)
        self.cuts = cuts
        self.min_frames = min_frames
        self.skipped: dict[str, str] = {}

    def prepare(self) -> None:
        """Look at all videos, so that the splits are there at once."""
        self.split("train")

    def split(self, name: str) -> list[VideoItem]:
        """The videos of "train", "val", "test" or "all".

        Raises:
            VideoError: when there is no video that can be used.
        """
        listed = self._listed()
        splits = self._splits(listed)
        wanted = [video for video in listed if name == "all" or name in splits[video.id]]
        if not wanted:
            raise VideoError(f"{self.source}: no video is in the split '{name}'")
        # one frame can be segmented, and nothing more
        return self._items(wanted, self.cuts and name != "all", 1 if name == "all" else self.min_frames)

    def _listed(self) -> list[ListedVideo]:
        """All videos, each with an id and an identity."""
        is_list = self.source.suffix.lower() in SUFFIXES and self.source.is_file()
        if is_list:
            listed, root = read_manifest(self.source, self.root), self.root or self.source.parent
        else:
            listed, root = [ListedVideo(path) for path in find_videos(self.source)], self.source
        ids = unique_ids(root, listed)
        named = [replace(video, id=id_) for video, id_ in zip(listed, ids, strict=True)]
        return [replace(video, identity=video.identity or self._identity(root, video)) for video in named]

    def _identity(self, root: Path, video: ListedVideo) -> str:
        place = _place(root, video.path).as_posix()
        found = self.identity.search(place) if self.identity is not None else None
        if found is None:
            return place
        return str(found[1] if found.re.groups else found[0])

    def _splits(self, listed: Sequence[ListedVideo]) -> dict[str, tuple[str, ...]]:
        """Id of a video to the splits that it is in."""
        free = {video.identity for video in listed if not video.split}
        ranked = sorted(free, key=lambda identity: hashlib.sha256(identity.encode()).digest())
        has_val = any(video.split == "val" for video in listed)
        num_val = 0 if has_val or len(ranked) < 2 else max(1, round(self.val_share * len(ranked)))
        held_out = set(ranked[:num_val])
        # a lone video trains and validates: there is nothing else to look at
        alone = () if has_val or num_val else ("val", "test")
        has_test = any(video.split == "test" for video in listed)
        val = ("val",) if has_test else ("val", "test")
        found: dict[str, tuple[str, ...]] = {}
        for video in listed:
            if video.split:
                found[video.id] = val if video.split == "val" else (video.split,)
            else:
                found[video.id] = val if video.identity in held_out else ("train", *alone)
        return found

    def _items(self, videos: Sequence[ListedVideo], cuts: bool, min_frames: int) -> list[VideoItem]:
        entries = self._look(videos, cuts)
        items: list[VideoItem] = []
        known = len(self.skipped)
        for video, entry in zip(videos, entries, strict=True):
            item = _item(video, entry, min_frames)
            if isinstance(item, VideoItem):
                items.append(item)
            elif str(video.path) not in self.skipped:
                self.skipped[str(video.path)] = item
                if len(self.skipped) <= _NAMED and len(videos) > 1:
                    log.warning("left out: %s", item)
        lost = len(videos) - len(items)
        if not items:
            raise none_usable([self.skipped[str(video.path)] for video in videos])
        if len(self.skipped) > known:
            log.warning("left out: %d of %d videos, see 'skipped' in the record", lost, len(videos))
        return items

    def _look(self, videos: Sequence[ListedVideo], cuts: bool) -> list[Entry]:
        """What is known of each, at its own rate where one is given."""
        found: dict[tuple[Path, Fraction], Entry] = {}
        rates = [video.fps or self.fps for video in videos]
        for rate in dict.fromkeys(rates):
            paths = list(dict.fromkeys(v.path for v, own in zip(videos, rates, strict=True) if own == rate))
            entries = VideoCatalog(self.cache, self.backend, rate).look(paths, cuts)
            found |= {(path, rate): entry for path, entry in zip(paths, entries, strict=True)}
        return [found[video.path, rate] for video, rate in zip(videos, rates, strict=True)]


def _item(video: ListedVideo, entry: Entry, min_frames: int) -> VideoItem | str:
    """The video, or why it is left out."""
    if entry.info is None:
        return entry.error
    info, excerpt, cuts = entry.info, None, entry.cuts or ()
    if video.start or video.end is not None or video.box is not None:
        stop = None if video.end is None else round(video.end * info.fps)
        excerpt = Excerpt(round(video.start * info.fps), stop, video.box)
        try:
            info = excerpt.info(info)
        except VideoError as error:
            return str(error)
        cuts = tuple(cut - excerpt.start for cut in cuts if 0 < cut - excerpt.start < info.num_frames)
    if info.num_frames < min_frames:
        return f"{video.path}: too short, it has {info.num_frames} frames and {min_frames} are needed"
    truth: Path | None = None
    true_frames: TrueFrames = ()
    if video.truth is not None:
        try:
            truth, true_frames = true_labels(video.truth, excerpt, entry.info.num_frames)
        except FacestabError as error:
            return str(error)
    return VideoItem(video.id, info, truth, true_frames, excerpt, cuts)


def _place(root: Path, path: Path) -> Path:
    """Where a video lies below a folder."""
    return Path(path.name) if path == root else Path(os.path.relpath(path, root))


def unique_ids(root: Path, listed: Sequence[ListedVideo]) -> list[str]:
    """An id for each video: the one given, or its place below `root` without the suffix.

    Where two would be the same they keep the suffix, and parts of one file are numbered.
    """
    inside = [_place(root, video.path) for video in listed]
    # of a sequence NAME_*.png the name counts
    short = [folder_name("__".join((*place.parts[:-1], place.stem.removesuffix("_*")))) for place in inside]
    places = Counter(dict.fromkeys(zip(short, inside, strict=True), 1))
    times = Counter(name for name, _ in places)
    whole = [
        video.id or (name if times[name] == 1 else folder_name("__".join(place.parts).replace("_*", "")))
        for video, name, place in zip(listed, short, inside, strict=True)
    ]
    repeated = {name for name, number in Counter(whole).items() if number > 1}
    seen: Counter[str] = Counter()
    ids = []
    for name in whole:
        seen[name] += 1
        ids.append(f"{name}__{seen[name]}" if name in repeated else name)
    return ids
