"""The verdicts as the page shows them: a card for each group's result, and a list of the other rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from facestab.report.cells import Block, Cell, Line, Table
from facestab.report.pooling import Group
from facestab.report.runs import Run
from facestab.table import row_title

# from worst to best: a card has the colour and the sign of its worst verdict
_MARKS = {"worse": "bad", "not shown": "open", "stable at no cost in accuracy": "good"}


@dataclass(frozen=True)
class Card:
    """What the verdicts on a result say, over seeds.

    Attributes:
        decision: of all seeds, or how many came to which.
        mark: "good", "open" or "bad".
        subject: which row of which group, against what.
        texts: one line a seed.
    """

    decision: str
    mark: str
    subject: str
    texts: tuple[str, ...]


def cards(groups: Sequence[Group]) -> list[Card]:
    """One card for each group whose result was judged."""
    found = [_card(group, named=len(groups) > 1) for group in groups]
    return [card for card in found if card is not None]


def other_verdicts(groups: Sequence[Group]) -> Table:
    """The verdicts on all rows but the results, one line a row and seed."""
    blocks = []
    for group in groups:
        lines = [
            Line(row_title(row) + _seed(group, run, ", "), (Cell(_decision(verdict)), Cell(_reasons(verdict))))
            for run in group.runs
            for row, verdict in run.record.get("verdicts", {}).items()
            if row != group.result
        ]
        blocks += [Block(group.title, tuple(lines))] if lines else []
    return Table((Cell("verdict"), Cell("because")), tuple(blocks))


def _card(group: Group, named: bool) -> Card | None:
    found = [(run, run.record.get("verdicts", {}).get(group.result)) for run in group.runs]
    judged = [(run, verdict) for run, verdict in found if verdict]
    if not judged:
        return None
    decisions = [_decision(verdict) for _, verdict in judged]
    marks = [_MARKS.get(decision, "open") for decision in decisions]
    against = f" against {row_title(group.baseline)}" if group.baseline else ""
    subject = f"{group.setting}: {row_title(group.result)}" if named else row_title(group.result)
    return Card(
        _summary(decisions),
        next(mark for mark in _MARKS.values() if mark in marks),
        subject + against,
        tuple(_seed(group, run, "", ": ") + _reasons(verdict) for run, verdict in judged),
    )


def _summary(decisions: Sequence[str]) -> str:
    counts = Counter(decisions).most_common()
    if len(decisions) == 1:
        return decisions[0]
    if len(counts) == 1:
        return f"{decisions[0]}, in all {len(decisions)} seeds"
    return "; ".join(f"{decision} in {count} of {len(decisions)} seeds" for decision, count in counts)


def _seed(group: Group, run: Run, before: str, after: str = "") -> str:
    return f"{before}seed {run.record.get('seed')}{after}" if len(group.runs) > 1 else ""


def _decision(verdict: dict[str, Any]) -> str:
    return str(verdict.get("decision", ""))


def _reasons(verdict: dict[str, Any]) -> str:
    """The text without the decision, which stands beside it."""
    return str(verdict.get("text", "")).removesuffix(f": {_decision(verdict)}")
