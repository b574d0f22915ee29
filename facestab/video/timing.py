"""When the frames of a video are shown, and what is heard with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

# a file that rounds its times to thousandths of a second is not of variable rate
_ROUNDING = Fraction(1, 4)


@dataclass(frozen=True)
class Timing:
    """What a video that is made of another takes over from it.

    Attributes:
        fps: frames per second, the mean where the rate varies.
        times: seconds from the first frame on, of every frame; empty where they follow from the rate.
        audio: the file whose sound belongs to the frames, None when there is none.
    """

    fps: Fraction
    times: Sequence[Fraction] = ()
    audio: Path | None = None


def irregular_times(pts: list[int], time_base: Fraction, fps: Fraction) -> tuple[Fraction, ...]:
    """Seconds from the first frame on; empty when they are those of a constant rate.

    Args:
        pts: presentation times in order.
        time_base: seconds of their unit.
        fps: the rate.
    """
    # one after the other: as fractions the times of an hour of video are ten megabytes
    is_regular = all(abs((p - pts[0]) * time_base * fps - number) <= _ROUNDING for number, p in enumerate(pts))
    return () if is_regular else tuple((p - pts[0]) * time_base for p in pts)
