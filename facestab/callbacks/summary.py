"""What a prediction adds to the record of its run: overall metrics, each video's, and intervals of differences."""

from collections.abc import Mapping, Sequence
from typing import Any

from facestab.callbacks.meter import RowMetrics, VideoResult, time_results
from facestab.functional.bootstrap import paired_interval
from facestab.labels import LabelSet
from facestab.record import FROZEN, IMAGE, QUALITY_KEYS, STABILIZED, TRUTH


def video_record(results: Sequence[VideoResult], labels: LabelSet, result: str) -> dict[str, Any]:
    """The parts `metrics`, `videos`, `intervals` and `inputs` of a record.

    Overall rates add up the counts of all videos and divide once. Intervals are of the mean over videos.

    Args:
        results: of all videos.
        labels: the label set.
        result: the row that the others are compared with.
    """
    rows = sorted({row for video in results for row in video.rows}, key=_row_order)
    videos = {video.id: _ordered(video.results()) for video in results}
    return {
        "metrics": {row: _overall(row, results, labels) for row in rows},
        "videos": videos,
        "intervals": difference_intervals(videos, result),
        "inputs": {video.id: {"fps": video.fps, "size": video.size, "frames": video.num_frames} for video in results},
    }


def difference_intervals(
    videos: Mapping[str, Mapping[str, Mapping[str, float]]], result: str
) -> dict[str, dict[str, list[float]]]:
    """95% intervals of the differences between the result and every other row but the truth, paired by video.

    Args:
        videos: video, row and key to value.
        result: the row that the others are taken from.
    """
    others = sorted({row for rows in videos.values() for row in rows} - {result, TRUTH}, key=_row_order)
    intervals: dict[str, dict[str, list[float]]] = {}
    for row in others:
        for key in QUALITY_KEYS:
            both = [(v[result][key], v[row][key]) for v in videos.values() if key in v[result] and key in v[row]]
            interval = paired_interval([a for a, _ in both], [b for _, b in both])
            if interval is not None:
                intervals.setdefault(f"{result} - {row}", {})[key] = list(interval)
    return intervals


def _overall(row: str, results: Sequence[VideoResult], labels: LabelSet) -> dict[str, float]:
    metrics = RowMetrics(labels)
    seen = [result for result in results if row in result.rows]
    for result in seen:
        metrics.merge(result.rows[row])
    seconds = sum(result.seconds.get(row, 0.0) for result in seen)
    return {**metrics.results(), **time_results(seconds, sum(result.num_frames for result in seen))}


def _row_order(row: str) -> tuple[int, str]:
    known = {TRUTH: 0, FROZEN: 1, IMAGE: 2, STABILIZED: 4}
    return known.get(row, 3), row


def _ordered(rows: Mapping[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {row: rows[row] for row in sorted(rows, key=_row_order)}
