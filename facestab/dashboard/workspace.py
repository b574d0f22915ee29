"""The workspace: which panels stand where.

It answers, for all temporal runs of a project and so for a whole sweep over `w` and `threshold`:

- What does stability cost? Every run is a point of flicker against mIoU, and of flicker against the amplitude of what
  moves, since a network that stops following the face does not flicker either.
- What do `w` and `threshold` do? Flicker, mIoU and amplitude by each of them, and all together as parallel coordinates.
- What did the temporal stage change? Every headline value before (row `image`) and after (row `stabilized`), and the
  comparison videos.
- Did training go well, or did the features collapse? The curves of the loss, its parts and its diagnostics.
- In what do two runs differ? Their settings and results side by side.
"""

from collections.abc import Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

from facestab.dashboard.names import ROWS, SETTINGS, STEP, describe, measured, setting, trained
from facestab.errors import SettingError
from facestab.keys import HEADLINE, MEDIA_KEY, STABILIZED, VIDEO_KEYS

STAGE = "temporal"
NUM_RUNS = 50
# fewest panels that show a gain in stability, what it costs, and that nothing stands still
COMPARED = ("flicker/aba", "flicker/static", "val/miou", "dynamics/amplitude")
SWEPT = ("w", "threshold")
CURVES = {
    "loss": ("train/loss", "val/loss"),
    "consistency term": ("train/consistency", "val/consistency"),
    "distance of the features of adjacent frames": ("train/feature_distance", "val/feature_distance"),
    "cross-entropy J1 + J2 [nats]": ("train/cross_entropy", "val/cross_entropy"),
    "accuracy on labelled images": ("val/miou", "val/f1"),
    "size and spread of the features; near 0 they have collapsed": ("train/feature_mean_abs", "train/feature_std"),
    "distance relative to size": ("train/feature_distance_relative",),
    "gradient of the consistency term over that of the rest": ("train/gradient_ratio",),
}
GUIDE = """\
**One point, one run**; colour is `w`, the weight of accuracy against stability.

ABA flicker is the fraction of pixels whose class leaves for one frame and comes back. It means nothing alone: a frozen
picture has none. Read it with mIoU (accuracy) and with the amplitude of what moves, where 1 is as much as in truth and
less is a face that stiffens. What needs true labels stays empty for videos without them.

Values are fractions, as logged; tables of facestab show them times 100.
"""


def build(entity: str, project: str, name: str) -> ws.Workspace:
    """The workspace, not saved yet; needs no network.

    Args:
        entity: user or team that owns the project.
        project: where the runs were logged.
        name: of the workspace, as people see it.

    Raises:
        SettingError: for a name that Weights & Biases does not take.
    """
    sections = [_trade_off(), *_sweep(), *_before_and_after(), _training(), _side_by_side()]
    settings = ws.WorkspaceSettings(max_runs=NUM_RUNS)
    runs = _runs()
    try:
        return ws.Workspace(entity, project, name, sections=sections, settings=settings, runset_settings=runs)
    except ValueError as error:
        raise SettingError(f"--name: letters, digits and plain punctuation are needed, got {name!r}") from error


def _runs() -> ws.RunsetSettings:
    """The runs that are compared: of the temporal stage, the calmest first."""
    columns = [
        *(f"config:{setting(name)}.value" for name in SETTINGS),
        *(f"summary:{measured(STABILIZED, key)}" for key in HEADLINE),
    ]
    return ws.RunsetSettings(
        filters=[ws.Metric("JobType") == STAGE],
        order=[ws.Ordering(ws.Summary(measured(STABILIZED, "flicker/aba")), ascending=True)],
        pinned_columns=columns,
    )


def _section(name: str, panels: Sequence[Any], columns: int) -> ws.Section:
    """An open section with all its panels in sight."""
    layout = ws.SectionLayoutSettings(columns=columns, rows=-(-len(panels) // columns))
    return ws.Section(name, panels=list(panels), is_open=True, layout_settings=layout)


def _trade_off() -> ws.Section:
    panels = [
        wr.MarkdownPanel(GUIDE),
        _scatter("flicker/aba", "val/miou"),
        _scatter("flicker/aba", "dynamics/amplitude"),
    ]
    return _section("The trade-off", panels, columns=3)


def _scatter(x: str, y: str) -> wr.ScatterPlot:
    return wr.ScatterPlot(
        title=f"{VIDEO_KEYS[y].title} against {VIDEO_KEYS[x].title}, coloured by w",
        x=wr.SummaryMetric(measured(STABILIZED, x)),
        y=wr.SummaryMetric(measured(STABILIZED, y)),
        z=wr.Config(setting("w")),
        gradient=[wr.GradientPoint("#440154"), wr.GradientPoint("#21918c", 50), wr.GradientPoint("#fde725", 100)],
    )


def _sweep() -> list[ws.Section]:
    bars = [_bars(key, [STABILIZED], name) for name in SWEPT for key in COMPARED]
    columns = [wr.ParallelCoordinatesPlotColumn(wr.Config(setting(name)), name) for name in SWEPT] + [
        wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(measured(STABILIZED, key)), VIDEO_KEYS[key].title)
        for key in COMPARED
    ]
    lines = wr.ParallelCoordinatesPlot(columns, title="settings and results of every run")
    return [
        _section("What w and threshold do", bars, columns=len(COMPARED)),
        _section("Settings and results together", [lines], columns=1),
    ]


def _bars(key: str, rows: Sequence[str], group: str) -> wr.BarPlot:
    """Mean over the runs of each group, with their range."""
    return wr.BarPlot(
        title=f"{describe(key)}; by {group}",
        metrics=[measured(row, key) for row in rows],
        orientation="v",
        groupby=wr.Config(setting(group)),
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=NUM_RUNS,
    )


def _before_and_after() -> list[ws.Section]:
    """By threshold, which is all that the image model knows of a sweep."""
    videos = wr.MediaBrowser("before and after", media_keys=[MEDIA_KEY], grid_x_axis="index", grid_y_axis="run")
    bars = [_bars(key, ROWS, "threshold") for key in HEADLINE]
    return [
        _section("Before and after: videos", [videos], columns=1),
        _section("Before and after: image model and stabilized", bars, columns=5),
    ]


def _training() -> ws.Section:
    curves = [
        wr.LinePlot(title=title, x=STEP, y=[trained(key) for key in keys], max_runs_to_show=NUM_RUNS)
        for title, keys in CURVES.items()
    ]
    return _section("Training", curves, columns=4)


def _side_by_side() -> ws.Section:
    return _section("Runs side by side", [wr.RunComparer("split")], columns=1)
