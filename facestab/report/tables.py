"""The report's tables of numbers: headline, intervals, classes."""

from collections.abc import Sequence

from facestab.keys import HEADLINE, TRUTH, VIDEO_KEYS
from facestab.report.cells import DASH, Block, Cell, Line, Table, heads
from facestab.report.definitions import PER_CLASS
from facestab.report.pooling import Ends, Group, Pooled
from facestab.report.runs import Run
from facestab.table import row_title


def headline(groups: Sequence[Group]) -> Table:
    """Every row of every group by the headline columns."""
    blocks = []
    for group in groups:
        lines = [
            Line(row_title(row), tuple(_headline_cell(group, row, key) for key in HEADLINE), _kind(group.first, row))
            for row in group.rows
        ]
        blocks.append(Block(group.title, tuple(lines)))
    return Table(heads(HEADLINE), tuple(blocks))


def intervals(groups: Sequence[Group]) -> Table:
    """95% intervals of the result's differences from other rows; those without 0 are strong."""
    found = [(group, group.intervals) for group in groups]
    keys = [key for key in HEADLINE if any(key in ends for _, pairs in found for ends in pairs.values())]
    blocks = []
    for group, pairs in found:
        lines = [
            Line(
                row_title(row),
                tuple(_interval_cell(ends.get(key), key) for key in keys),
                "baseline" if row == group.baseline else "control",
            )
            for row, ends in pairs.items()
        ]
        blocks += [Block(group.title, tuple(lines))] if lines else []
    return Table(heads(keys), tuple(blocks))


def per_class(groups: Sequence[Group]) -> Table:
    """Every class of every group, before and after."""
    found = [(group, _classes(group)) for group in groups]
    keys = [
        key
        for key in PER_CLASS
        if any(_values(group, key, name) != (None, None) for group, names in found for name in names)
    ]
    blocks = []
    for group, names in found:
        lines = [Line(name, tuple(_change_cell(group, key, name) for key in keys), key=name) for name in names]
        if lines:
            blocks.append(Block(group.title, tuple(lines)))
    return Table(tuple(_class_head(head) for head in heads(keys)), tuple(blocks))


def _class_head(head: Cell) -> Cell:
    """The IoU of one class is no mean."""
    return Cell(head.text.replace("mIoU", "IoU"), head.note)


def _kind(run: Run, row: str) -> str:
    return {run.result: "result", run.baseline: "baseline", TRUTH: "truth"}.get(row, "control")


def _headline_cell(group: Group, row: str, key: str) -> Cell:
    value = group.value(row, key)
    if value is None:
        return Cell()
    notes = []
    if len(group.runs) > 1:
        shown = ", ".join(VIDEO_KEYS[key].show(single) for single in value.values)
        notes.append(f"{len(value.values)} of {len(group.runs)} seeds: {shown}")
    ends = group.intervals.get(row, {}).get(key)
    if ends is not None:
        difference = f"{row_title(group.result)} \u2212 {row_title(row)}"
        notes.append(f"{difference}: {_interval_cell(ends, key).text} (95%)")
    return Cell(value.show(key), "\n".join(notes))


def _interval_cell(ends: Ends | None, key: str) -> Cell:
    if ends is None:
        return Cell()
    low, high = (VIDEO_KEYS[key].show(end, sign=True) for end in ends)
    return Cell(f"[{low}, {high}]", strong=ends[0] > 0 or ends[1] < 0)


def _classes(group: Group) -> list[str]:
    """Names of the classes that the result or the baseline has values of, in the order of the record."""
    starts = [f"{VIDEO_KEYS[key].per_class}/" for key in PER_CLASS]
    names = {
        key.removeprefix(start): None
        for start in starts
        for run in group.runs
        for row in (run.baseline, run.result)
        for key in run.metrics.get(row, {})
        if key.startswith(start) and key not in VIDEO_KEYS
    }
    order = {name: i for i, name in enumerate(group.first.label_set.names)}
    return sorted(names, key=lambda name: order.get(name, len(order)))


def _values(group: Group, key: str, name: str) -> tuple[Pooled | None, Pooled | None]:
    """Of a class, before and after."""
    return group.value(group.baseline, _of(key, name)), group.value(group.result, _of(key, name))


def _of(key: str, name: str) -> str:
    return f"{VIDEO_KEYS[key].per_class}/{name}"


def _change_cell(group: Group, key: str, name: str) -> Cell:
    before, after = _values(group, key, name)
    texts = [DASH if value is None else VIDEO_KEYS[key].show(value.mean) for value in (before, after)]
    if before is None and after is None:
        return Cell()
    ends = group.intervals.get(group.baseline, {}).get(_of(key, name))
    interval = _interval_cell(ends, key)
    note = f"change {interval.text} (95%)" if ends is not None else ""
    return Cell(f"{texts[0]} \u2192 {texts[1]}" if group.baseline else texts[1], note, interval.strong)
