"""How strongly the world moves, and how badly a camera sees it."""

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Conditions:
    """Strengths of everything that moves or damages a picture; 0 switches each one off.

    Attributes:
        noise: standard deviation of the sensor noise in mid-grey, where white is 1; the dark has up to twice as much.
        gain_flicker: standard deviation of the log brightness that is drawn for each frame.
        colour_flicker: the same for each colour channel on its own.
        colour_cast: standard deviation of the log gain of each channel that is drawn for each clip.
        dimming: share of the light that a clip may lack at most.
        blur: largest standard deviation of the lens blur, in thousandths of the frame height.
        motion_blur: share of the frame time during which the shutter is open.
        jpeg_quality: lowest and highest quality of the codec, 1 to 100; None for no codec.
        light_drift: standard deviation of the lamp's wander, in radians, and of its log strength.
        motion: head, expression and background relative to a real talking head; 0 freezes them.
        hand: probability that a hand passes by in a clip.
    """

    noise: float = 0.0
    gain_flicker: float = 0.0
    colour_flicker: float = 0.0
    colour_cast: float = 0.0
    dimming: float = 0.0
    blur: float = 0.0
    motion_blur: float = 0.0
    jpeg_quality: tuple[int, int] | None = None
    light_drift: float = 0.0
    motion: float = 1.0
    hand: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "jpeg_quality" and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{field.name}: a strength of 0 or more is needed, got {value}")
        for name in ("dimming", "motion_blur", "hand"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name}: a share from 0 to 1 is needed, got {getattr(self, name)}")
        if self.jpeg_quality is not None:
            object.__setattr__(self, "jpeg_quality", _checked_range(self.jpeg_quality))

    @classmethod
    def clean(cls) -> "Conditions":
        """A good still camera: what labelled images are taken with."""
        return cls(noise=0.006, colour_cast=0.03, blur=1.0, hand=0.1)

    @classmethod
    def video(cls) -> "Conditions":
        """A cheap webcam in a dim room: what flickers when a network learnt from clean stills."""
        return cls(
            noise=0.04,
            gain_flicker=0.04,
            colour_flicker=0.015,
            colour_cast=0.08,
            dimming=0.45,
            blur=7.0,
            motion_blur=0.5,
            jpeg_quality=(22, 55),
            light_drift=0.25,
            hand=0.3,
        )


def _checked_range(quality: tuple[int, int]) -> tuple[int, int]:
    low, high = (int(v) for v in quality)
    if not 1 <= low <= high <= 100:
        raise ValueError(f"jpeg_quality: low and high from 1 to 100 are needed, got {tuple(quality)}")
    return low, high
