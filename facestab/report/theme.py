"""How all plots look: one template in two brightnesses, and a colour and a mark for each kind of row."""

import json
import re
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go
import plotly.io

from facestab.keys import TRUTH

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
BEFORE, AFTER, NEUTRAL = "#d55e00", "#2a86c8", "#808080"
# Okabe and Ito's hues, brought to a lightness that has contrast on white and on black
SERIES = ("#2a86c8", "#d55e00", "#0f9b76", "#b8629a", "#a37800", "#4f9fd0", "#808080")
_FAMILIES = {"ema": "#0f9b76", "flow_ema": "#b8629a", "blend": "#a37800", "vote": "#4f9fd0"}
_SYMBOLS = {"ema": "triangle-up", "flow_ema": "diamond", "blend": "pentagon", "vote": "hexagon"}
_SINGLE = {
    "finetuned": "circle-open",
    "oracle": "triangle-up",
    "recurrent": "hourglass",
    "reference": "diamond-open",
    "background": "cross",
}
# ink, grid
_BRIGHTNESS = {"light": ("#1c2530", "#dfe3e8"), "dark": ("#dde3ea", "#343c47")}


@dataclass(frozen=True)
class Plot:
    """A figure, as Plotly draws it, and what is said about it.

    Attributes:
        figure: data and layout, plain enough for JSON.
        label: what it shows, for those who cannot see it.
        note: what has to be known to read it.
    """

    figure: dict[str, Any]
    label: str
    note: str = ""


def templates() -> dict[str, Any]:
    """The template by brightness, plain enough for JSON."""
    return {name: _template(*colours) for name, colours in _BRIGHTNESS.items()}


def plain(figure: go.Figure) -> dict[str, Any]:
    """Data and layout of a figure that Plotly's checks have passed; nan becomes null."""
    found = json.loads(plotly.io.to_json(figure, validate=True))
    found["layout"].pop("template", None)
    return {"data": found["data"], "layout": found["layout"]}


def safe(text: str) -> str:
    """Text that a plot shows as it stands: Plotly would take tags and entities for markup."""
    return escape(text, quote=False)


def family(row: str) -> tuple[str, float] | None:
    """A smoother's family and strength, ("flow_ema", 0.8) of "flow_ema_0.8"; None for rows without a number."""
    match = re.fullmatch(r"(.+)_(\d+(?:\.\d+)?)", row)
    return (match[1], float(match[2])) if match else None


def row_colour(row: str, baseline: str = "", result: str = "") -> str:
    """The colour of a row in every plot."""
    known = {TRUTH: NEUTRAL, baseline: BEFORE, result: AFTER}
    found = family(row)
    return known.get(row) or (_FAMILIES.get(found[0], NEUTRAL) if found else NEUTRAL)


def row_symbol(row: str, baseline: str = "", result: str = "") -> str:
    """The mark of a row: colour is never the only difference."""
    known = {**_SINGLE, baseline: "square", result: "star"}
    found = family(row)
    return known.get(row) or (_SYMBOLS.get(found[0], "x") if found else "x")


def _template(ink: str, grid: str) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "gridcolor": grid,
        "linecolor": grid,
        "zerolinecolor": grid,
        "ticks": "outside",
        "tickcolor": grid,
    }
    axis |= {"automargin": True, "title": {"standoff": 8}}
    layout = go.Layout(
        font={"family": FONT, "size": 13, "color": ink},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        colorway=SERIES,
        margin={"l": 56, "r": 16, "t": 16, "b": 48},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        modebar={"orientation": "v", "bgcolor": "rgba(0,0,0,0)", "color": grid, "activecolor": ink},
        hoverlabel={"font": {"family": FONT}},
        xaxis=axis,
        yaxis=axis,
    )
    return {"layout": layout.to_plotly_json()}
