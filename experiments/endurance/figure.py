"""Memory over the work, of the runs that `endurance.py` has watched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

TITLES = {"minutes": "720p, a long video", "frames": "256 px, a long video", "videos": "short clips, labelled"}
BYTES = 1e6


def draw(results: Mapping[str, Any], path: Path) -> None:
    """A panel for each part that has been measured."""
    parts = [part for part in TITLES if part in results]
    figure = Figure(figsize=(4 * len(parts), 3), layout="constrained")
    for axes, part in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
        for name in ("short", "long", "all"):
            if name in results[part]:
                found = results[part][name]
                working = [(progress, resident) for _, progress, resident, _ in found["samples"] if progress]
                shares, resident = zip(*working, strict=True)
                axes.plot(shares, [size / BYTES for size in resident], label=f"{found['units']:,}")
        axes.set(title=TITLES[part], xlabel="share of the work", ylim=(0, None))
        axes.legend(title="frames" if part != "videos" else "clips", loc="lower right")
    figure.supylabel("resident memory [MB]")
    figure.savefig(path, dpi=100)
