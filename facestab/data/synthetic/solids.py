"""What a vertical ray can hit: ellipsoids and flat plates, each given in the coordinates of a frame that moves.

The camera is orthographic: x to image-right, y down, z toward the camera, in frame heights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Bounds = tuple[float, float, float, float]
"""x low, x high, y low, y high."""

Keep = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Local x, y, z of hits -> True where the solid is really there."""


class Frame:
    """A rigid placement with scale: world = matrix @ local + offset.

    Args:
        rotation_33: orthonormal.
        scale: size of a local unit in frame heights.
        offset_3: world place of the local origin.
    """

    def __init__(self, rotation_33: np.ndarray, scale: float, offset_3: np.ndarray) -> None:
        self.matrix_33 = np.asarray(rotation_33, np.float64) * scale
        self.inverse_33 = np.asarray(rotation_33, np.float64).T / scale
        self.offset_3 = np.asarray(offset_3, np.float64)

    def to_local(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """World to local coordinates. The dtype is that of the input."""
        shift = (-self.inverse_33 @ self.offset_3).tolist()
        local = [a * x + b * y + c * z + d for (a, b, c), d in zip(self.inverse_33.tolist(), shift, strict=True)]
        return local[0], local[1], local[2]

    def to_world(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Local to world coordinates. The dtype is that of the input."""
        shift = self.offset_3.tolist()
        world = [a * x + b * y + c * z + d for (a, b, c), d in zip(self.matrix_33.tolist(), shift, strict=True)]
        return world[0], world[1], world[2]


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """float64 (3, 3): pitch first, then yaw, then roll; signs as in `State`."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    found: np.ndarray = about_z @ about_y @ about_x
    return found


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid in local coordinates, or its far side seen from within.

    Attributes:
        part: number of the part, above 0.
        frame: where it stands.
        centre: local.
        axes: half lengths.
        tilt: rotation about the local x axis, in radians.
        is_far_side: hit where the ray leaves instead of where it enters.
        keep: None when nothing is cut away.
    """

    part: int
    frame: Frame
    centre: tuple[float, float, float]
    axes: tuple[float, float, float]
    tilt: float = 0.0
    is_far_side: bool = False
    keep: Keep | None = None

    def to_sphere_33(self) -> np.ndarray:
        """float64 (3, 3): local offset from the centre to the unit sphere."""
        found: np.ndarray = np.diag(1 / np.array(self.axes)) @ rotation(0.0, self.tilt, 0.0)
        return found

    def _gram_33(self) -> np.ndarray:
        sphere_33 = self.to_sphere_33() @ self.frame.inverse_33
        found: np.ndarray = sphere_33.T @ sphere_33
        return found

    def _world_centre(self) -> np.ndarray:
        found: np.ndarray = self.frame.matrix_33 @ np.array(self.centre) + self.frame.offset_3
        return found

    def bounds(self) -> Bounds:
        """The rectangle that its image fills."""
        half = np.sqrt(np.diag(np.linalg.inv(self._gram_33())))
        x, y, _ = self._world_centre()
        return float(x - half[0]), float(x + half[0]), float(y - half[1]), float(y + half[1])

    def depth(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """World z of the hit of the rays (x, y), which broadcast; -inf where they miss."""
        (gxx, gxy, gxz), (_, gyy, gyz), (_, _, gzz) = self._gram_33().tolist()
        cx, cy, cz = self._world_centre().tolist()
        dx, dy = x - cx, y - cy
        square = (gxz * gxz - gzz * gxx) * dx * dx + ((gyz * gyz - gzz * gyy) * dy * dy + gzz)
        square = square + (2 * (gxz * gyz - gzz * gxy) * dx) * dy
        missed = square <= 0
        z = np.sqrt(np.maximum(square, 0))
        z *= (-1 if self.is_far_side else 1) / gzz
        z -= gxz / gzz * dx
        z -= gyz / gzz * dy - cz
        z[missed] = -np.inf
        found: np.ndarray = z
        return found

    def near_z(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Local z of the near side over local (x, y) of an untilted ellipsoid; the centre's z beside it."""
        square = 1 - ((x - self.centre[0]) / self.axes[0]) ** 2 - ((y - self.centre[1]) / self.axes[1]) ** 2
        return self.centre[2] + self.axes[2] * np.sqrt(np.maximum(square, 0))


@dataclass(frozen=True)
class Plate:
    """A flat cut-out in a local plane of constant z.

    Attributes:
        part: number of the part, above 0.
        frame: where it stands.
        z: of the plane.
        extent: local x low, x high, y low, y high that hold all of it.
        keep: its outline.
    """

    part: int
    frame: Frame
    z: float
    extent: Bounds
    keep: Keep

    def bounds(self) -> Bounds:
        """The rectangle that its image fills."""
        corners = [(x, y, self.z) for x in self.extent[:2] for y in self.extent[2:]]
        world = np.array(corners) @ self.frame.matrix_33.T + self.frame.offset_3
        (x_low, y_low), (x_high, y_high) = world[:, :2].min(0).tolist(), world[:, :2].max(0).tolist()
        return x_low, x_high, y_low, y_high

    def depth(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """World z of the plane over the rays (x, y), which broadcast; `keep` decides what is there."""
        a, b, c = self.frame.inverse_33[2].tolist()
        shift = self.z + float(self.frame.inverse_33[2] @ self.frame.offset_3)
        found: np.ndarray = (shift - a * x - b * y) / c
        return found


Solid = Ellipsoid | Plate
