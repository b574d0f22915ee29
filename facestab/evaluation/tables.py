"""videos.csv and classes.csv: every value of a record, one line for each video and row, and for each class."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from facestab.keys import VIDEO_KEYS, is_class_key

VIDEOS_NAME, CLASSES_NAME = "videos.csv", "classes.csv"


def write_tables(folder: Path, record: Mapping[str, Any]) -> None:
    """Write both tables of a record with `videos`; each appears whole or not at all."""
    keys = [key for key in VIDEO_KEYS if any(key in values for _, _, values in _values(record))]
    lines = [{"video": video, "row": row, **{k: v[k] for k in keys if k in v}} for video, row, v in _values(record)]
    _write(folder / VIDEOS_NAME, ["video", "row", *keys], lines)
    by_class = [line for video, row, values in _values(record) for line in _class_lines(video, row, values)]
    measured = [key for key in dict.fromkeys(k.per_class for k in VIDEO_KEYS.values()) if key]
    columns = [key for key in measured if any(key in line for line in by_class)]
    _write(folder / CLASSES_NAME, ["video", "row", "class", *columns], by_class)


def _values(record: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, float]]]:
    for video, rows in record["videos"].items():
        for row, values in rows.items():
            yield video, row, values


def _class_lines(video: str, row: str, values: Mapping[str, float]) -> list[dict[str, Any]]:
    lines: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        if is_class_key(key):
            prefix, _, name = key.rpartition("/")
            lines.setdefault(name, {"video": video, "row": row, "class": name})[prefix] = value
    return list(lines.values())


def _write(path: Path, columns: list[str], lines: list[dict[str, Any]]) -> None:
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)
    part.replace(path)
