"""A picture for documents: consecutive frames of a video's comparison, and the flicker of every frame."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facestab.errors import FacestabError
from facestab.keys import TRUTH
from facestab.report.runs import Run, read_curves
from facestab.report.theme import AFTER, BEFORE, NEUTRAL
from facestab.table import row_title
from facestab.video.source import open_video

NUM_STILLS = 3
_ABA = "flicker/aba"
_WIDTH_INCHES = 8.0


def draw_figure(run: Run, path: Path) -> Path:
    """Draw the run's first video around the frame where the baseline flickers most.

    Args:
        run: with videos; the first one by name that has `compare.mp4` and `frames.csv` is drawn.
        path: the picture; its suffix chooses the format. It appears whole or not at all.

    Raises:
        FacestabError: when no video has both files, or the format is unknown.
    """
    found = sorted(v for v in run.videos if run.video_file(v, "compare.mp4") and run.video_file(v, "frames.csv"))
    if not found:
        raise FacestabError(f"{run.folder}: no video has compare.mp4 and frames.csv; predict with both")
    if path.suffix.removeprefix(".") not in Figure().canvas.get_supported_filetypes():
        raise FacestabError(f"{path}: no format that can be drawn; use .png, .svg or .pdf")
    folder = run.folder / "videos" / found[0]
    curves = {row: values for row, values in _aba(read_curves(folder / "frames.csv")).items() if len(values)}
    if not curves:
        raise FacestabError(f"{folder / 'frames.csv'}: holds no {_ABA}; predict the video again")
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    _draw(folder, curves, run).savefig(part, dpi=100)
    return part.replace(path)


def _aba(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = {name: name.partition("/") for name in columns}
    return {row: columns[name] for name, (row, _, key) in names.items() if key == _ABA}


def _draw(folder: Path, curves: dict[str, np.ndarray], run: Run) -> Figure:
    aba = np.nan_to_num(curves.get(run.baseline, next(iter(curves.values()))))
    first = int(np.clip(np.argmax(aba) - NUM_STILLS // 2, 0, max(0, len(aba) - NUM_STILLS)))
    with open_video(folder / "compare.mp4") as source:
        stills = list(source.frames(first, min(first + NUM_STILLS, source.info.num_frames)))
    height, width = stills[0].shape[:2]
    inches = _WIDTH_INCHES * height / width
    figure = Figure(figsize=(_WIDTH_INCHES, inches * len(stills) + 2.6), layout="constrained")
    grid = figure.add_gridspec(len(stills) + 1, 1, height_ratios=[*([inches] * len(stills)), 2.4])
    for i, still in enumerate(stills):
        axes = figure.add_subplot(grid[i])
        axes.imshow(still)
        axes.set_ylabel(f"frame {first + i}")
        axes.set(xticks=[], yticks=[])
    _draw_curves(figure.add_subplot(grid[-1]), curves, run, folder.name)
    return figure


def _draw_curves(axes: Axes, curves: dict[str, np.ndarray], run: Run, title: str) -> None:
    """The result, what it is compared with and the truth; the other rows as what lies behind them."""
    kept = {run.baseline: (BEFORE, "-"), run.result: (AFTER, "-"), TRUTH: ("black", ":")}
    others = [row for row in curves if row not in kept]
    for row in others:
        name = f"the other {len(others)} rows" if row == others[0] else None
        axes.plot(100 * curves[row], color=NEUTRAL, alpha=0.35, linewidth=0.7, label=name)
    for row, (colour, line) in kept.items():
        if row in curves:
            axes.plot(100 * curves[row], line, color=colour, label=row_title(row), linewidth=1.6)
    axes.set(xlabel="frame", ylabel="ABA flicker [% of pixels]", title=title)
    axes.figure.legend(loc="outside lower center", fontsize="small", ncols=4)
