"""What w and threshold do: one line of results for each threshold."""

from collections.abc import Sequence

import plotly.graph_objects as go

from facestab.keys import VIDEO_KEYS
from facestab.report.cells import heading
from facestab.report.pooling import Group, is_number, settings
from facestab.report.theme import SERIES, Plot, plain, safe

_KEYS = ("flicker/aba", "val/miou", "dynamics/amplitude")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
_LOG_FROM = 8.0


def sweep(groups: Sequence[Group]) -> list[Plot]:
    """A plot for flicker, accuracy and dynamics each; empty unless groups differ in w or threshold."""
    axis = _axis(groups)
    if axis is None:
        return []
    shown = [group for group in groups if is_number(group.first.record.get(axis))]
    lines: dict[str, list[Group]] = {}
    for group in sorted(shown, key=lambda group: float(group.first.record[axis])):
        lines.setdefault(_line(group, axis, shown), []).append(group)
    plots = [_plot(lines, axis, key) for key in _KEYS]
    return [plot for plot in plots if plot is not None]


def _axis(groups: Sequence[Group]) -> str | None:
    for name in ("w", "threshold"):
        if len({value for g in groups if is_number(value := g.first.record.get(name))}) > 1:
            return name
    return None


def _line(group: Group, axis: str, shown: Sequence[Group]) -> str:
    """What the points of one line have in common: threshold, and every other setting on which groups differ."""
    other = "threshold" if axis == "w" else "w"
    value = group.first.record.get(other)
    own = {s for s in settings(group.first) if s.lstrip("+").partition("=")[0] not in ("w", "threshold")}
    common = set.intersection(*(set(settings(g.first)) for g in shown))
    parts = [f"{other} {value:g}"] if is_number(value) else []
    return " ".join([*parts, *sorted(own - common)]) or "all"


def _plot(lines: dict[str, list[Group]], axis: str, name: str) -> Plot | None:
    key, figure = VIDEO_KEYS[name], go.Figure()
    for i, (title, groups) in enumerate(lines.items()):
        colour, symbol = SERIES[i % len(SERIES)], _SYMBOLS[i % len(_SYMBOLS)]
        for when, dash in (("after", "solid"), ("before", "dot")):
            rows = [(g, g.value(g.result if when == "after" else g.baseline, name)) for g in groups]
            found = [(float(g.first.record[axis]), value) for g, value in rows if value is not None]
            if not found:
                continue
            figure.add_scatter(
                x=[x for x, _ in found],
                y=[key.factor * value.mean for _, value in found],
                error_y={"array": [key.factor * (value.spread or 0.0) for _, value in found], "thickness": 1},
                name=safe(title if when == "after" else f"{title}, before"),
                showlegend=when == "after",
                mode="lines+markers" if when == "after" else "lines",
                line={"color": colour, "dash": dash, "width": 2 if when == "after" else 1.2},
                marker={"symbol": symbol, "size": 9},
                hovertemplate=f"{axis} %{{x}}<br>{key.title} %{{y:.{key.digits}f}}<extra>%{{fullData.name}}</extra>",
            )
    if not figure.data:
        return None
    xs = sorted({x for trace in figure.data for x in trace.x})
    is_log = xs[0] > 0 and xs[-1] / xs[0] >= _LOG_FROM
    figure.update_layout(height=380, xaxis_title=axis, yaxis_title=heading(name))
    figure.update_xaxes(type="log" if is_log else "linear", tickvals=xs, ticktext=[f"{x:g}" for x in xs])
    return Plot(plain(figure), f"{key.title} over {axis}")
