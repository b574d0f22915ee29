"""The lamp of a scene."""

import numpy as np

from facestab.data.synthetic.scene import Scene

_AMBIENT = 0.42


class Light:
    """One lamp and what the room scatters, as seen from the camera and from the head."""

    def __init__(self, scene: Scene) -> None:
        azimuth, elevation = scene.state.light_azimuth, scene.state.light_elevation
        flat = np.cos(elevation)
        self.world_3 = np.array([flat * np.sin(azimuth), -np.sin(elevation), flat * np.cos(azimuth)])
        to_head_33 = scene.placement.head.matrix_33.T / scene.state.scale
        self.head_3 = to_head_33 @ self.world_3
        self.view_3 = to_head_33 @ np.array([0.0, 0.0, 1.0])
        self.gain = scene.state.light_gain

    def shade(self, nx: np.ndarray, ny: np.ndarray, nz: np.ndarray, *, of_head: bool) -> np.ndarray:
        """Irradiance (N,) of surfaces with normals of any length."""
        lx, ly, lz = (self.head_3 if of_head else self.world_3).tolist()
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        facing = (lx * nx + ly * ny + lz * nz) / np.maximum(length, 1e-6)
        wrapped = np.maximum((facing + 0.25) * 0.8, 0)
        found: np.ndarray = self.gain * (
            _AMBIENT * (0.8 - 0.2 * ny / np.maximum(length, 1e-6)) + 0.95 * wrapped * wrapped**0.2
        )
        return found

    def gloss(self, nx: np.ndarray, ny: np.ndarray, nz: np.ndarray) -> np.ndarray:
        """Reflection (N,) of the lamp on the head (Blinn's half vector, exponent 16)."""
        half_3 = self.head_3 + self.view_3
        hx, hy, hz = (half_3 / np.linalg.norm(half_3)).tolist()
        shine = np.maximum((hx * nx + hy * ny + hz * nz) / np.sqrt(nx * nx + ny * ny + nz * nz), 0)
        for _ in range(4):
            shine *= shine
        found: np.ndarray = self.gain * shine
        return found
