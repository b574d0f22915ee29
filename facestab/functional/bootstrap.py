"""Intervals over videos: the videos are the samples, never their frames or pixels."""

from collections.abc import Sequence

import numpy as np

NUM_RESAMPLES = 10_000


def paired_interval(
    first: Sequence[float], second: Sequence[float], level: float = 0.95, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the mean difference first - second over videos (Efron 1979).

    Args:
        first: one value a video.
        second: the same videos' values, in the same order.
        level: share of the resampled means that the interval holds.
        seed: of the resampling.

    Returns:
        low and high; None with fewer than two videos, which say nothing of their spread.

    Raises:
        ValueError: when the lengths differ.
    """
    if len(first) != len(second):
        raise ValueError(f"both sides need the same videos, got {len(first)} and {len(second)} values")
    differences = np.asarray(first, float) - np.asarray(second, float)
    if len(differences) < 2:
        return None
    picks = np.random.default_rng(seed).integers(len(differences), size=(NUM_RESAMPLES, len(differences)))
    low, high = np.quantile(differences[picks].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
