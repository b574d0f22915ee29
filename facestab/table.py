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


def print_table(table: Table) -> None:
    """To standard output, at its full width."""
    Console(width=120, soft_wrap=True).print(table)
