"""The headline table: one line a row of a record."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facestab.keys import HEADLINE, VIDEO_KEYS

_NAMES = {
    "truth": "ground truth",
    "frozen": "frozen first frame",
    "background": "all background",
    "image": "image model",
    "reference": "reference",
    "continued": "image, further steps",
    "finetuned": "pseudo-labels alone",
    "oracle": "true video labels",
    "stabilized": "facestab",
    "fixed_crop": "in a crop that rests",
    "masks": "masks",
}
_SMOOTHERS = {
    "ema": "EMA",
    "flow_ema": "flow EMA",
    "blend": "uncertainty blend",
    "vote": "temporal vote",
    "recurrent": "ConvGRU",
}

# the columns whose differences are printed; the record and the report have all
_COMPARED = ("val/miou", "flicker/aba", "flicker/static", "tc/masked", "dynamics/amplitude")


def row_title(row: str) -> str:
    """A row's name as people read it."""
    kind, _, setting = row.rpartition("_")
    if row in _SMOOTHERS or kind in _SMOOTHERS:
        return f"+ {_SMOOTHERS.get(kind, _SMOOTHERS.get(row))} {setting if kind else ''}".rstrip()
    return _NAMES.get(row, row)


def headline(record: Mapping[str, Any]) -> Table:
    """The table of a record; a dash where there is no value, no column where no row has one.

    A + stands before what smooths the image model.
    """
    measured = {name for values in record["metrics"].values() for name in values}
    keys = [VIDEO_KEYS[name] for name in HEADLINE if name in measured]
    table = Table(title=None, show_lines=False)
    table.add_column("row", no_wrap=True)
    for key in keys:
        table.add_column(escape(key.heading.replace(" [", "\n[")), justify="right")
    for row, values in record["metrics"].items():
        cells = [key.show(values[key.name]) if key.name in values else "-" for key in keys]
        table.add_row(row_title(row), *cells, style="bold" if row == record.get("result") else "")
    return table


def differences(record: Mapping[str, Any]) -> list[str]:
    """One line for each row that the result is compared with: the mean difference's 95% interval over videos."""
    lines = []
    for pair, keys in record.get("intervals", {}).items():
        first, _, second = pair.partition(" - ")
        cells = [
            f"{key.title} [{key.show(keys[name][0], sign=True)}, {key.show(keys[name][1], sign=True)}]"
            for name, key in VIDEO_KEYS.items()
            if name in _COMPARED and name in keys
        ]
        lines.append(f"{row_title(first)} - {row_title(second)}: {', '.join(cells)}")
    return lines


def print_results(record: Mapping[str, Any]) -> None:
    """The table and, below it, what is certain of the differences, and the verdict."""
    print_table(headline(record))
    lines = differences(record)
    if lines:
        num_videos = len(record["videos"])
        lines = [f"95% intervals of the mean difference over {num_videos} videos:", *lines]
    verdict = record.get("verdicts", {}).get(record.get("result"))
    if verdict:
        lines.append(f"verdict against {row_title(record['baseline'])}: {verdict['text']}")
    if lines:
        Console(soft_wrap=True).print("\n".join(lines), highlight=False, markup=False)


def print_table(table: Table) -> None:
    """To standard output, at its full width."""
    Console(width=160, soft_wrap=True).print(table)
