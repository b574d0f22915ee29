"""Tables and the Pareto figure of finished runs, seeds pooled: `python experiments/method/tables.py RUN... `.

Runs that differ in seed, name and controls only are one setting. The first setting is the study: all of its rows are
listed, and its classes. Of every other setting the result is listed beside that of the study, as a change against its
own baseline. Intervals are 95% bootstrap intervals over videos and seeds, both drawn anew.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from facestab.errors import FacestabError
from facestab.functional.bootstrap import mean_ratio_interval, paired_interval
from facestab.keys import BACKGROUND, FROZEN, TRUTH, VIDEO_KEYS
from facestab.report.pooling import Group, pool
from facestab.report.runs import Run, read_runs
from facestab.table import row_title

COLUMNS = (
    *("val/miou", "val/boundary_f", "stills/miou", "flicker/aba", "flicker/static", "tc/masked"),
    *("dynamics/amplitude", "dynamics/lag", "time/ms_per_frame"),
)
OF_CLASSES = ("val/iou", "flicker/aba", "dynamics/amplitude", "stills/iou")
KEPT = (*COLUMNS, "flicker/aba_excess")
CURVES = {"EMA": "ema_", "flow EMA": "flow_ema_"}


def values(group: Group, row: str, key: str) -> np.ndarray:
    """(S, V): a line for each seed that has the row, the videos that all of them have."""
    runs = having(group, row)
    videos = [v for v in group.first.videos if all(key in run.videos[v].get(row, {}) for run in runs)]
    return np.array([[run.videos[v][row][key] for v in videos] for run in runs])


def having(group: Group, row: str) -> list[Run]:
    """The runs beside whose result the row stands."""
    return [run for run in group.runs if row in run.metrics]


def both(group: Group, row: str, key: str) -> tuple[np.ndarray, np.ndarray]:
    """The row's values and the baseline's, for the videos that have both."""
    names, runs = (row, group.baseline), having(group, row)
    videos = [
        v for v in group.first.videos if all(key in run.videos[v].get(name, {}) for run in runs for name in names)
    ]
    first, second = (np.array([[run.videos[v][name][key] for v in videos] for run in runs]) for name in names)
    return first, second


def flicker_change(group: Group, row: str) -> str:
    """Excess flicker over the baseline's, in percent, with its interval."""
    ours, theirs = both(group, row, "flicker/aba_excess")
    ends = mean_ratio_interval(ours, theirs)
    assert ends is not None
    return "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * (ratio - 1) for ratio in (ours.mean() / theirs.mean(), *ends)))


def difference(group: Group, row: str, key: str) -> str:
    """A key's difference from the baseline, with its interval."""
    ours, theirs = both(group, row, key)
    ends = paired_interval(ours, theirs)
    if ends is None:
        return "-"
    shown = [VIDEO_KEYS[key].factor * value for value in ((ours - theirs).mean(), *ends)]
    return "{:+.{digits}f} [{:+.{digits}f}, {:+.{digits}f}]".format(*shown, digits=max(1, VIDEO_KEYS[key].digits))


def of_stills(group: Group, row: str, key: str = "stills/miou") -> str:
    """Difference of stills' accuracy from the baseline's, and the standard deviation of it over seeds."""
    pairs = [(run.metrics[row].get(key), run.metrics[group.baseline].get(key)) for run in having(group, row)]
    found = [100 * (a - b) for a, b in pairs if a is not None and b is not None]
    if not found:
        return "-"
    spread = f" ± {np.std(found, ddof=1):.1f}" if len(found) > 1 else ""
    return f"{np.mean(found):+.1f}{spread}"


def markdown(heads: list[str], lines: list[list[str]]) -> str:
    """A table."""
    text = [heads, ["---"] + ["---:"] * (len(heads) - 1), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in text) + "\n"


def main_table(group: Group) -> str:
    """Every row of the study."""
    heads = ["row", *(VIDEO_KEYS[key].heading for key in COLUMNS), "excess flicker [%]", "mIoU [points]"]
    lines = []
    for row in group.rows:
        found = [group.value(row, key) for key in COLUMNS]
        cells = ["-" if value is None else value.show(key) for key, value in zip(COLUMNS, found, strict=True)]
        changes = ["", ""]
        if row not in (group.baseline, TRUTH):
            changes = [flicker_change(group, row), difference(group, row, "val/miou")]
        lines.append([row_title(row), *cells, *changes])
    return markdown(heads, lines)


def class_table(group: Group) -> str:
    """Every class of the result against the baseline."""
    names = group.first.label_set.names
    lines = []
    for name in names:
        cells = []
        for key in ("val/iou", "flicker/aba", "dynamics/amplitude"):
            found = [group.value(row, f"{key}/{name}") for row in (group.baseline, group.result)]
            factor = 1 if key.startswith("dyn") else 100
            cells.append(" → ".join("-" if v is None else f"{factor * v.mean:.2f}" for v in found))
        ours, theirs = both(group, group.result, f"val/iou/{name}")
        ends = paired_interval(ours, theirs) if ours.size else None
        change = (
            "-"
            if ends is None
            else "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * v for v in ((ours - theirs).mean(), *ends)))
        )
        stills = of_stills(group, group.result, f"stills/iou/{name}")
        lines.append([name, cells[0], change, stills, cells[1], cells[2]])
    return markdown(["class", "IoU [%]", "change", "stills: change", "ABA of the class [%]", "amplitude"], lines)


def settings_table(groups: list[Group]) -> str:
    """The result of every setting against its baseline."""
    lines = [
        [
            group.title,
            flicker_change(group, group.result),
            difference(group, group.result, "val/miou"),
            difference(group, group.result, "val/boundary_f"),
            of_stills(group, group.result),
            difference(group, group.result, "dynamics/amplitude"),
        ]
        for group in groups
    ]
    heads = ["setting", "excess flicker [%]", "mIoU [points]", "boundary F", "stills: mIoU", "amplitude"]
    return markdown(heads, lines)


def points(group: Group) -> Iterator[tuple[str, float, float]]:
    """Row, excess flicker and mIoU in percent."""
    for row in group.rows:
        if row not in (TRUTH, FROZEN, BACKGROUND):
            yield (
                row,
                100 * values(group, row, "flicker/aba_excess").mean(),
                100 * values(group, row, "val/miou").mean(),
            )


def draw(groups: list[Group], path: Path) -> None:
    """Accuracy over excess flicker: up and to the left is better."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.add_subplot()
    found = {row: (x, y) for row, x, y in points(groups[0])}
    for title, start in CURVES.items():
        curve = [(row, found.pop(row)) for row in list(found) if row.startswith(start)]
        axes.plot(*np.transpose([at for _, at in curve]), "o-", label=f"+ {title}", markersize=4, linewidth=1)
        for row, at in curve:
            axes.annotate(row.removeprefix(start), at, fontsize="x-small", xytext=(3, 3), textcoords="offset points")
    for row, at in found.items():
        axes.plot(*at, "*" if row == groups[0].result else "s", label=row_title(row), markersize=8)
    for group in groups[1:]:
        x, y = (100 * values(group, group.result, key).mean() for key in ("flicker/aba_excess", "val/miou"))
        axes.plot(x, y, "x", color="0.5", markersize=4)
        axes.annotate(group.setting[:40], (x, y), fontsize=4, color="0.4", xytext=(3, -3), textcoords="offset points")
    axes.set(xlabel="ABA flicker above the truth's [% of pixels]", ylabel="mIoU [%]")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small")
    figure.savefig(path, dpi=120)


def keep(groups: list[Group], folder: Path) -> None:
    """Write what tables and figure are made of: for each run a folder that this script reads as it reads the run."""
    for group in groups:
        of_classes = (group.baseline, group.result)
        for run in group.runs:
            record = {key: value for key, value in run.record.items() if key not in ("intervals", "verdicts", "inputs")}
            record["metrics"] = _kept(run.metrics, of_classes)
            record["videos"] = {video: _kept(rows, of_classes) for video, rows in run.videos.items()}
            target = folder / run.name
            if target.resolve() == run.folder.resolve():
                raise FacestabError(f"{target}: is the run itself; keep copies in another folder")
            target.mkdir(parents=True, exist_ok=True)
            (target / "metrics.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")
            (target / "overrides.yaml").write_text("".join(f"- {override}\n" for override in run.overrides or ()))


def _kept(rows: Mapping[str, Mapping[str, float]], of_classes: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """The keys of the tables, those by class for some rows only."""
    return {
        row: {
            key: round(value, 9)
            for key, value in found.items()
            if key in KEPT or (row in of_classes and key.startswith(tuple(f"{name}/" for name in OF_CLASSES)))
        }
        for row, found in rows.items()
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs, or of sweeps")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for small copies of the runs, of which the same can be made")
    options = parser.parse_args()
    try:
        make(options)
    except FacestabError as error:
        sys.exit(f"{error}")


def make(options: argparse.Namespace) -> None:
    """Print the tables, and write what else is asked for."""
    groups = pool(read_runs(options.runs).runs)
    parts: list[Callable[[], str]] = [
        lambda: main_table(groups[0]),
        lambda: class_table(groups[0]),
        lambda: settings_table(groups),
    ]
    for part in parts:
        print(part())
    if options.figure is not None:
        draw(groups, options.figure)
    if options.keep is not None:
        keep(groups, options.keep)


if __name__ == "__main__":
    main()
