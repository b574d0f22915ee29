"""The report's lists: worst videos, configuration, provenance, definitions."""

import json
import shlex
from collections.abc import Sequence
from typing import Any

from facestab.keys import TRUTH, VIDEO_KEYS
from facestab.report.cells import DASH, Block, Cell, Line, Table, heading, show
from facestab.report.definitions import DEFINITIONS
from facestab.report.pooling import Group, flatten
from facestab.report.runs import Run

# the folder's name heads the column
_IS_THE_NAME = ("name",)
# columns of the worst videos
_VIEWS = {
    "flicker/aba": ("before", "after", "truth"),
    "val/miou": ("before", "after"),
    "dynamics/amplitude": ("before", "after"),
    "dynamics/lag": ("before", "after"),
}
_FACTS = ("stage", "w", "threshold", "seed", "size", "flow", "init", "ended_by", "fingerprint")


def worst(run: Run, limit: int) -> list[str]:
    """The videos whose result flickers most, the worst first; those without a value come last."""
    aba = {video: rows.get(run.result, {}).get("flicker/aba", -1.0) for video, rows in run.videos.items()}
    return sorted(aba, key=lambda video: -aba[video])[:limit]


def worst_table(groups: Sequence[Group], limit: int) -> Table:
    """The worst videos of each group's first run."""
    blocks = []
    for group in groups:
        inputs = group.first.record.get("inputs", {})
        lines = [
            Line(
                video,
                (Cell(str(inputs.get(video, {}).get("frames", DASH))), *_video_cells(group.first, video)),
                key=video,
            )
            for video in worst(group.first, limit)
        ]
        blocks.append(Block(group.title, tuple(lines)))
    names = [(key, when) for key, views in _VIEWS.items() for when in views]
    return Table((Cell("frames"), *(Cell(f"{heading(key)}, {when}") for key, when in names)), tuple(blocks))


def _video_cells(run: Run, video: str) -> list[Cell]:
    rows = run.videos[video]
    views = {"before": run.baseline, "after": run.result, "truth": TRUTH}
    return [show(rows.get(views[when], {}), key) for key, shown in _VIEWS.items() for when in shown]


def config_diff(runs: Sequence[Run]) -> Table:
    """The keys of config.yaml on which the runs do not agree, one column a run."""
    flat = [flatten(run.config) for run in runs]
    keys = dict.fromkeys(key for config in flat for key in config)
    lines = []
    for key in keys:
        texts = [_plain(config[key]) if key in config else DASH for config in flat]
        if len(set(texts)) > 1 and key not in _IS_THE_NAME:
            lines.append(Line(key, tuple(Cell(text) for text in texts)))
    return Table(tuple(Cell(run.name) for run in runs), (Block("", tuple(lines)),))


def shared_provenance(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Where the numbers come from, as far as all runs agree: name and text."""
    facts = [_facts(run) for run in runs]
    return [(key, text) for key, text in facts[0].items() if all(other.get(key) == text for other in facts)]


def provenance(runs: Sequence[Run]) -> Table:
    """Where the numbers come from where runs differ, one line a run."""
    facts = [_facts(run) for run in runs]
    keys = dict.fromkeys(key for fact in facts for key in fact)
    differing = [key for key in keys if len({fact.get(key) for fact in facts}) > 1]
    lines = [
        Line(run.name, tuple(Cell(fact.get(key, DASH)) for key in differing))
        for run, fact in zip(runs, facts, strict=True)
    ]
    return Table(tuple(Cell(key) for key in differing), (Block("", tuple(lines)),))


def definitions() -> list[tuple[str, str]]:
    """Heading and meaning of every column that the report may show."""
    return [(VIDEO_KEYS[key].heading, text) for key, text in DEFINITIONS.items()]


def _facts(run: Run) -> dict[str, str]:
    command = "" if run.overrides is None else f"python -m facestab.run {shlex.join(run.overrides)}"
    record = run.record
    facts = {"folder": str(run.folder), "command": command}
    facts |= {name: _plain(record[name]) for name in _FACTS if name in record}
    training = record.get("training")
    facts |= {f"training {key}": _plain(value) for key, value in flatten(training).items()} if training else {}
    versions = record.get("versions", {})
    facts |= {"versions": ", ".join(f"{name} {version}" for name, version in versions.items())}
    return {key: text for key, text in facts.items() if text}


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, default=str)
