"""Cells, lines and blocks: a table as text, ready for the template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facestab.keys import VIDEO_KEYS, Key
from facestab.report.definitions import DEFINITIONS

DASH = "-"
_DIRECTIONS = {"lower": "\u2193", "higher": "\u2191"}


@dataclass(frozen=True)
class Cell:
    """One value of a table.

    Attributes:
        text: what stands there.
        note: what a pointer resting on it shows.
        strong: whether it stands out.
    """

    text: str = DASH
    note: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Line:
    """One line of a table.

    Attributes:
        title: its head.
        cells: one per column.
        kind: "result", "baseline", "truth" or "control".
        key: what a script finds it by.
    """

    title: str
    cells: tuple[Cell, ...]
    kind: str = "control"
    key: str = ""


@dataclass(frozen=True)
class Block:
    """Lines that belong together.

    Attributes:
        title: of the group or run.
        lines: of the table.
    """

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """Columns and blocks of lines.

    Attributes:
        columns: heading and explanation.
        blocks: of lines.
    """

    columns: tuple[Cell, ...]
    blocks: tuple[Block, ...]


def heads(keys: Sequence[str]) -> tuple[Cell, ...]:
    """The heads of the columns of some keys, each with its definition."""
    return tuple(Cell(heading(key), DEFINITIONS[key]) for key in keys)


def heading(name: str) -> str:
    """A key's title, unit, and an arrow that points to where it is better."""
    key: Key = VIDEO_KEYS[name]
    return f"{key.heading}\u00a0{_DIRECTIONS[key.better]}" if key.better else key.heading


def show(values: Mapping[str, float], key: str) -> Cell:
    """One of a row's values, a dash where it has none."""
    return Cell(VIDEO_KEYS[key].show(values[key])) if key in values else Cell()
