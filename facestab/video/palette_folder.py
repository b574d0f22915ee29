"""Label maps as a folder of PNG files that show their colours and hold their ids."""

import shutil
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image


class PaletteFolder:
    """Writes `000000.png`, `000001.png`, ... to a folder that appears at the end of a `with` block, or not at all.

    Args:
        path: the folder; one that is there is replaced.
        palette_lut: uint8 (256, 3), the colour of each id.
    """

    def __init__(self, path: Path, palette_lut: np.ndarray) -> None:
        self.path = path
        self.palette = palette_lut.tobytes()
        self._part = path.with_name(f".{path.name}.part")
        self._number = 0

    def write(self, labels_HW: np.ndarray) -> None:
        """Append a label map, uint8 (H, W)."""
        if self._number == 0:
            shutil.rmtree(self._part, ignore_errors=True)
            self._part.mkdir(parents=True)
        image = Image.fromarray(np.ascontiguousarray(labels_HW, np.uint8), mode="P")
        image.putpalette(self.palette)
        image.save(self._part / f"{self._number:06d}.png")
        self._number += 1

    def __enter__(self) -> "PaletteFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._number:
            shutil.rmtree(self.path, ignore_errors=True)
            self._part.replace(self.path)
        shutil.rmtree(self._part, ignore_errors=True)
