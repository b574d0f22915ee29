"""The page: one HTML file that needs nothing but the videos beside it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from plotly.offline import get_plotlyjs

from facestab.report import pictures
from facestab.report.clips import Clip, heat_maps
from facestab.report.listings import config_diff, definitions, provenance, shared_provenance, worst, worst_table
from facestab.report.pareto import pareto
from facestab.report.pooling import Group, pool
from facestab.report.runs import Gathered, Run
from facestab.report.sweep import sweep
from facestab.report.tables import headline, intervals, per_class
from facestab.report.theme import templates
from facestab.report.verdicts import cards, other_verdicts
from facestab.table import row_title

_HERE = Path(__file__).parent
_FACTS = (("w", "w"), ("threshold", "threshold"), ("seed", "seed"), ("flow", "flow"), ("size", "size"))
_MAX_NAMES = 6


def write_page(gathered: Gathered, path: Path, num_videos: int) -> Path:
    """Write the report of some runs; it appears whole or not at all.

    Args:
        gathered: the runs.
        path: the HTML file.
        num_videos: how many videos of each group are shown, those that flicker most.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = render(gathered, path.parent, num_videos)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    part.write_text(text, encoding="utf-8")
    return part.replace(path)


def render(gathered: Gathered, folder: Path, num_videos: int) -> str:
    """The report as HTML, for a file in `folder`."""
    groups = pool(gathered.runs)
    plots = {f"sweep{i}": plot for i, plot in enumerate(sweep(groups))}
    trade = pareto(groups)
    plots |= {"pareto": trade} if trade is not None else {}
    labs = [_lab(group, folder, num_videos) for group in groups]
    data = {
        "templates": templates(),
        "plots": {name: plot.figure for name, plot in plots.items()},
        "groups": labs,
        "heat_bar": pictures.png_uri(pictures.heat(np.arange(256)[None], 255.0)),
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment.get_template("page.html.j2").render(
        title=_title(groups),
        lead=_lead(groups),
        facts=_facts(gathered.runs),
        unfinished=gathered.unfinished,
        groups=groups,
        cards=cards(groups),
        other_verdicts=other_verdicts(groups),
        headline=headline(groups),
        intervals=intervals(groups),
        plots=plots,
        per_class=per_class(groups),
        worst=worst_table(groups, num_videos),
        has_videos=any(lab["videos"] for lab in labs),
        num_videos=num_videos,
        config_diff=config_diff(gathered.runs) if len(gathered.runs) > 1 else None,
        provenance=provenance(gathered.runs),
        shared=shared_provenance(gathered.runs),
        definitions=definitions(),
        data=data,
        style=(_HERE / "page.css").read_text("utf-8"),
        scripts=[get_plotlyjs(), *((_HERE / name).read_text("utf-8") for name in ("players.js", "page.js"))],
    )


def _lab(group: Group, folder: Path, num_videos: int) -> dict[str, Any]:
    """What the page's script shows of a group's videos."""
    run = group.first
    clips = [Clip(run, video, folder) for video in worst(run, num_videos)]
    label_set = run.label_set
    return {
        "title": group.title,
        "videos": [clip.data() for clip in clips],
        "heat": _heat_of_all(clips),
        "classes": list(label_set.names),
        "colours": [f"rgb{colour}" for colour in label_set.palette],
    }


def _heat_of_all(clips: Sequence[Clip]) -> dict[str, Any] | None:
    """The sum of the clips' heat maps, None when there are fewer than two, or several sizes."""
    totals = {}
    for when in ("before", "after"):
        maps = [clip.scans[when].flips_HW for clip in clips if when in clip.scans]
        if len(maps) < 2 or len({counts_HW.shape for counts_HW in maps}) > 1:
            continue
        totals[when] = np.sum(maps, axis=0)
    return heat_maps(totals)


def _title(groups: Sequence[Group]) -> str:
    if len(groups) == 1:
        return groups[0].title
    sweeps = {run.sweep for group in groups for run in group.runs}
    name = f"{sweeps.pop()}: " if len(sweeps) == 1 and "" not in sweeps else ""
    return f"{name}{len(groups)} settings compared"


def _lead(groups: Sequence[Group]) -> str:
    pairs = dict.fromkeys(
        f"{row_title(group.result)} against {row_title(group.baseline)}" if group.baseline else row_title(group.result)
        for group in groups
    )
    return "; ".join(pairs)


def _facts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    names = ", ".join(run.name for run in runs) if len(runs) <= _MAX_NAMES else str(len(runs))
    facts = [("runs", names)] if len(runs) > 1 else []
    facts += [(title, _values(run.record.get(key) for run in runs)) for title, key in _FACTS]
    facts.append(("videos", _values(len(run.videos) or None for run in runs)))
    return [(title, text) for title, text in facts if text]


def _values(values: Iterable[Any]) -> str:
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in values if value is not None]
    return ", ".join(dict.fromkeys(texts))
