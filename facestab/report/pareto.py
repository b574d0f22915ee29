"""Accuracy against flicker: what every row pays for its stability."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import plotly.graph_objects as go

from facestab.keys import BACKGROUND, FROZEN, TRUTH, VIDEO_KEYS
from facestab.report.cells import heading
from facestab.report.pooling import Group, Pooled
from facestab.report.theme import NEUTRAL, Plot, family, plain, row_colour, row_symbol, safe
from facestab.table import row_title

_X = ("flicker/aba", "flicker/switch")
_Y = ("val/miou", "dynamics/amplitude", "dynamics/correlation", "tc/masked", "flicker/prob_tv")
# no output that anybody would use: they may lie outside the axes
_EXTREME = (FROZEN, BACKGROUND)
_MARGIN = 0.12
_HEIGHT_PX = 520


class Point(NamedTuple):
    """A row in the plot.

    Attributes:
        row: its name.
        values: on the x and the y axis.
    """

    row: str
    values: tuple[Pooled, Pooled]


def pareto(groups: Sequence[Group]) -> Plot | None:
    """The plot, None when fewer than two rows have both values.

    The first group shows all rows. The others show what is their own: baseline and result.
    """
    for y in _Y:
        for x in _X:
            if len(points(groups[0], x, y)) > 1:
                return _Trade(groups, x, y).plot()
    return None


def points(group: Group, x: str, y: str) -> list[Point]:
    """The rows of a group that have both values; the truth has no accuracy."""
    found = [(row, group.value(row, x), group.value(row, y)) for row in group.rows if row != TRUTH]
    return [Point(row, (a, b)) for row, a, b in found if a is not None and b is not None]


class _Trade:
    """The plot while it is made; x and y are keys."""

    def __init__(self, groups: Sequence[Group], x: str, y: str) -> None:
        self.groups = groups
        self.keys = (VIDEO_KEYS[x], VIDEO_KEYS[y])
        found = [points(group, x, y) for group in groups]
        self.own = [[p for p in pp if p.row in (g.baseline, g.result)] for g, pp in zip(groups, found, strict=True)]
        self.controls = [point for point in found[0] if point not in self.own[0]]
        self.truth = groups[0].value(TRUTH, x)

    def plot(self) -> Plot:
        traces = list(self._controls())
        for group, own in zip(self.groups, self.own, strict=True):
            traces += self._change(group, own)
        figure = go.Figure([go.Scatter(trace) for trace in traces])
        x, y = self.keys
        if self.truth is not None:
            label = {"text": "true labels", "textposition": "end", "xanchor": "left", "yanchor": "top"}
            label_style: dict[str, Any] = {"font": {"size": 11, "color": NEUTRAL}, "textangle": 0}
            line = {"dash": "dash", "width": 1, "color": NEUTRAL}
            figure.add_vline(x=self.truth.mean * x.factor, line=line, label={**label, **label_style})
        figure.update_layout(height=_HEIGHT_PX, xaxis_title=heading(x.name), yaxis_title=heading(y.name))
        figure.update_layout(xaxis_range=self._range(0), yaxis_range=self._range(1))
        return Plot(plain(figure), f"{y.title} of every row against its {x.title}", self._note())

    @property
    def shown(self) -> list[Point]:
        """All points that are drawn."""
        return [*self.controls, *(point for own in self.own for point in own)]

    def _controls(self) -> Iterable[dict[str, Any]]:
        """Families of smoothers as curves from weak to strong, other rows as points."""
        ordered = sorted(self.controls, key=lambda point: family(point.row) or (point.row, 0.0))
        for name, members in groupby(ordered, key=lambda point: (family(point.row) or (point.row,))[0]):
            curve = list(members)
            titles = [row_title(point.row) for point in curve]
            strengths = [point.row.removeprefix(name).strip("_") for point in curve]
            trace = self._trace(curve, titles, row_colour(curve[0].row), row_symbol(curve[0].row))
            if len(curve) > 1:
                trace |= {
                    "mode": "lines+markers+text",
                    "text": strengths,
                    "name": titles[0].removesuffix(strengths[0]).strip(),
                }
            elif len(self.groups) == 1:
                trace |= {"mode": "markers+text", "text": safe(titles[0])}
            yield {**trace, "legendrank": 2000} if curve[0].row in _EXTREME else trace

    def _change(self, group: Group, own: Sequence[Point]) -> Iterable[dict[str, Any]]:
        """Before and after; where there are several groups, named at the result and joined by a dotted line."""
        several = len(self.groups) > 1
        for point in own:
            is_result = point.row == group.result
            colour, symbol = (of(point.row, group.baseline, group.result) for of in (row_colour, row_symbol))
            title = f"{row_title(point.row)}: {group.setting}" if several else row_title(point.row)
            trace = self._trace([point], [title], colour, symbol, size=15 if is_result else 12)
            trace |= {"legendrank": 1 if is_result else 2}
            if several:
                trace |= {"showlegend": group is self.groups[0], "legendgroup": point.row}
                trace |= {"name": safe(row_title(point.row))}
            if is_result or not several:
                trace |= {"mode": "markers+text", "text": safe(group.setting if several else title)}
            yield trace
        if several and len(own) == 2:
            line = {"dash": "dot", "width": 1, "color": NEUTRAL}
            yield {**self._places(own), "mode": "lines", "line": line, "hoverinfo": "skip", "showlegend": False}

    def _places(self, found: Sequence[Point]) -> dict[str, list[float]]:
        """Coordinates by axis, as they are shown."""
        axes = zip("xy", self.keys, range(2), strict=True)
        return {axis: [key.factor * point.values[i].mean for point in found] for axis, key, i in axes}

    def _trace(
        self, found: Sequence[Point], titles: Sequence[str], colour: str, symbol: str, size: int = 10
    ) -> dict[str, Any]:
        bars = {}
        for axis, key, i in zip("xy", self.keys, range(2), strict=True):
            spreads = [key.factor * (point.values[i].spread or 0.0) for point in found]
            if any(spreads):
                bars[f"error_{axis}"] = {"array": spreads, "color": colour, "thickness": 1, "width": 3}
        hover = [f"{key.title} %{{{axis}:.{key.digits}f}}" for axis, key in zip("xy", self.keys, strict=True)]
        return {
            **self._places(found),
            **bars,
            "name": safe(titles[0]),
            "mode": "markers",
            "marker": {"symbol": symbol, "size": size, "color": colour},
            "line": {"color": colour, "width": 1.5},
            "textposition": [self._side(point) for point in found],
            "textfont": {"size": 11},
            "customdata": [safe(title) for title in titles],
            "hovertemplate": "<br>".join(["%{customdata}", *hover]) + "<extra></extra>",
        }

    def _side(self, point: Point) -> str:
        """Where a point's text has room: towards the middle of the plot."""
        values = [other.values[0].mean for other in self.shown]
        return "top left" if point.values[0].mean > (min(values) + max(values)) / 2 else "top right"

    def _range(self, axis: int) -> list[float] | None:
        """What holds every row but the extremes; None leaves it to Plotly."""
        values = [point.values[axis] for point in self.shown if point.row not in _EXTREME]
        values += [self.truth] if axis == 0 and self.truth is not None else []
        ends = [value.mean + sign * (value.spread or 0.0) for value in values for sign in (-1, 1)]
        if not ends:
            return None
        margin = _MARGIN * (max(ends) - min(ends) or abs(max(ends)) or 1.0)
        return [self.keys[axis].factor * end for end in (min(ends) - margin, max(ends) + margin)]

    def _note(self) -> str:
        notes, y = [], self.keys[1]
        if y.name != "val/miou":
            reading = "1 keeps all motion" if y.name == "dynamics/amplitude" else f"{y.better} is better"
            notes.append(f"There are no true labels, so no mIoU: the upright axis is {y.title} ({reading}).")
        outside = [row_title(row) for row in _EXTREME if row in [point.row for point in self.controls]]
        if outside:
            notes.append(f"May lie outside, autoscale shows them: {', '.join(outside)}.")
        if len(self.groups) > 1:
            notes.append(f"The controls are those of {self.groups[0].setting}.")
        if any(len(group.runs) > 1 for group in self.groups):
            notes.append("Bars are the standard deviation over seeds.")
        return " ".join(notes)
