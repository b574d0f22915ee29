"""What is known of one video once it has streamed past."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from facestab.evaluation.row_metrics import Feed, collect, published_feeds
from facestab.labels import LabelSet


@dataclass
class VideoResult:
    """The values of one video. Plain enough to be sent between processes.

    Attributes:
        id: of the video.
        fps: frames per second, as "25" or "30000/1001".
        size: [height, width] in pixels.
        source: the video's path, "" when only masks are known.
        num_frames: frames that were measured.
        rows: row name to values by key.
        published: row name to the metrics that are pooled over videos.
        seconds: row name to the time that its labels took, for the rows that cost any.
        floor: what limits everything that is measured along the motion; see `facestab.video.flow_check`.
        measured: height and width at which it was measured, empty for its own.
    """

    id: str
    fps: str
    size: list[int]
    source: str = ""
    num_frames: int = 0
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    published: dict[str, list[Feed]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    measured: list[int] = field(default_factory=list)

    def results(self) -> dict[str, dict[str, float]]:
        """Values by row and key, times included."""
        timed = {row: time_results(self.seconds.get(row), self.num_frames) for row in self.rows}
        return {row: {**values, **timed[row]} for row, values in self.rows.items()}

    def to_dict(self) -> dict[str, Any]:
        """Tensors and primitives, from which `from_dict` makes the same result."""
        counts = {row: [feed.metric.metric_state for feed in feeds] for row, feeds in self.published.items()}
        return {**vars(self), "published": counts}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], labels: LabelSet) -> "VideoResult":
        """The result that gave these values.

        Args:
            values: of `to_dict`.
            labels: the label set.
        """
        published = {row: published_feeds(labels) for row in values["published"]}
        for row, feeds in published.items():
            for feed, counts in zip(feeds, values["published"][row], strict=True):
                for name, count in counts.items():
                    setattr(feed.metric, name, count)
        return cls(**{**values, "published": published})

    def description(self) -> dict[str, object]:
        """What the record keeps of the video itself."""
        found: dict[str, object] = {"fps": self.fps, "size": self.size, "frames": self.num_frames}
        if self.measured and self.measured != self.size:
            found["measured"] = self.measured
        source = {"source": self.source} if self.source else {}
        return {**found, **source, **self.floor}


def pooled(results: list[VideoResult], row: str) -> dict[str, float]:
    """The published metrics of a row over all videos; the order of the videos does not matter."""
    total: list[Feed] = []
    for feeds in (result.published[row] for result in results if row in result.published):
        if not total:
            total = deepcopy(feeds)
            continue
        for own, other in zip(total, feeds, strict=True):
            own.metric.merge_state(other.metric)
    return collect(total)


def time_results(seconds: float | None, num_frames: int) -> dict[str, float]:
    """The time keys of the record, empty when nothing was timed."""
    if not seconds or not num_frames:
        return {}
    return {"time/ms_per_frame": 1000 * seconds / num_frames, "time/frames_per_second": num_frames / seconds}


def mean_over_videos(videos: Mapping[str, Mapping[str, Mapping[str, float]]], row: str) -> dict[str, float]:
    """The mean of every value of a row over the videos that have it.

    Args:
        videos: video, row and key to value.
        row: the row.
    """
    parts = [rows[row] for rows in videos.values() if row in rows]
    keys = dict.fromkeys(key for part in parts for key in part)
    values = {key: [part[key] for part in parts if key in part] for key in keys}
    return {key: sum(found) / len(found) for key, found in values.items()}
