"""The headline table: one line a row of a record."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

# key, heading, factor, format
COLUMNS = (
    ("val/miou", "mIoU [%]", 100.0, ".1f"),
    ("flicker/aba", "ABA flicker [%]", 100.0, ".3f"),
    ("flicker/switch", "switch rate [%]", 100.0, ".3f"),
    ("tc/masked", "masked TC [%]", 100.0, ".1f"),
    ("time/ms_per_frame", "ms per frame", 1.0, ".1f"),
)
NAMES = {
    "truth": "ground truth",
    "frozen": "frozen first frame",
    "image": "image model",
    "stabilized": "facestab",
}


def row_title(row: str) -> str:
    """A row's name as people read it."""
    if row.startswith("ema_"):
        return f"image model + EMA {row.removeprefix('ema_')}"
    return NAMES.get(row, row)


def headline(record: Mapping[str, Any]) -> Table:
    """The table of a record; a dash where there is no value."""
    table = Table(title=None, show_lines=False)
    table.add_column("row")
    for _, heading, _, _ in COLUMNS:
        table.add_column(heading, justify="right")
    for row, values in record["metrics"].items():
        cells = [format(factor * values[key], how) if key in values else "-" for key, _, factor, how in COLUMNS]
        table.add_row(row_title(row), *cells)
    return table


def differences(record: Mapping[str, Any]) -> list[str]:
    """One line for each row that the result is compared with: the mean difference's 95% interval over videos."""
    lines = []
    for pair, keys in record.get("intervals", {}).items():
        first, _, second = pair.partition(" - ")
        cells = [
            f"{heading.partition(' [')[0]} [{factor * keys[key][0]:+{how}}, {factor * keys[key][1]:+{how}}]"
            for key, heading, factor, how in COLUMNS
            if key in keys
        ]
        lines.append(f"{row_title(first)} - {row_title(second)}: {', '.join(cells)}")
    return lines


def print_results(record: Mapping[str, Any]) -> None:
    """The table and, below it, what is certain of the differences."""
    print_table(headline(record))
    lines = differences(record)
    if lines:
        num_videos = len(record["videos"])
        text = "\n".join([f"95% intervals of the mean difference over {num_videos} videos, in points:", *lines])
        Console(soft_wrap=True).print(text, highlight=False, markup=False)


def print_table(table: Table) -> None:
    """To standard output, at its full width."""
    Console(width=120, soft_wrap=True).print(table)
