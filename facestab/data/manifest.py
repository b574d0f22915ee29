"""A list of videos in a CSV or JSON file, with what a user knows of them."""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from facestab.data.folder_name import folder_name
from facestab.errors import FacestabError
from facestab.types import SPLITS

SUFFIXES = (".csv", ".json")
_KEYS = ("path", "id", "identity", "split", "start", "end", "fps", "box", "truth")


@dataclass(frozen=True)
class ListedVideo:
    """One line of a manifest.

    Attributes:
        path: the video.
        id: usable as a folder name; "" where none is given.
        identity: who or what is shown: videos of one are never in two splits; "" where none is given.
        split: "train", "val" or "test"; "" where none is given.
        start: of the part that counts, in seconds.
        end: of the part, None for the video's end.
        fps: of a folder of frames, None where none is given.
        box: left, top, right and bottom in pixels of the part of the picture that counts, None for all of it.
        truth: a label video, or a folder of label images named by the number of their frame, from 0; None where none
            is given.
    """

    path: Path
    id: str = ""
    identity: str = ""
    split: str = ""
    start: float = 0.0
    end: float | None = None
    fps: Fraction | None = None
    box: tuple[int, int, int, int] | None = None
    truth: Path | None = None


def read_manifest(path: Path, root: Path | None = None) -> list[ListedVideo]:
    """The videos of a CSV file with a heading, or of a JSON file that is a list of objects.

    Keys: `path`, relative to the file; and, all optional, `start` and `end` in seconds, `fps`, `box` as four pixel
    numbers "left top right bottom" (a list in JSON), `identity`, `split`, `id`, and `truth`, a label video or a folder
    of label images for some frames or all. A list may come from anywhere: its paths, links followed, stay in a folder.

    Args:
        path: the file.
        root: the folder that they stay in; None: the file's own.

    Raises:
        FacestabError: naming the file, the line and what is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise FacestabError(f"{path}: is not text, as a list of videos is; give a video its own suffix") from None
    except OSError as error:
        raise FacestabError(f"{path}: cannot be read ({error})") from None
    rows = list(_json_rows(path, text) if path.suffix.lower() == ".json" else _csv_rows(path, text))
    if not rows:
        raise FacestabError(f"{path}: lists no videos")
    listed = [_video(path, root, place, row) for place, row in rows]
    ids = [video.id for video in listed if video.id]
    twice = next((id_ for id_ in ids if ids.count(id_) > 1), None)
    if twice is not None:
        raise FacestabError(f"{path}: the id {twice} stands twice")
    return listed


def _csv_rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(text.splitlines())
    for row in reader:
        if None in row:
            raise FacestabError(f"{path}: line {reader.line_num} has more columns than the heading")
        yield f"line {reader.line_num}", {key.strip(): value for key, value in row.items() if value not in (None, "")}


def _json_rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        rows = json.loads(text)
    # nesting without an end is a RecursionError
    except (ValueError, RecursionError) as error:
        raise FacestabError(f"{path}: is no JSON ({error})") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FacestabError(f"{path}: a list of objects is needed, such as [{{'path': 'clip.mp4'}}]")
    for number, row in enumerate(rows, start=1):
        yield f"entry {number}", {key: value for key, value in row.items() if value is not None}


def _video(manifest: Path, root: Path | None, place: str, row: Mapping[str, Any]) -> ListedVideo:
    try:
        _check_names(row)
        _check_places(manifest.parent, root, row)
        numbers = _numbers(row)
    except ValueError as error:
        raise FacestabError(f"{manifest}: {place}: {error}") from None
    return ListedVideo(
        manifest.parent / str(row["path"]),
        str(row.get("id", "")),
        str(row.get("identity", "")),
        str(row.get("split", "")),
        *numbers,
        manifest.parent / str(row["truth"]) if "truth" in row else None,
    )


def _check_names(row: Mapping[str, Any]) -> None:
    unknown = [key for key in row if key not in _KEYS]
    if unknown:
        raise ValueError(f"there is no key '{unknown[0]}', only {', '.join(_KEYS)}")
    if "path" not in row:
        raise ValueError("has no path")
    split, id_ = str(row.get("split", "")), str(row.get("id", ""))
    if split and split not in SPLITS:
        raise ValueError(f"split is one of {', '.join(SPLITS)}, got {split}")
    if id_ and folder_name(id_) != id_:
        raise ValueError(f"id must be usable as a folder's name, got {id_}")
    if "truth" in row and "box" in row:
        raise ValueError("truth and box are not possible together: true labels are not cut")


def _check_places(folder: Path, root: Path | None, row: Mapping[str, Any]) -> None:
    inside = (root or folder).resolve()
    for target in (row["path"], row.get("truth", "")):
        if not (folder.resolve() / str(target)).resolve().is_relative_to(inside):
            whose = f"{root}, which is video.root" if root else "the manifest's folder; video.root= names a larger one"
            raise ValueError(f"{target} leads out of {whose}")


_Numbers = tuple[float, float | None, Fraction | None, tuple[int, int, int, int] | None]


def _numbers(row: Mapping[str, Any]) -> _Numbers:
    """Start, end, rate and box."""
    try:
        start = float(row.get("start", 0))
        end = float(row["end"]) if "end" in row else None
        fps = Fraction(str(row["fps"])) if "fps" in row else None
        box = _box(row["box"]) if "box" in row else None
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise ValueError(f"start, end and fps are numbers and box four of them ({error})") from None
    if not (0 <= start < math.inf and (end is None or end > start) and (fps is None or fps > 0)):
        raise ValueError("start is 0 or more, end is after it, and fps above 0")
    return start, end, fps, box


def _box(value: Any) -> tuple[int, int, int, int]:
    numbers = value.replace(",", " ").split() if isinstance(value, str) else value
    left, top, right, bottom = (round(float(number)) for number in numbers)
    if right <= left or bottom <= top:
        raise ValueError(f"the box {left} {top} {right} {bottom} holds nothing")
    return left, top, right, bottom
