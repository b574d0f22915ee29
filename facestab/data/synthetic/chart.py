"""The front chart of a face: where its parts lie, and how lids, lips and brows move over it.

The chart is the plane (x, y) of head coordinates seen from the front. In its rest state the eyes and the mouth are
closed slits, and a point of the skin is named by its place (x, y0) at rest. Expression moves points up and down only,
by maps that are piecewise linear in y for each x, so that both directions have a closed form.
"""

from dataclasses import dataclass

import numpy as np

from facestab.data.synthetic.identity import Identity
from facestab.data.synthetic.state import State


@dataclass(frozen=True)
class Slit:
    """A line in the chart that can open. Lengths in head heights, y down.

    Attributes:
        half_width: reach of the opening on either side of `centre_x`.
        reach: half the width of the strip in which skin moves at all.
        tilt: slope of the line; `bend` is its sag at `half_width`.
        top_y: above it no skin moves; `bottom_y` likewise below, and `bottom_bend` lifts that limit with x * x.
        hold_up: width at the centre of the band above the line that moves rigidly (lip, brow), narrower toward the
            ends; `hold_down` likewise below.
    """

    centre_x: float
    line_y: float
    half_width: float
    reach: float
    tilt: float
    bend: float
    top_y: float
    bottom_y: float
    hold_up: float
    hold_down: float
    bottom_bend: float = 0.0

    def bottom(self, x: np.ndarray) -> np.ndarray:
        """Height y below which no skin moves at x."""
        found: np.ndarray = self.bottom_y - self.bottom_bend * (x * x)
        return found

    def line(self, x: np.ndarray) -> np.ndarray:
        """Height y of the closed line at x."""
        offset = x - self.centre_x
        return self.line_y + offset * (self.tilt + offset * (self.bend / self.half_width**2))

    def taper(self, x: np.ndarray) -> np.ndarray:
        """1 at the centre, falling to 0 at `half_width` and beyond."""
        return np.maximum(1 - ((x - self.centre_x) / self.half_width) ** 2, 0)

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """True where skin can be moved by this slit."""
        return (np.abs(x - self.centre_x) < self.reach) & (y > self.top_y) & (y < self.bottom(x))


@dataclass(frozen=True)
class Opening:
    """How a slit stands at one time: upper edge up by `rise`, lower edge down by `drop`, corners up by `corner`."""

    slit: Slit
    rise: float
    drop: float
    corner: float = 0.0

    def moves(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far the upper edge lies above the line at x, and the lower edge below it."""
        offset2 = (x - self.slit.centre_x) ** 2
        gap = self.slit.taper(x)
        up, down = self.rise * gap, self.drop * gap
        if self.corner:
            lift = offset2 * np.maximum(1 - offset2 / self.slit.reach**2, 0) * (self.corner / self.slit.half_width**2)
            up, down = up + lift, down - lift
        return up, down

    def to_rest(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rest height y0 of the skin seen at (x, y), and True where the opening is seen instead (y0 is then y)."""
        line, taper = self.slit.line(x), self.slit.taper(x)
        up, down = self.moves(x)
        offset = y - line
        above = line - _shrink(-offset, up, self.slit.hold_up * taper, line - self.slit.top_y)
        below = line + _shrink(offset, down, self.slit.hold_down * taper, self.slit.bottom(x) - line)
        is_above = offset < -up
        is_open = ~is_above & (offset < down)
        return np.where(is_above, above, np.where(is_open, y, below)), is_open

    def from_rest(self, x: np.ndarray, y0: np.ndarray) -> np.ndarray:
        """Height y at which the skin point of rest height y0 is seen."""
        line, taper = self.slit.line(x), self.slit.taper(x)
        up, down = self.moves(x)
        offset = y0 - line
        above = line - _stretch(-offset, up, self.slit.hold_up * taper, line - self.slit.top_y)
        below = line + _stretch(offset, down, self.slit.hold_down * taper, self.slit.bottom(x) - line)
        found: np.ndarray = np.where(offset < 0, above, below)
        return found


def _stretch(distance: np.ndarray, move: np.ndarray, hold: np.ndarray, span: np.ndarray) -> np.ndarray:
    squeezed = span - (span - distance) * (span - hold - move) / (span - hold)
    found: np.ndarray = np.where(distance < hold, distance + move, squeezed)
    return found


def _shrink(distance: np.ndarray, move: np.ndarray, hold: np.ndarray, span: np.ndarray) -> np.ndarray:
    relaxed = span - (span - distance) * (span - hold) / (span - hold - move)
    found: np.ndarray = np.where(distance < hold + move, distance - move, relaxed)
    return found


class FaceChart:
    """The slits of one identity: brows (which move without opening), eyes and mouth."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.brow_left, self.brow_right = (_brow(identity, side) for side in (-1, 1))
        self.eye_left, self.eye_right = (_eye(identity, side) for side in (-1, 1))
        self.mouth = Slit(
            centre_x=0.0,
            line_y=identity.mouth_y,
            half_width=identity.mouth_half_width,
            reach=1.3 * identity.mouth_half_width,
            tilt=0.0,
            bend=identity.mouth_bend,
            top_y=0.12,
            bottom_y=identity.chin_y - 0.015,
            hold_up=identity.upper_lip,
            hold_down=identity.lower_lip,
            # The chin is round: what moves must stay on it.
            bottom_bend=2.9,
        )
        lowest_line = identity.mouth_y + 1.7 * max(identity.mouth_bend, 0.0)
        # The chin below the lip is squeezed by the drop, and must not vanish.
        self._max_drop = min(0.075, 0.7 * (self.mouth.bottom_y - lowest_line - identity.lower_lip))

    def openings(self, state: State) -> tuple[Opening, Opening, Opening, Opening, Opening]:
        """Left brow, right brow, left eye, right eye, mouth, as they stand in a state."""
        rise, drop = self.identity.eye_rise, self.identity.eye_drop
        return (
            Opening(self.brow_left, state.brow_left, -state.brow_left),
            Opening(self.brow_right, state.brow_right, -state.brow_right),
            Opening(self.eye_left, rise * state.eye_left, drop * state.eye_left),
            Opening(self.eye_right, rise * state.eye_right, drop * state.eye_right),
            Opening(self.mouth, 0.014 * state.mouth, self._max_drop * state.mouth, state.smile),
        )

    def brow_depth(self, slit: Slit, x: np.ndarray, y0: np.ndarray) -> np.ndarray:
        """How deep (x, y0) lies inside a brow, in head heights; negative outside."""
        side = 1.0 if slit.centre_x > 0 else -1.0
        along = (x - slit.centre_x) * (side / self.identity.brow_half_length)
        taper = np.clip(1.15 - 0.45 * along, 0, 1) * np.sqrt(np.maximum(1 - along**4, 0))
        found: np.ndarray = self.identity.brow_thickness * taper - np.abs(y0 - slit.line(x))
        return found

    def lip_depths(self, x: np.ndarray, y0: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How deep (x, y0) lies inside the upper and the lower lip, in head heights; negative outside."""
        u2 = np.minimum((x / self.mouth.half_width) ** 2, 1)
        offset = y0 - self.mouth.line(x)
        full = (1 - u2) ** 0.8
        upper = self.identity.upper_lip * full * (1 - 0.24 * np.exp(-u2 / 0.03))
        lower = self.identity.lower_lip * full
        beyond = np.maximum(np.abs(x) - self.mouth.half_width, 0)
        return np.minimum(upper + offset, -offset) - beyond, np.minimum(lower - offset, offset) - beyond


def _brow(identity: Identity, side: int) -> Slit:
    return Slit(
        centre_x=side * (identity.eye_x + 0.008),
        line_y=identity.brow_y,
        half_width=0.15,
        reach=0.15,
        tilt=-side * 0.03,
        bend=identity.brow_arch,
        top_y=-0.40,
        bottom_y=-0.02,
        hold_up=0.03,
        hold_down=0.02,
    )


def _eye(identity: Identity, side: int) -> Slit:
    return Slit(
        centre_x=side * identity.eye_x,
        line_y=identity.eye_y,
        half_width=identity.eye_half_width,
        reach=identity.eye_half_width,
        tilt=-side * identity.eye_tilt,
        bend=0.0,
        top_y=-0.085,
        bottom_y=0.11,
        hold_up=0.006,
        hold_down=0.004,
    )
