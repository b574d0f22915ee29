"""One moment of the world: what each ray hits first, and where a named surface point is seen.

A surface point is named by its layer and three material coordinates that do not change with time, so that following
it to another moment is a projection and not an estimate.
"""

from dataclasses import dataclass

import numpy as np

from facestab.data.synthetic.chart import FaceChart
from facestab.data.synthetic.identity import Identity
from facestab.data.synthetic.parts import FRONT_Z, JAW_Y, PART_LAYERS, Layer, Part, jaw_stretch, person_parts
from facestab.data.synthetic.solids import Bounds, Frame, Solid
from facestab.data.synthetic.state import State

_GAPS = (Layer.SKIN, Layer.SKIN, Layer.EYE_LEFT, Layer.EYE_RIGHT, Layer.MOUTH)
_BACKGROUND_Z = -9.0
_EYES = (Layer.EYE_LEFT, Layer.EYE_RIGHT)


@dataclass(frozen=True)
class Group:
    """The hits on parts that share a frame. All arrays are flat and of one length.

    Attributes:
        index: place of each hit in the flattened array of rays.
        part: which `Part` was hit; `layer` which `Layer` is seen there.
        x: local coordinates; on the skin, y is what it would be with the jaw closed.
        rest_y: y of the skin point at rest (closed eyes and mouth); y itself in openings and off the skin.
    """

    index: np.ndarray
    part: np.ndarray
    layer: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    rest_y: np.ndarray


@dataclass(frozen=True)
class Hits:
    """What the rays of one cast hit: the skin with its openings, the rest of the head, the body, the hand."""

    shape: tuple[int, ...]
    part: np.ndarray
    skin: Group
    head: Group
    body: Group
    hand: Group

    @property
    def groups(self) -> tuple[Group, Group, Group, Group]:
        """All groups; the rays in none of them see the background."""
        return self.skin, self.head, self.body, self.hand


def pixel_rays(size: int, samples: int = 1, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Return x (1, W) and y (H, 1) of the rays through the centres of size * samples pixels, in frame heights."""
    place: np.ndarray = ((np.arange(size * samples) + 0.5) / (size * samples) - 0.5).astype(dtype)
    return place[None, :], place[:, None]


class Scene:
    """The world of one identity in one state."""

    def __init__(self, identity: Identity, state: State) -> None:
        self.identity = identity
        self.state = state
        self.chart = FaceChart(identity)
        self.openings = self.chart.openings(state)
        self.stretch = 1 + jaw_stretch(state)
        self.placement, self.skull, self._parts = person_parts(identity, self.chart, state)

    def cast(self, x: np.ndarray, y: np.ndarray) -> Hits:
        """First hits of vertical rays.

        Args:
            x: frame heights from the frame's centre; (1, W) for a grid, else (H, W) like y.
            y: (H, 1) for a grid, else (H, W).
        """
        shape = np.broadcast_shapes(x.shape, y.shape)
        depth_HW = np.full(shape, -np.inf, x.dtype)
        part_HW = np.zeros(shape, np.uint8)
        for part in self._parts:
            rows, columns = _window(part.bounds(), x, y)
            if rows.stop > rows.start and columns.stop > columns.start:
                near = (rows, columns)
                self._place(part, x[:, columns] if x.shape[0] == 1 else x, y[rows], depth_HW[near], part_HW[near])
        return self._group(np.broadcast_to(x, shape), np.broadcast_to(y, shape), depth_HW, part_HW)

    @staticmethod
    def _place(part: Solid, x: np.ndarray, y: np.ndarray, depth_HW: np.ndarray, part_HW: np.ndarray) -> None:
        z = part.depth(x, y)
        is_nearer = z > depth_HW
        if part.keep is not None:
            index = np.flatnonzero(is_nearer)
            width = z.shape[1]
            px = x[0, index % width] if x.shape[0] == 1 else x.ravel()[index]
            py = y[index // width, 0] if y.shape[1] == 1 else y.ravel()[index]
            kept = part.keep(*part.frame.to_local(px, py, z.ravel()[index]))
            is_nearer.ravel()[index] = kept
        np.copyto(depth_HW, z, where=is_nearer)
        part_HW[is_nearer] = part.part

    def _group(self, x_HW: np.ndarray, y_HW: np.ndarray, depth_HW: np.ndarray, part_HW: np.ndarray) -> Hits:
        part = part_HW.ravel()
        spans = (
            (Part.CRANIUM, Part.FACE_LOWER),
            (Part.EAR, Part.GLASSES),
            (Part.NECK, Part.TORSO),
            (Part.HAND, Part.HAND),
        )
        frames = (self.placement.head, self.placement.head, self.placement.body, self.placement.hand)
        groups = []
        for (first, last), frame in zip(spans, frames, strict=True):
            index = np.flatnonzero((part >= first) & (part <= last))
            rows, columns = np.divmod(index, part_HW.shape[1])
            place = frame.to_local(x_HW[rows, columns], y_HW[rows, columns], depth_HW.ravel()[index])
            groups.append(self._finish(index, part[index], *place))
        skin, head, body, hand = groups
        return Hits(part_HW.shape, part, skin, head, body, hand)

    def _finish(self, index: np.ndarray, part: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Group:
        layer = PART_LAYERS[part]
        rest_y = y
        if len(part) and part[0] <= Part.FACE_LOWER:
            if self.stretch != 1:
                y = np.where(part == Part.FACE_LOWER, JAW_Y + (y - JAW_Y) / self.stretch, y)
            rest_y = self._to_rest(layer, x, y, z)
        return Group(index, part, layer, x, y, z, rest_y)

    def _to_rest(self, layer: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        rest_y = y.copy()
        for opening, gap in zip(self.openings, _GAPS, strict=True):
            inside = np.flatnonzero(opening.slit.contains(x, rest_y) & (z > FRONT_Z) & (layer == Layer.SKIN))
            moved, is_open = opening.to_rest(x[inside], rest_y[inside])
            rest_y[inside] = moved
            if gap != Layer.SKIN:
                layer[inside[is_open]] = gap
        found: np.ndarray = rest_y
        return found

    def material(self, group: Group) -> np.ndarray:
        """(3, N) material coordinates of the hits of a group."""
        if not (len(group.part) and group.part[0] <= Part.FACE_LOWER):
            return np.stack([group.x, group.y, group.z])
        x, y, z = group.x.copy(), group.rest_y.copy(), group.z.copy()
        moved = np.flatnonzero((group.rest_y != group.y) & (group.layer == Layer.SKIN))
        z[moved] = self.skull.height(x[moved], y[moved])
        is_eye = np.isin(group.layer, _EYES)
        x[is_eye] -= self.state.gaze_x
        y[is_eye] -= self.state.gaze_y
        z[group.layer != Layer.SKIN] = 0
        return np.stack([x, y, z])

    def surface(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What rays see: uint8 layers (H, W) and material coordinates (H, W, 3) in the dtype of x."""
        hits = self.cast(x, y)
        layer_N = np.zeros(hits.part.shape, np.uint8)
        material_N3 = np.zeros((*hits.part.shape, 3), x.dtype)
        material_N3[:, 0] = (np.broadcast_to(x, hits.shape) - self.state.pan_x).ravel()
        material_N3[:, 1] = (np.broadcast_to(y, hits.shape) - self.state.pan_y).ravel()
        for group in hits.groups:
            layer_N[group.index] = group.layer
            material_N3[group.index] = self.material(group).T
        return layer_N.reshape(hits.shape), material_N3.reshape(*hits.shape, 3)

    def project(self, layer_HW: np.ndarray, material_HW3: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where surface points are: world x, y, z (H, W), in frame heights, whether they are hidden or not."""
        layer = layer_HW.ravel()
        x, y, z = material_HW3.reshape(-1, 3).T.copy()
        is_background = layer == Layer.BACKGROUND
        x[is_background] += self.state.pan_x
        y[is_background] += self.state.pan_y
        z[is_background] = _BACKGROUND_Z
        self._raise_skin(layer, x, y, z)
        for frame, layers in self._frames():
            inside = np.flatnonzero(np.isin(layer, layers))
            x[inside], y[inside], z[inside] = frame.to_world(x[inside], y[inside], z[inside])
        return x.reshape(layer_HW.shape), y.reshape(layer_HW.shape), z.reshape(layer_HW.shape)

    def _frames(self) -> tuple[tuple[Frame, tuple[Layer, ...]], ...]:
        head = (Layer.SKIN, *_EYES, Layer.MOUTH, Layer.EAR, Layer.NOSE, Layer.HAIR, Layer.GLASSES)
        return (
            (self.placement.head, head),
            (self.placement.body, (Layer.NECK, Layer.TORSO)),
            (self.placement.hand, (Layer.HAND,)),
        )

    def _raise_skin(self, layer: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
        """Material to head coordinates, in place, for the skin and its openings."""
        is_eye = np.isin(layer, _EYES)
        x[is_eye] += self.state.gaze_x
        y[is_eye] += self.state.gaze_y
        rest_y = y.copy()
        is_skin = (layer == Layer.SKIN) & (z > FRONT_Z)
        for opening, gap in zip(reversed(self.openings), reversed(_GAPS), strict=True):
            # The brows move the opening of the eye below them a little, too.
            is_movable = is_skin | is_eye if gap == Layer.SKIN else is_skin
            inside = np.flatnonzero(opening.slit.contains(x, y) & is_movable)
            y[inside] = opening.from_rest(x[inside], y[inside])
        is_gap = is_eye | (layer == Layer.MOUTH)
        on_front = np.flatnonzero(is_gap | (is_skin & (y != rest_y)))
        z[on_front] = self.skull.height(x[on_front], y[on_front])
        below = np.flatnonzero(((layer == Layer.SKIN) | (layer == Layer.MOUTH)) & (y > JAW_Y))
        y[below] = JAW_Y + (y[below] - JAW_Y) * self.stretch


def _window(bounds: Bounds, x: np.ndarray, y: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of a grid of rays that a rectangle covers; all of them when the rays are no grid."""
    if x.shape[0] != 1 or y.shape[1] != 1:
        return slice(0, y.shape[0]), slice(0, x.shape[1])
    columns = np.searchsorted(x[0], bounds[:2])
    rows = np.searchsorted(y[:, 0], bounds[2:])
    return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))
