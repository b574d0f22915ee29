"""`python -m facestab.report RUN...`: the table of each run, and a picture of its flicker."""

import argparse
import csv
import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facestab.errors import FacestabError
from facestab.record import IMAGE, TRUTH, read_record
from facestab.table import print_results, row_title
from facestab.video.source import open_video

FIGURE_NAME = "figure.png"
NUM_STILLS = 3


def report(folder: Path, table: bool = True) -> Path | None:
    """Print a run's table; draw its first video, when it has any.

    The picture shows consecutive frames of the comparison, around the one where the image model flickers most, and the
    ABA flicker of every frame.

    Args:
        folder: of a finished run.
        table: whether to print it.

    Returns:
        the picture's path.

    Raises:
        FacestabError: when the folder holds no finished run.
    """
    record = read_record(folder)
    if record is None:
        raise FacestabError(f"{folder}: holds no finished run (no metrics.json)")
    if table:
        print_results(record)
    videos = sorted(folder.glob("videos/*/compare.mp4"))
    return _draw(videos[0].parent, folder / FIGURE_NAME) if videos else None


def _draw(video: Path, path: Path) -> Path:
    curves = read_curves(video / "frames.csv")
    basis = IMAGE if f"{IMAGE}/flicker/aba" in curves else next(iter(curves)).partition("/")[0]
    aba = np.nan_to_num(curves[f"{basis}/flicker/aba"])
    first = int(np.clip(np.argmax(aba) - NUM_STILLS // 2, 0, max(0, len(aba) - NUM_STILLS)))
    with open_video(video / "compare.mp4") as source:
        stills = list(source.frames(first, min(first + NUM_STILLS, source.info.num_frames)))
    matplotlib.use("Agg")
    height, width = stills[0].shape[:2]
    inches = 8.0
    figure = Figure(figsize=(inches, inches * height / width * len(stills) + 2.6), layout="constrained")
    grid = figure.add_gridspec(len(stills) + 1, 1, height_ratios=[*([inches * height / width] * len(stills)), 2.4])
    for i, still in enumerate(stills):
        axes = figure.add_subplot(grid[i])
        axes.imshow(still)
        axes.set_ylabel(f"frame {first + i}")
        axes.set(xticks=[], yticks=[])
    _draw_curves(figure.add_subplot(grid[-1]), curves, video.name)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    figure.savefig(part, dpi=100)
    return part.replace(path)


def _draw_curves(axes: Axes, curves: dict[str, np.ndarray], title: str) -> None:
    for key, values in curves.items():
        row, _, name = key.partition("/")
        if name == "flicker/aba":
            style = "k:" if row == TRUTH else "-"
            axes.plot(100 * values, style, label=row_title(row), linewidth=1.2)
    axes.set(xlabel="frame", ylabel="ABA flicker [% of pixels]", title=title)
    axes.legend(fontsize="small", ncols=3)


def read_curves(path: Path) -> dict[str, np.ndarray]:
    """The columns of a video's frames.csv but the frame number; nan where a cell is empty."""
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    names = [name for name in (lines[0] if lines else {}) if name != "frame"]
    return {name: np.array([float(line[name] or "nan") for line in lines]) for name in names}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m facestab.report", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs")
    parser.add_argument("--no-table", action="store_true", help="draw only")
    arguments = parser.parse_args()
    try:
        for folder in arguments.runs:
            picture = report(folder, table=not arguments.no_table)
            print(f"results: {folder}" + (f"\npicture: {picture}" if picture is not None else ""))
    except (FacestabError, OSError) as error:
        sys.exit(f"facestab: error: {error}")


if __name__ == "__main__":
    main()
