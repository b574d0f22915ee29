"""The way of a crop through a video: as still as the face lets it be."""

import math
from collections import deque

import numpy as np
from scipy.ndimage import median_filter
from scipy.optimize import linprog
from scipy.sparse import block_array, csr_array, diags_array, eye_array

# frames that are solved for at once; the next ones go on from where these end
_CHUNK = 600
# weights of velocity, acceleration and jerk
_SMOOTHNESS = {1: 1.0, 2: 10.0, 3: 100.0}
# weight of the distance from what was measured: too little to move for, and enough to rest in the middle
_CLOSENESS = 0.01


def still_path(path_T: np.ndarray, tolerance: float, window: int) -> np.ndarray:
    """The path that moves least, and most evenly, among those that stay near a measured one.

    It minimises the sum of |velocity|, |acceleration| and |jerk|, and a little of the distance from the running median
    of what was measured, under the condition that this distance is nowhere above a tolerance: the L1-optimal camera
    path of Grundmann et al. (CVPR 2011). It looks ahead as far as back, so that it has no lag, and as long as the
    measured path stays within the tolerance of a place, it hardly moves at all.

    Args:
        path_T: what was measured, one number a frame.
        tolerance: in its unit, 0 or more.
        window: frames of the running median.

    Returns:
        float64 (T,).
    """
    path_T = median_filter(np.asarray(path_T, np.float64), window, mode="reflect")
    found: np.ndarray = np.zeros(0)
    for start in range(0, len(path_T), _CHUNK):
        # the last three places before fix place, velocity and acceleration
        found = np.concatenate([found, _solve(path_T[start : start + _CHUNK], tolerance, found[-3:])])
    return found


def _solve(path_T: np.ndarray, tolerance: float, before: np.ndarray) -> np.ndarray:
    """The path as a linear programme, its first places given."""
    given, number = len(before), len(before) + len(path_T)
    wanted = np.concatenate([before, path_T])
    orders = [order for order in _SMOOTHNESS if number > order]
    # each |difference| becomes a variable u with -u <= difference <= u, and so does each distance
    stacked = block_array([[eye_array(number)], *([_difference(number, order)] for order in orders)])
    slack = eye_array(stacked.shape[0])
    conditions = csr_array(block_array([[stacked, -slack], [-stacked, -slack]]))
    offsets = np.concatenate([wanted, np.zeros(stacked.shape[0] - number)])
    weights = [np.full(number, _CLOSENESS), *(np.full(number - order, _SMOOTHNESS[order]) for order in orders)]
    cost = np.concatenate([np.zeros(number), *weights])
    low, high = np.zeros(len(cost)), np.full(len(cost), np.inf)
    low[:number], high[:number] = wanted - tolerance, wanted + tolerance
    low[:given] = high[:given] = before
    # the measured path itself is allowed, so that there is always a solution
    solved = linprog(
        cost,
        A_ub=conditions,
        b_ub=np.concatenate([offsets, -offsets]),
        bounds=np.stack([low, high], -1),
        method="highs",
    )
    return np.asarray(solved.x[given:number], np.float64)


def _difference(number: int, order: int) -> csr_array:
    """(number - order, number): the differences of an order of a sequence."""
    signs = [(-1) ** (order - k) * math.comb(order, k) for k in range(order + 1)]
    shape = (number - order, number)
    return csr_array(diags_array(signs, offsets=range(order + 1), shape=shape, dtype=np.float64))


class OneEuro:
    """A filter for what cannot wait: still where the value is, quick where it moves.

    Casiez et al., "1 Euro Filter" (CHI 2012): an exponential mean whose cut-off frequency grows with the speed. What
    goes in is the median of the last values, and counts as unmoved within a tolerance of where it last moved to.

    Args:
        fps: values a second.
        tolerance: in the unit of the values, 0 or more.
        window: values of the median.
        min_cutoff: Hz, at rest.
        beta: by how much the cut-off grows with the speed, Hz for each unit a second.
        derivative_cutoff: Hz, of the speed's own mean.
    """

    def __init__(
        self,
        fps: float,
        tolerance: float = 0.0,
        window: int = 1,
        min_cutoff: float = 0.1,
        beta: float = 1.0,
        derivative_cutoff: float = 1.0,
    ) -> None:
        self.fps = fps
        self.tolerance = tolerance
        self.min_cutoff = min_cutoff
        self.beta = beta
        self.derivative_cutoff = derivative_cutoff
        self._last: deque[float] = deque(maxlen=window)
        self._held = self._value = self._speed = 0.0

    def __call__(self, value: float) -> float:
        """The filtered value."""
        if not self._last:
            self._held = self._value = value
        self._last.append(value)
        middle = float(np.median(self._last))
        self._held = min(max(self._held, middle - self.tolerance), middle + self.tolerance)
        speed = (self._held - self._value) * self.fps
        self._speed += self._weight(self.derivative_cutoff) * (speed - self._speed)
        self._value += self._weight(self.min_cutoff + self.beta * abs(self._speed)) * (self._held - self._value)
        return self._value

    def _weight(self, cutoff: float) -> float:
        step = 2 * math.pi * cutoff / self.fps
        return step / (1 + step)
