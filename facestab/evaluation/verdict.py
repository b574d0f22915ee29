"""The verdict on a row against a baseline: more stable, and at what cost? Videos are the samples."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facestab.functional.bootstrap import mean_ratio_interval, paired_interval, sign_test

STABLE, NOT_SHOWN, WORSE = "stable at no cost in accuracy", "not shown", "worse"
MIOU_TOLERANCE = 0.003
"""A loss of mIoU that counts as none (0..1)."""
AMPLITUDE_TOLERANCE = 0.9
"""The share of the baseline's dynamics that must be left."""
LAG_TOLERANCE = 0.5
"""Frames by which a row may be later than the baseline."""

Estimate = tuple[float, float, float]


@dataclass(frozen=True)
class Verdict:
    """A verdict with the numbers behind it; intervals are 95% bootstrap intervals over videos.

    Attributes:
        text: one line for people.
        decision: one of `STABLE`, `NOT_SHOWN`, `WORSE`.
        flicker: relative change of ABA flicker (above the truth's where there is one), low and high; -0.6 is 60% less.
        miou: change of mIoU (0..1), low and high; None without true labels.
        dynamics: amplitude over the baseline's, low and high; None where nothing moves.
        lag: frames later than the baseline, the median over videos; None where nothing moves.
        videos: number of videos.
        videos_better: those that flicker less.
        sign_test: p of the two-sided sign test on them.
    """

    text: str
    decision: str
    flicker: Estimate | None
    miou: Estimate | None
    dynamics: Estimate | None
    lag: float | None
    videos: int
    videos_better: int
    sign_test: float

    def to_dict(self) -> dict[str, Any]:
        """For the record; what is None is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def judge(videos: Mapping[str, Mapping[str, Mapping[str, float]]], row: str, baseline: str) -> Verdict:
    """Whether a row is stable at no cost against the baseline.

    "stable at no cost in accuracy" needs all of: less flicker (the whole interval), mIoU not lower than the tolerance
    (the whole interval; so true labels), dynamics that could be measured and are kept, no lag. "worse": certainly more
    flicker, less accuracy, or lost dynamics. Everything else is "not shown". A frozen or constant output has no
    dynamics left, so it is never the first.

    Args:
        videos: video, row and key to value.
        row: the row to judge.
        baseline: the row to compare it with.
    """
    pairs = [(rows[row], rows[baseline]) for rows in videos.values() if row in rows and baseline in rows]
    flicker_key = "flicker/aba_excess" if any("flicker/aba_excess" in ours for ours, _ in pairs) else "flicker/aba"
    ours, theirs = _both(pairs, flicker_key)
    flicker = _relative_change(ours, theirs)
    miou = _difference(*_both(pairs, "val/miou"))
    dynamics = _ratio(*_both(pairs, "dynamics/amplitude"))
    late, early = _both(pairs, "dynamics/lag")
    # a lag is a whole number that chance can throw far: the median says what is usual
    lag = float(np.median(np.subtract(late, early))) if late else None
    better, worse = (int(np.sum(np.sign(np.subtract(theirs, ours)) == sign)) for sign in (1, -1))
    decision, why = _decide(flicker, miou, dynamics, lag)
    text = _text(flicker, miou, dynamics, lag, f"{better} of {len(ours)} videos better", decision, why)
    return Verdict(text, decision, flicker, miou, dynamics, lag, len(ours), better, sign_test(better, worse))


def _decide(
    flicker: Estimate | None, miou: Estimate | None, dynamics: Estimate | None, lag: float | None
) -> tuple[str, str]:
    if dynamics is not None and dynamics[2] < AMPLITUDE_TOLERANCE:
        return WORSE, "what moves is lost"
    if miou is not None and miou[2] < -MIOU_TOLERANCE:
        return WORSE, "less accurate"
    if flicker is not None and flicker[1] > 0:
        return WORSE, "more flicker"
    if flicker is None:
        return NOT_SHOWN, "two videos or more are needed"
    if flicker[2] >= 0:
        return NOT_SHOWN, "the gain in stability is within chance"
    if miou is None:
        return NOT_SHOWN, "no true labels, so the cost in accuracy is not known"
    if miou[1] < -MIOU_TOLERANCE:
        return NOT_SHOWN, "a loss of accuracy is not excluded"
    if dynamics is None:
        return NOT_SHOWN, "nothing moves that could have been lost"
    if dynamics[0] < AMPLITUDE_TOLERANCE or lag is None or lag > LAG_TOLERANCE:
        return NOT_SHOWN, "dynamics are damped or late"
    return STABLE, ""


def _text(
    flicker: Estimate | None,
    miou: Estimate | None,
    dynamics: Estimate | None,
    lag: float | None,
    count: str,
    decision: str,
    why: str,
) -> str:
    parts = []
    if flicker is not None:
        parts.append("flicker {:+.1f}% [{:+.1f}, {:+.1f}]".format(*(100 * value for value in flicker)))
    if miou is not None:
        parts.append("mIoU {:+.2f} points [{:+.2f}, {:+.2f}]".format(*(100 * value for value in miou)))
    if dynamics is not None:
        parts.append("dynamics {:.2f} [{:.2f}, {:.2f}]".format(*dynamics))
    if lag is not None:
        parts.append(f"lag {lag:+.1f} frames")
    ending = f"{decision} ({why})" if why else decision
    return f"{', '.join([*parts, count])}: {ending}"


def _both(pairs: list[tuple[Mapping[str, float], Mapping[str, float]]], key: str) -> tuple[list[float], list[float]]:
    found = [(ours[key], theirs[key]) for ours, theirs in pairs if key in ours and key in theirs]
    return [a for a, _ in found], [b for _, b in found]


def _difference(ours: list[float], theirs: list[float]) -> Estimate | None:
    interval = paired_interval(ours, theirs)
    return None if interval is None else (float(np.mean(np.subtract(ours, theirs))), *interval)


def _ratio(ours: list[float], theirs: list[float]) -> Estimate | None:
    interval = mean_ratio_interval(ours, theirs)
    return None if interval is None else (float(np.mean(ours) / np.mean(theirs)), *interval)


def _relative_change(ours: list[float], theirs: list[float]) -> Estimate | None:
    ratio = _ratio(ours, theirs)
    return None if ratio is None else (ratio[0] - 1, ratio[1] - 1, ratio[2] - 1)
