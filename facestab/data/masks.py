"""Masks of any tool beside the video they belong to, for stage=evaluate."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from facestab.data.folder_name import folder_name
from facestab.data.videos import VideoItem
from facestab.errors import VideoError
from facestab.keys import MASKS
from facestab.labels import IGNORE_ID
from facestab.types import VideoInfo
from facestab.video.frame_folder import list_images
from facestab.video.label_video import LABEL_SUFFIXES, LabelVideo
from facestab.video.timing import Timing

LABEL_NAME = "labels.mkv"


@dataclass(frozen=True)
class MaskedVideo:
    """One video with its masks, all of one length.

    Attributes:
        id: of the video, or of its masks.
        video: the video; None when only masks are at hand.
        labels: "masks", and "reference" and "truth" where they are given.
    """

    id: str
    video: VideoItem | None
    labels: dict[str, LabelVideo]

    @property
    def info(self) -> VideoInfo:
        """Length and size of the masks."""
        return self.labels[MASKS].info

    def timing(self) -> Timing:
        """Of the video where there is one."""
        if self.video is None:
            return Timing(self.info.fps)
        with self.video.open() as source:
            return source.timing()


def find_masks(root: Path, fps: Fraction) -> dict[str, LabelVideo]:
    """The masks at a path by the id of their video.

    A label video (FFV1, grey) or a folder of label images is one video's masks. Any other folder holds a label video
    `<id>.mkv`, images in `<id>/`, or `<id>/labels.mkv` for each video; a run of facestab has them in `videos/`.

    Args:
        root: the file or folder.
        fps: of folders of images, which do not know theirs.

    Raises:
        VideoError: when there are no masks.
    """
    if not root.exists():
        raise VideoError(f"{root}: no such file or folder; give label images, label videos or a folder of either")
    if root.is_file() or list_images(root, LABEL_SUFFIXES):
        return {root.stem: LabelVideo(root, fps)}
    top = root / "videos" if (root / "videos").is_dir() else root
    places = [place for path in sorted(top.iterdir()) if (place := _masks_in(path)) is not None]
    named = {folder_name(path.parent.name if path.name == LABEL_NAME else path.stem): path for path in places}
    if not named:
        raise VideoError(f"{root}: no masks in this folder; looked for label images, <id>/ with them, and <id>.mkv")
    return {id_: LabelVideo(path, fps) for id_, path in named.items()}


def _masks_in(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix == ".mkv" and not path.name.startswith(".") and ".part" not in path.name else None
    if (path / LABEL_NAME).is_file():
        return path / LABEL_NAME
    return path if list_images(path, LABEL_SUFFIXES) else None


def match(videos: list[VideoItem], sets: dict[str, dict[str, LabelVideo]]) -> list[MaskedVideo]:
    """Videos with the masks of every set.

    One video and one mask sequence belong together whatever they are called; several go by their ids.

    Args:
        videos: the videos; empty when only masks are at hand.
        sets: "masks" and, where given, "reference" and "truth", each as `find_masks` returns it.

    Raises:
        VideoError: when a video lacks masks, masks lack a video, or lengths or sizes do not fit.
    """
    own = sets[MASKS]
    ids = [item.id for item in videos] or list(own)
    if len(ids) == 1 and all(len(found) == 1 for found in sets.values()):
        sets = {name: {ids[0]: next(iter(found.values()))} for name, found in sets.items()}
    for name, found in sets.items():
        for missing in sorted(set(ids) - set(found)):
            have = ", ".join(sorted(found)[:3])
            raise VideoError(f"{name}: none for the video '{missing}'; there are masks for {have}")
        for extra in sorted(set(found) - set(ids)):
            raise VideoError(f"{found[extra].path}: there is no video '{extra}' among {', '.join(ids[:3])}")
    items = {item.id: item for item in videos}
    matched = [MaskedVideo(i, items.get(i), {name: found[i] for name, found in sets.items()}) for i in sorted(ids)]
    for video in matched:
        _check_fit(video)
    return matched


def _check_fit(video: MaskedVideo) -> None:
    info = video.info
    if video.video is not None and video.video.num_frames != info.num_frames:
        raise VideoError(
            f"{info.path}: {info.num_frames} masks, but {video.video.path} has {video.video.num_frames} frames; "
            "give one mask for each frame"
        )
    for labels in video.labels.values():
        other = labels.info
        if (other.num_frames, other.height, other.width) != (info.num_frames, info.height, info.width):
            sizes = [f"{i.num_frames} of {i.width}x{i.height}" for i in (other, info)]
            raise VideoError(f"{other.path}: {sizes[0]}, the masks are {sizes[1]}; give all in one size and length")


def used_ids(labels: LabelVideo) -> set[int]:
    """The ids that occur in a mask sequence, 255 among them."""
    counts = np.zeros(256, np.int64)
    for labels_HW in labels.frames():
        counts += np.bincount(labels_HW.ravel(), minlength=256)
    return set(np.flatnonzero(counts).tolist())


@dataclass(frozen=True)
class Ids:
    """Which ids the masks of an evaluation use, and how they are read.

    Attributes:
        used: all ids of all masks.
    """

    used: frozenset[int]

    @property
    def is_binary(self) -> bool:
        """Whether the masks are black and white, 0 and 255: white then is class 1 and not ignored."""
        return IGNORE_ID in self.used and self.used <= {0, IGNORE_ID}

    @property
    def num_classes(self) -> int:
        """Classes that the ids need, at least 2."""
        return 2 if self.is_binary else max(1, *(i for i in self.used | {0} if i != IGNORE_ID)) + 1

    def read(self, labels: LabelVideo) -> Iterator[np.ndarray]:
        """The label maps of a sequence, uint8 (H, W)."""
        for labels_HW in labels.frames():
            yield np.minimum(labels_HW, 1) if self.is_binary else labels_HW


def ids_of(videos: list[MaskedVideo]) -> Ids:
    """The ids of all masks, references and true labels."""
    return Ids(frozenset(i for video in videos for labels in video.labels.values() for i in used_ids(labels)))
