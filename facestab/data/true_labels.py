"""True labels that a user has for some frames of a video, or for all."""

import re
from pathlib import Path

from facestab.errors import VideoError
from facestab.video.excerpt import Excerpt
from facestab.video.frame_folder import list_images
from facestab.video.label_video import LABEL_SUFFIXES

TrueFrames = tuple[tuple[int, Path], ...]


def true_labels(path: Path, excerpt: Excerpt | None, num_frames: int) -> tuple[Path | None, TrueFrames]:
    """The true labels of a video, or of the part that counts: for all frames, or by the frame's number.

    Args:
        path: a label video with a label for every frame, or a folder of label images whose names end in the number of
            their frame, from 0.
        excerpt: the part.
        num_frames: of the whole video.

    Raises:
        FacestabError: when there are none, or a name has no number of a frame.
    """
    if path.is_file():
        if excerpt is not None:
            raise VideoError(f"{path}: a label video goes with a whole video; for a part give a folder of label images")
        return path, ()
    images = list_images(path, LABEL_SUFFIXES) if path.is_dir() else []
    if not images:
        raise VideoError(f"{path}: no such label video, and no folder of label images {' '.join(LABEL_SUFFIXES)}")
    found = {}
    for image in images:
        number = re.search(r"(\d+)$", image.stem)
        if number is None or int(number[1]) >= num_frames:
            raise VideoError(f"{image}: its name does not end in the number of one of {num_frames} frames, from 0")
        found[int(number[1])] = image
    if len(found) == num_frames and excerpt is None:
        return path, ()
    part = range(num_frames)[excerpt.start : excerpt.stop] if excerpt is not None else range(num_frames)
    return None, tuple((number - part.start, found[number]) for number in part if number in found)
