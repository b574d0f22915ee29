"""What w and threshold do: table and figure of finished runs: `python experiments/w_threshold/figure.py RUN...`.

Values are means over the videos of a run, and over seeds where there are several.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facestab.errors import FacestabError
from facestab.keys import IMAGE, VIDEO_KEYS
from facestab.report.pooling import Group, pool
from facestab.report.runs import read_runs

COLUMNS = ("flicker/aba_excess", "val/miou", "val/boundary_f", "stills/miou", "dynamics/amplitude")
HEADS = {"flicker/aba_excess": "excess flicker [%]"}
SYMBOLS = "os^vD"


def number(group: Group, name: str) -> float:
    """A setting of the runs."""
    return float(group.first.record[name])


def shown(group: Group, row: str, key: str) -> float:
    """A value in the unit of the tables."""
    value = group.value(row, key)
    return float("nan") if value is None else VIDEO_KEYS[key].factor * value.mean


def heading(key: str) -> str:
    """Name and unit of a column."""
    return HEADS.get(key) or VIDEO_KEYS[key].heading


def by_threshold(groups: Sequence[Group]) -> dict[float, list[Group]]:
    """The runs of each image model, by w."""
    lines: dict[float, list[Group]] = {}
    for group in sorted(groups, key=lambda group: (-number(group, "threshold"), number(group, "w"))):
        lines.setdefault(number(group, "threshold"), []).append(group)
    return lines


def table(lines: dict[float, list[Group]]) -> str:
    """A line for each image model, and one for each of its fine-tunings."""
    text = ["| threshold | w |" + "".join(f" {heading(key)} |" for key in COLUMNS), "| ---: | ---: |"]
    text[1] += " ---: |" * len(COLUMNS)
    for threshold, groups in lines.items():
        for title, group, row in [
            ("image model", groups[0], IMAGE),
            *((f"{number(g, 'w'):g}", g, g.result) for g in groups),
        ]:
            values = " | ".join(f"{shown(group, row, key):.{3 if 'aba' in key else 2}f}" for key in COLUMNS)
            text.append(f"| {threshold:g} | {title} | {values} |")
    return "\n".join(text) + "\n"


def draw(lines: dict[float, list[Group]], path: Path) -> None:
    """The trade-off of flicker and accuracy, on videos and on stills."""
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    for axes, key in zip(figure.subplots(1, 2), ("val/miou", "stills/miou"), strict=True):
        for (threshold, groups), symbol in zip(lines.items(), SYMBOLS, strict=False):
            draw_line(axes, groups, key, symbol, f"threshold {threshold:g}")
        axes.set(xlabel=f"{heading('flicker/aba_excess')}: ABA above the truth's", ylabel=heading(key))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def draw_line(axes: Axes, groups: Sequence[Group], key: str, symbol: str, title: str) -> None:
    """One image model, hollow, and its fine-tunings, each with its w."""
    points = [(shown(group, group.result, "flicker/aba_excess"), shown(group, group.result, key)) for group in groups]
    (line,) = axes.plot(*zip(*points, strict=True), f"{symbol}-", label=title, markersize=5, linewidth=1)
    for group, point in zip(groups, points, strict=True):
        axes.annotate(f"w {number(group, 'w'):g}", point, fontsize="x-small", xytext=(4, 3), textcoords="offset points")
    start = shown(groups[0], IMAGE, "flicker/aba_excess"), shown(groups[0], IMAGE, key)
    axes.plot(*start, symbol, color=line.get_color(), fillstyle="none", markersize=8)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs, or of sweeps")
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    try:
        lines = by_threshold(pool(read_runs(options.runs).runs))
    except FacestabError as error:
        sys.exit(f"{error}")
    print(table(lines))
    if options.figure is not None:
        draw(lines, options.figure)


if __name__ == "__main__":
    main()
