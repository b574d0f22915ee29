"""Runs of one setting that differ in the seed only are shown as one."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from facestab.functional.bootstrap import paired_interval
from facestab.keys import HEADLINE, VIDEO_KEYS, is_class_key
from facestab.report.runs import Run

# what a run is called, which of its repetitions it is, and what else stands beside its result
_NOT_A_SETTING = ("seed", "name", "controls")
# of the record, for runs that do not say how they were made
_KEYS = ("stage", "w", "threshold", "size", "flow", "result", "baseline")

Ends = Sequence[float]


@dataclass(frozen=True)
class Pooled:
    """A value over seeds.

    Attributes:
        values: one per seed that has it, as they are stored.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """The standard deviation over seeds (n - 1); None for one seed, or when all values are the same."""
        return statistics.stdev(self.values) if len(set(self.values)) > 1 else None

    def show(self, key: str) -> str:
        """As tables show it: the mean, and the spread where there is one."""
        text = VIDEO_KEYS[key].show(self.mean)
        return text if self.spread is None else f"{text} \u00b1 {VIDEO_KEYS[key].show(self.spread)}"


@dataclass(frozen=True)
class Group:
    """Runs of one setting, one per seed.

    Attributes:
        setting: what tells it from the other groups.
        runs: one or more; the first one's videos are shown.
    """

    setting: str
    runs: tuple[Run, ...]

    @property
    def title(self) -> str:
        """The setting, and over how many seeds."""
        return self.setting if len(self.runs) == 1 else f"{self.setting}, {len(self.runs)} seeds"

    @property
    def first(self) -> Run:
        """The run whose videos are shown."""
        return self.runs[0]

    @property
    def result(self) -> str:
        """The row that is the result."""
        return self.first.result

    @property
    def baseline(self) -> str:
        """The row that the result is compared with, "" when there is none."""
        return self.first.baseline

    @property
    def rows(self) -> tuple[str, ...]:
        """Rows that any run has, in table order."""
        return tuple(dict.fromkeys(row for run in self.runs for row in run.metrics))

    def value(self, row: str, key: str) -> Pooled | None:
        """A value of a row over the seeds that have it, None when none has."""
        found = [run.metrics[row][key] for run in self.runs if key in run.metrics.get(row, {})]
        return Pooled(tuple(found)) if found else None

    @cached_property
    def intervals(self) -> Mapping[str, Mapping[str, Ends]]:
        """95% intervals of the result's difference from other rows, by row and key.

        They are the record's for one run. For several, seeds and videos are drawn anew, over the videos that all share.
        """
        start = f"{self.result} - "
        named = self.first.record.get("intervals", {})
        own = {pair.removeprefix(start): ends for pair, ends in named.items() if pair.startswith(start)}
        if len(self.runs) == 1:
            return own
        drawn = {
            row: {key: self._over_seeds(row, key) for key in self._compared(row, ends)} for row, ends in own.items()
        }
        return {row: {key: ends for key, ends in found.items() if ends} for row, found in drawn.items()}

    def _compared(self, row: str, keys: Iterable[str]) -> list[str]:
        """What the page shows of a pair: values by class of the baseline only."""
        return [key for key in keys if key in HEADLINE or (row == self.baseline and is_class_key(key))]

    def _over_seeds(self, row: str, key: str) -> Ends | None:
        rows = (self.result, row)
        # a seed may stand beside fewer rows than the others
        runs = [run for run in self.runs if row in run.metrics]
        videos = [
            video
            for video in self.first.videos
            if all(key in run.videos.get(video, {}).get(name, {}) for run in runs for name in rows)
        ]
        ours, theirs = ([[run.videos[video][name][key] for video in videos] for run in runs] for name in rows)
        return paired_interval(ours, theirs) if videos else None


def pool(runs: Sequence[Run]) -> list[Group]:
    """The groups of runs whose overrides agree in all but seed, name and controls, in the order in which they begin.

    A run without overrides.yaml is pooled by config.yaml, and without either it stays alone. Two runs with the same
    seed are never one group: nothing could be learnt from their spread.
    """
    groups: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        key, copy = _setting(run), 0
        while any(run.record.get("seed") == other.record.get("seed") for other in groups.get((*key, copy), [])):
            copy += 1
        groups.setdefault((*key, copy), []).append(run)
    names = _names(list(groups.values()))
    return [Group(name, tuple(members)) for name, members in zip(names, groups.values(), strict=True)]


def settings(run: Run) -> tuple[str, ...]:
    """The overrides that are settings: those of seed, name and controls are left out."""
    return tuple(o for o in run.overrides or () if o.lstrip("+~").partition("=")[0] not in _NOT_A_SETTING)


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys; lists are values."""
    if not isinstance(node, Mapping) or not node:
        return {prefix: node} if prefix else {}
    parts = (flatten(value, f"{prefix}.{key}" if prefix else str(key)) for key, value in node.items())
    return {key: value for part in parts for key, value in part.items()}


def _setting(run: Run) -> tuple[Any, ...]:
    record = tuple(
        str(run.record.get(key)) for key in ("stage", "w", "threshold", "size", "flow", "result", "baseline")
    )
    if run.overrides is not None:
        return record, tuple(sorted(settings(run)))
    if run.config:
        flat = {key: value for key, value in flatten(run.config).items() if key not in _NOT_A_SETTING}
        return record, tuple(sorted((key, str(value)) for key, value in flat.items()))
    return record, run.folder


def _names(groups: Sequence[Sequence[Run]]) -> list[str]:
    common = set.intersection(*(set(settings(members[0])) for members in groups))
    names = [_name(members, common) for members in groups]
    return [
        f"{name} ({members[0].name})" if names.count(name) > 1 else name
        for name, members in zip(names, groups, strict=True)
    ]


def _name(members: Sequence[Run], common: Iterable[str]) -> str:
    """The folder's name for a run of its own; else the settings that are not common to all groups."""
    first = members[0]
    if len(members) == 1 and not first.sweep:
        return first.name
    return " ".join(setting for setting in settings(first) if setting not in common) or first.sweep or first.name


def is_number(value: Any) -> bool:
    """Whether a setting of a record is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
