"""Reading videos: one interface for files and folders of frames."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np

from facestab.errors import VideoError
from facestab.types import VideoInfo
from facestab.video.container import missing
from facestab.video.frame_folder import (
    IMAGE_SUFFIXES,
    FrameFolder,
    list_images,
    list_sequences,
    natural_key,
    sequence_files,
)
from facestab.video.timing import Timing
from facestab.video.video_file import VideoFile

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "VideoSource", "find_videos", "open_video", "sequence_files"]

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".flv", ".wmv", ".3gp", ".ogv"),
)


class VideoSource(Protocol):
    """Frames of one video. Errors are VideoError and name the file."""

    @property
    def info(self) -> VideoInfo:
        """Rate, number of frames, size after rotation, codec."""

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames start .. stop - 1, uint8 (H, W, 3) RGB, in order, each once."""

    def pair(self, index: int) -> np.ndarray:
        """Frames index and index + 1, uint8 (2, H, W, 3) RGB."""

    def timing(self) -> Timing:
        """When the frames are shown, and what is heard with them."""

    def close(self) -> None:
        """Let go of what the source holds."""

    def __enter__(self) -> "VideoSource": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_video(path: str | Path, backend: str = "auto", fps: Fraction = Fraction(25)) -> VideoSource:
    """A source for a video file, a folder of frames or an image.

    A damaged file shows at the first use of the source: it is not opened here, so that workers can open it.

    Args:
        path: the file, the folder, or a pattern for a sequence of images as `find_videos` gives it.
        backend: "auto", "decord" or "pyav"; see `VideoFile`. Folders do not use it.
        fps: frames per second of a folder; files know theirs.

    Raises:
        VideoError: when there is no such file or folder, or nothing in it.
        ValueError: on an unknown backend, or an fps that is not above 0.
    """
    path = Path(path)
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return FrameFolder(path, fps)
    return VideoFile(path, backend)


def find_videos(path: str | Path) -> list[Path]:
    """The videos at a path, each of which `open_video` takes.

    A file is itself; so is a folder with images and no video files in it, unless these are several sequences
    `NAME_NUMBER.png`, each of which is a video. Any other folder stands for the video files and the frame folders at
    any depth below it, in natural order.

    Raises:
        VideoError: when there is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.exists():
        raise missing(path)
    found = sorted(_walk(path), key=lambda video: [natural_key(part) for part in video.relative_to(path).parts])
    if not found:
        suffixes = f"files {' '.join(VIDEO_SUFFIXES)} and folders of images {' '.join(IMAGE_SUFFIXES)}"
        raise VideoError(f"{path}: no videos in this folder; looked for {suffixes}")
    return found


def _walk(top: Path) -> Iterator[Path]:
    seen = set()
    for folder, names, files in os.walk(top, followlinks=True):
        here, real = Path(folder), os.path.realpath(folder)
        videos = [here / name for name in files if _is_video(name)]
        is_frames = not videos and bool(list_images(here))
        if is_frames and real not in seen:
            yield from list_sequences(here) or [here]
        elif real not in seen:
            yield from videos
        # links may lead in circles; what lies below frames belongs to them
        names[:] = [] if is_frames or real in seen else [name for name in names if not name.startswith(".")]
        seen.add(real)


def _is_video(name: str) -> bool:
    return Path(name).suffix.lower() in VIDEO_SUFFIXES and not name.startswith(".") and ".part." not in name
