"""frames.json: when each frame is shown, where the network looked, and how large each class is."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from facestab.video.timing import Timing

NAME = "frames.json"


class FrameList:
    """Collects what is known of every frame and writes it at the end of a `with` block.

    Args:
        folder: of the video's files.
        timing: of the video.
        names: of the classes.
    """

    def __init__(self, folder: Path, timing: Timing, names: Sequence[str]) -> None:
        self.path = folder / NAME
        self.timing = timing
        self.names = names
        self._frames: list[dict[str, Any]] = []

    def write(self, labels_HW: np.ndarray, squares: Sequence[tuple[float, float, float]] | None) -> None:
        """Append a frame.

        Args:
            labels_HW: its ids.
            squares: centre and side of the squares that the network saw; None when it saw the whole frame.
        """
        number = len(self._frames)
        time = self.timing.times[number] if self.timing.times else number / self.timing.fps
        pixels = np.bincount(labels_HW.ravel(), minlength=len(self.names))[: len(self.names)]
        frame: dict[str, Any] = {"seconds": round(float(time), 6)}
        if squares is not None:
            frame["squares"] = [dict(zip(("x", "y", "side"), map(float, s), strict=True)) for s in squares]
        frame["pixels"] = {name: int(number) for name, number in zip(self.names, pixels, strict=True) if number}
        self._frames.append(frame)

    def __enter__(self) -> "FrameList":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            part = self.path.with_suffix(".part")
            part.write_text(json.dumps({"fps": str(self.timing.fps), "frames": self._frames}) + "\n")
            part.replace(self.path)
