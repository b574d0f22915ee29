"""Boxes that somebody else has found."""

import csv
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from facestab.errors import FacestabError
from facestab.video.faces import Face

_COLUMNS = ("frame", "left", "top", "right", "bottom")


class BoxFile:
    """A CSV file with the columns frame (from 0), left, top, right and bottom in pixels; a frame may have several.

    Args:
        path: the file.

    Raises:
        FacestabError: when it cannot be read, naming the line.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._faces: dict[int, list[Face]] = defaultdict(list)
        try:
            lines = self.path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise FacestabError(f"{path}: cannot be read ({error})") from None
        reader = csv.DictReader(lines)
        missing = set(_COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise FacestabError(f"{path}: has no column '{sorted(missing)[0]}'; needed are {', '.join(_COLUMNS)}")
        for row in reader:
            try:
                frame, box = int(row["frame"]), [float(row[name]) for name in _COLUMNS[1:]]
            except (TypeError, ValueError):
                raise FacestabError(f"{path}: line {reader.line_num} is no frame number and four numbers") from None
            if frame < 0 or not all(map(math.isfinite, box)) or box[2] <= box[0] or box[3] <= box[1]:
                raise FacestabError(f"{path}: line {reader.line_num}: the box holds nothing, or the frame is negative")
            self._faces[frame].append(Face(*box))

    def settings(self) -> dict[str, Any]:
        """What decides the result."""
        boxes = [[frame, *vars(face).values()] for frame, faces in sorted(self._faces.items()) for face in faces]
        return {"detector": "boxes", "boxes": boxes}

    def __call__(self, frame_HWC: np.ndarray, index: int) -> list[Face]:
        """The boxes of a frame."""
        return list(self._faces.get(index, ()))
