"""Intervals over videos: the videos are the samples, never their frames or pixels."""

from collections.abc import Sequence
from math import comb

import numpy as np

NUM_RESAMPLES = 10_000

Values = Sequence[float] | Sequence[Sequence[float]] | np.ndarray


def paired_interval(first: Values, second: Values, level: float = 0.95, seed: int = 0) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the mean difference first - second over videos (Efron 1979).

    Args:
        first: one value a video, or one line of them a training seed: (V,) or (S, V). Seeds and videos are then both
            drawn anew, so that the interval covers both.
        second: the same videos' values, in the same order.
        level: share of the resampled means that the interval holds.
        seed: of the resampling.

    Returns:
        low and high; None with fewer than two videos, which say nothing of their spread.

    Raises:
        ValueError: when the shapes differ.
    """
    first_SV, second_SV = _checked(first, second)
    if first_SV.shape[1] < 2:
        return None
    return _quantiles(_resampled_means(first_SV - second_SV, seed), level)


def mean_ratio_interval(
    first: Values, second: Values, level: float = 0.95, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of mean(first) / mean(second) over videos, with the videos paired.

    Args:
        first: see `paired_interval`.
        second: see `paired_interval`; its mean must be positive.
        level: see `paired_interval`.
        seed: see `paired_interval`.

    Returns:
        low and high; None with fewer than two videos, or where a resampled denominator is not above 0.
    """
    first_SV, second_SV = _checked(first, second)
    if first_SV.shape[1] < 2:
        return None
    numerators, denominators = _resampled_means(first_SV, seed), _resampled_means(second_SV, seed)
    if denominators.min() <= 0 or second_SV.mean() <= 0:
        return None
    return _quantiles(numerators / denominators, level)


def sign_test(num_better: int, num_worse: int) -> float:
    """Two-sided p of the sign test: how likely so uneven a split is when both directions are (ties left out)."""
    total = num_better + num_worse
    tail = sum(comb(total, k) for k in range(min(num_better, num_worse) + 1)) / 2**total
    found: float = min(1.0, 2 * tail)
    return found


def _checked(first: Values, second: Values) -> tuple[np.ndarray, np.ndarray]:
    first_SV, second_SV = (np.atleast_2d(np.asarray(values, float)) for values in (first, second))
    if first_SV.shape != second_SV.shape:
        sizes = f"{first_SV.shape[1]} and {second_SV.shape[1]}"
        raise ValueError(f"both sides need the same videos, got {sizes} values")
    return first_SV, second_SV


def _resampled_means(values_SV: np.ndarray, seed: int) -> np.ndarray:
    """Means (R,) over drawn seeds and videos; the same draws for the same shape and seed."""
    generator = np.random.default_rng(seed)
    num_seeds, num_videos = values_SV.shape
    videos = generator.integers(num_videos, size=(NUM_RESAMPLES, num_videos))
    found: np.ndarray
    if num_seeds == 1:
        found = values_SV[0][videos].mean(1)
        return found
    seeds = generator.integers(num_seeds, size=(NUM_RESAMPLES, num_seeds))
    found = values_SV[seeds[:, :, None], videos[:, None, :]].mean((1, 2))
    return found


def _quantiles(means: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
