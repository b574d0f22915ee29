"""What is exactly known of a scene: classes, and the flow to another moment with what it hides."""

import numpy as np

from facestab.data.synthetic.chart import FaceChart
from facestab.data.synthetic.parts import Layer
from facestab.data.synthetic.scene import Scene, pixel_rays

_LAYER_CLASSES = np.array([0, 1, 4, 5, 8, 1, 6, 10, 0, 0, 0, 0], np.uint8)
_LEFT_BROW, _RIGHT_BROW, _UPPER_LIP, _LOWER_LIP = 2, 3, 7, 9

_SAME_PLACE = 1e-3
"""How far apart two names of one surface point may lie, in head heights: rounding, far below a pixel."""


def classes(chart: FaceChart, layer_HW: np.ndarray, x_HW: np.ndarray, y_HW: np.ndarray, z_HW: np.ndarray) -> np.ndarray:
    """uint8 class ids (H, W) of surface points, which follow from their names alone: a point keeps its class.

    Args:
        chart: of the identity.
        layer_HW: `Layer` ids.
        x_HW: first material coordinate, float.
        y_HW: second one.
        z_HW: third one.
    """
    labels_HW = _LAYER_CLASSES[layer_HW]
    skin = np.flatnonzero((layer_HW == Layer.SKIN) & (z_HW > 0))
    x, y = x_HW.ravel()[skin], y_HW.ravel()[skin]
    flat = labels_HW.reshape(-1)
    upper, lower = chart.lip_depths(x, y)
    flat[skin[upper > 0]] = _UPPER_LIP
    flat[skin[lower >= 0]] = _LOWER_LIP
    flat[skin[chart.brow_depth(chart.brow_left, x, y) > 0]] = _LEFT_BROW
    flat[skin[chart.brow_depth(chart.brow_right, x, y) > 0]] = _RIGHT_BROW
    found: np.ndarray = labels_HW
    return found


def label_map(scene: Scene, size: int) -> np.ndarray:
    """uint8 class ids (size, size) at the pixels' centres."""
    layer_HW, material_HW3 = scene.surface(*pixel_rays(size))
    return classes(scene.chart, layer_HW, *np.moveaxis(material_HW3, -1, 0))


def exact_flow(scene: Scene, other: Scene, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel's surface point is at another moment, later or earlier, and whether it is seen there too.

    Args:
        scene: of one identity.
        other: the same identity in another state.
        size: height and width in pixels.

    Returns:
        float32 flow (size, size, 2) in pixels, x then y; and bool (size, size), False where the point leaves the
        area between the outer pixels' centres or where something else is in front of its new place.
    """
    layer_HW, material_HW3 = scene.surface(*pixel_rays(size, dtype=np.float64))
    x_HW, y_HW, _ = other.project(layer_HW, material_HW3)
    seen_layer_HW, seen_HW3 = other.surface(x_HW, y_HW)
    start_x, start_y = pixel_rays(size, dtype=np.float64)
    flow_HW2 = np.stack([(x_HW - start_x) * size, (y_HW - start_y) * size], -1).astype(np.float32)
    inside_HW = np.maximum(np.abs(x_HW), np.abs(y_HW)) <= 0.5 * (size - 1) / size + 1e-9
    is_same_HW = (seen_layer_HW == layer_HW) & (np.abs(seen_HW3 - material_HW3).max(-1) < _SAME_PLACE)
    return flow_HW2, inside_HW & is_same_HW
