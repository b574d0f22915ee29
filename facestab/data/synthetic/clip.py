"""A video of one identity, with everything that is known of it."""

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from facestab.data.synthetic.annotation import exact_flow, label_map
from facestab.data.synthetic.backdrop import Backdrop
from facestab.data.synthetic.camera import CameraState, damage
from facestab.data.synthetic.conditions import Conditions
from facestab.data.synthetic.identity import Identity
from facestab.data.synthetic.motion import Motion
from facestab.data.synthetic.scene import Scene, pixel_rays
from facestab.data.synthetic.seeds import generator
from facestab.data.synthetic.shading import render
from facestab.data.synthetic.state import State

MIN_SIZE = 16


class Surface(NamedTuple):
    """Which surface point each pixel's centre sees.

    Attributes:
        layer_HW: int64 `Layer` ids.
        material_HW3: float32 coordinates on the layer that do not change with time.
    """

    layer_HW: np.ndarray
    material_HW3: np.ndarray


class Clip:
    """A video of one identity. Frames can be asked for in any order and in any process, and come out the same.

    Args:
        identity_seed: the person; see `identity_seed`.
        clip_seed: everything else.
        num_frames: at least 1.
        size: height and width in pixels, at least 16.
        fps: frames per second.
        conditions: how the world moves and what the camera does to it.

    Raises:
        ValueError: for settings that make no video. IndexError comes later, for a frame that the clip has not.
    """

    def __init__(
        self,
        identity_seed: int,
        clip_seed: int,
        *,
        num_frames: int,
        size: int,
        fps: Fraction = Fraction(25),
        conditions: Conditions,
    ) -> None:
        if num_frames < 1:
            raise ValueError(f"num_frames: at least 1 is needed, got {num_frames}")
        if size < MIN_SIZE:
            raise ValueError(f"size: at least {MIN_SIZE} pixels are needed, got {size}")
        if fps <= 0:
            raise ValueError(f"fps: more than 0 is needed, got {fps}")
        self.identity = Identity.sample(identity_seed)
        self.num_frames = num_frames
        self.size = size
        self.fps = Fraction(fps)
        self.conditions = conditions
        self._keys = (identity_seed, clip_seed)
        self._motion = Motion(self._keys, num_frames, self.fps, conditions)
        self._backdrop = _backdrop(*self._keys)

    def __len__(self) -> int:
        return self.num_frames

    def state(self, t: int) -> State:
        """Pose, expression and light at frame t."""
        if not 0 <= t < self.num_frames:
            raise IndexError(f"t: the clip has frames 0 to {self.num_frames - 1}, got {t}")
        return self._motion[t]

    def scene(self, t: int) -> Scene:
        """The geometry at frame t."""
        return Scene(self.identity, self.state(t))

    def frame(self, t: int) -> np.ndarray:
        """uint8 RGB (size, size, 3), as the camera delivers it."""
        clean_HW3 = render(self.scene(t), self._backdrop, self.size)
        return damage(clean_HW3, self.conditions, self._camera(t), clip_keys=self._keys, t=t)

    def clean_frame(self, t: int) -> np.ndarray:
        """uint8 RGB (size, size, 3), as a perfect camera would deliver it."""
        return (render(self.scene(t), self._backdrop, self.size) * 255 + 0.5).astype(np.uint8)

    def labels(self, t: int) -> np.ndarray:
        """uint8 class ids (size, size) at the pixels' centres; see the label set face11."""
        return label_map(self.scene(t), self.size)

    def surface(self, t: int) -> Surface:
        """The names of the surface points that the pixels' centres see."""
        layer_HW, material_HW3 = self.scene(t).surface(*pixel_rays(self.size))
        return Surface(layer_HW.astype(np.int64), material_HW3)

    def flow(self, t: int, gap: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Exact motion between two frames of the clip.

        Args:
            t: number of the frame whose pixels are followed.
            gap: frames from t to the other one; negative goes back in time.

        Returns:
            float32 flow (size, size, 2) in pixels, x then y, from t to t + gap; and bool (size, size), where the
            surface point is seen in both frames.
        """
        return exact_flow(self.scene(t), self.scene(t + gap), self.size)

    def _camera(self, t: int) -> CameraState:
        now, near = self.state(t), self.state(t + 1 if t + 1 < self.num_frames else max(t - 1, 0))
        shutter = self.conditions.motion_blur * self.size
        # The face's front moves by its place and by the turn of the head.
        shift_x = near.x - now.x + 0.35 * now.scale * (near.yaw - now.yaw)
        shift_y = near.y - now.y + 0.35 * now.scale * (near.pitch - now.pitch)
        focus = generator("focus", *self._keys)
        base, depth, hertz, phase = focus.uniform((0.15, 0.0, 0.1, 0.0), (0.75, 0.25, 0.6, 6.28))
        wave = base + depth * np.sin(2 * np.pi * hertz * t / float(self.fps) + phase)
        blur_px = self.conditions.blur / 1000 * self.size * float(np.clip(wave, 0, 1))
        return CameraState(blur_px, (shutter * shift_x, shutter * shift_y))


@lru_cache(maxsize=8)
def _backdrop(*keys: int) -> Backdrop:
    return Backdrop(*keys)
