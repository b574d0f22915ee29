"""What is read from time courses, as plain Python loops over frames."""

import math
import statistics
from collections.abc import Sequence


def high_pass(signal: Sequence[float], num_frames: int) -> list[float]:
    result = []
    for t, value in enumerate(signal):
        half = min(num_frames // 2, t, len(signal) - 1 - t)
        result.append(value - statistics.fmean(signal[t - half : t + half + 1]))
    return result


def area_volatility(areas: Sequence[int], min_area_px: int) -> float:
    bends = [
        math.log(a) - 2 * math.log(b) + math.log(c)
        for a, b, c in zip(areas, areas[1:], areas[2:], strict=False)
        if min(a, b, c) > min_area_px
    ]
    return statistics.pstdev(bends) if len(bends) > 1 else math.nan


def dropouts(areas: Sequence[int], min_area_px: int) -> float:
    if max(areas) <= min_area_px:
        return math.nan
    events, t = 0, 0
    while t < len(areas):
        end = t
        while end < len(areas) and areas[end] == 0:
            end += 1
        events += 0 < t < end < len(areas) and end - t < 3 and areas[t - 1] > min_area_px
        t = max(end, t + 1)
    return events


def response(
    signal: Sequence[int], reference: Sequence[int], num_frames: int, max_lag: int
) -> tuple[float, float, float]:
    best = (-math.inf, 0, 0.0)
    for lag in sorted(range(-max_lag, max_lag + 1), key=lambda lag: (abs(lag), -lag)):
        pairs = [(signal[t + lag], value) for t, value in enumerate(reference) if 0 <= t + lag < len(signal)]
        own, other = (high_pass(course, num_frames) for course in zip(*pairs, strict=True))
        correlation = statistics.correlation(own, other)
        if correlation > best[0] + 1e-9:
            best = (correlation, lag, statistics.linear_regression(other, own).slope)
    return best[2], best[0], best[1]
