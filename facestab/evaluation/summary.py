"""What an evaluation adds to the record of its run: rows, videos, intervals of differences, verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any

from facestab.evaluation.result import VideoResult, mean_over_videos, pooled, time_results
from facestab.evaluation.verdict import judge
from facestab.functional.bootstrap import paired_interval
from facestab.keys import (
    BACKGROUND,
    CONTINUED,
    FINETUNED,
    FROZEN,
    IMAGE,
    MASKS,
    ORACLE,
    PUBLISHED,
    REFERENCE,
    STABILIZED,
    TRUTH,
    VIDEO_KEYS,
    is_class_key,
)

Videos = Mapping[str, Mapping[str, Mapping[str, float]]]

_FIRST = (TRUTH, FROZEN, BACKGROUND, IMAGE, CONTINUED, REFERENCE)
_LAST = (FINETUNED, ORACLE, STABILIZED, MASKS)


def video_record(results: Sequence[VideoResult], result: str, baseline: str | None) -> dict[str, Any]:
    """The parts `metrics`, `videos`, `intervals`, `verdicts` and `inputs` of a record.

    A row's value is the mean over its videos, so that it is what the intervals are about. The published metrics are
    pooled over videos as in their papers, times over frames.

    Args:
        results: of all videos.
        result: the row that the others are compared with.
        baseline: the row that the result should improve on; None when there is none.
    """
    videos = {video.id: ordered(video.results()) for video in results}
    rows = row_order({row for rows in videos.values() for row in rows})
    return {
        "result": result,
        **({"baseline": baseline} if baseline else {}),
        "metrics": {row: _overall(row, results, videos) for row in rows},
        "videos": videos,
        "intervals": difference_intervals(videos, result, baseline),
        "verdicts": verdicts(videos, baseline),
        "inputs": {video.id: video.description() for video in results},
    }


def difference_intervals(videos: Videos, result: str, baseline: str | None = None) -> dict[str, dict[str, list[float]]]:
    """95% intervals of the differences between the result and every other row but the truth, paired by video.

    Args:
        videos: video, row and key to value.
        result: the row that the others are taken from.
        baseline: the row for which values by class are compared, too.
    """
    intervals: dict[str, dict[str, list[float]]] = {}
    for row in row_order({row for rows in videos.values() for row in rows} - {result, TRUTH}):
        found = {}
        for key in _compared(videos, result, with_classes=row == baseline):
            first, second = paired(videos, result, row, key)
            interval = paired_interval(first, second)
            if interval is not None:
                found[key] = list(interval)
        if found:
            intervals[f"{result} - {row}"] = found
    return intervals


def _compared(videos: Videos, result: str, with_classes: bool) -> list[str]:
    found = dict.fromkeys(key for rows in videos.values() for key in rows.get(result, {}))
    return [
        key
        for key in found
        if not key.startswith("time/") and (key in VIDEO_KEYS or (with_classes and is_class_key(key)))
    ]


def paired(videos: Videos, first: str, second: str, key: str) -> tuple[list[float], list[float]]:
    """Two rows' values of one key, for the videos that have both, in one order."""
    both = [
        (rows[first][key], rows[second][key])
        for rows in videos.values()
        if key in rows.get(first, {}) and key in rows.get(second, {})
    ]
    return [a for a, _ in both], [b for _, b in both]


def verdicts(videos: Videos, baseline: str | None) -> dict[str, dict[str, Any]]:
    """The verdict on every row but the truth and the baseline; empty without a baseline."""
    if baseline is None:
        return {}
    rows = row_order({row for rows in videos.values() for row in rows} - {TRUTH, baseline})
    return {row: judge(videos, row, baseline).to_dict() for row in rows}


def _overall(row: str, results: Sequence[VideoResult], videos: Videos) -> dict[str, float]:
    seen = [result for result in results if row in result.rows]
    values = mean_over_videos(videos, row)
    seconds = sum(result.seconds.get(row, 0.0) for result in seen)
    times = time_results(seconds, sum(result.num_frames for result in seen))
    published = pooled(list(seen), row)
    return {**values, **{key: published[key] for key in PUBLISHED if key in published}, **times}


def row_order(rows: set[str]) -> list[str]:
    """Row names in the order of every table: what must be beaten first, the result last."""
    place = {row: i for i, row in enumerate(_FIRST)} | {row: 100 + i for i, row in enumerate(_LAST)}
    return sorted(rows, key=lambda row: (place.get(row, 50), row))


def ordered(rows: Mapping[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The rows in that order."""
    return {row: rows[row] for row in row_order(set(rows))}
