"""Contours and what is made of them, as plain Python loops over pixels."""

import math

from torch import Tensor

Pixel = tuple[int, int]


def holds(labels_HW: Tensor, class_id: int) -> list[list[bool]]:
    return [[value == class_id for value in row] for row in labels_HW.tolist()]


def block(y: int, x: int, labels_HW: Tensor) -> list[Pixel]:
    height, width = labels_HW.shape
    return [(v, u) for v in (y, y + 1) for u in (x, x + 1) if v < height and u < width]


def contour(labels_HW: Tensor, class_id: int) -> set[Pixel]:
    mask = holds(labels_HW, class_id)
    height, width = labels_HW.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]
    return {(y, x) for y, x in pixels if any(mask[v][u] != mask[y][x] for v, u in block(y, x, labels_HW))}


def at_ignored(target_HW: Tensor) -> set[Pixel]:
    height, width = target_HW.shape
    return {
        (y, x)
        for y0, x0 in (target_HW == 255).nonzero().tolist()
        for y in range(max(0, y0 - 1), min(height, y0 + 2))
        for x in range(max(0, x0 - 1), min(width, x0 + 2))
    }


def distance(pixel: Pixel, others: set[Pixel]) -> float:
    return min(math.dist(pixel, other) for other in others) if others else math.inf


def matches(pred_HW: Tensor, target_HW: Tensor, class_id: int, tolerance_px: int) -> list[list[int]]:
    sides = contour(pred_HW, class_id), contour(target_HW, class_id)
    table = []
    for own, other in (sides, sides[::-1]):
        counted = own - at_ignored(target_HW)
        table.append([sum(distance(p, other) <= tolerance_px for p in counted), len(counted)])
    return table


def band(labels_HW: Tensor, class_id: int, width_px: int, ignored: set[Pixel]) -> set[Pixel]:
    mask, (height, width) = holds(labels_HW, class_id), labels_HW.shape
    steps = range(-width_px, width_px + 1)

    def is_inside(y: int, x: int) -> bool:
        square = [(y + v, x + u) for v in steps for u in steps]
        return all(0 <= v < height and 0 <= u < width and (mask[v][u] or (v, u) in ignored) for v, u in square)

    return {(y, x) for y in range(height) for x in range(width) if mask[y][x] and not is_inside(y, x)}


def overlap(pred_HW: Tensor, target_HW: Tensor, class_id: int, width_px: int) -> list[int]:
    ignored = {(y, x) for y, x in (target_HW == 255).nonzero().tolist()}
    a, b = (band(side, class_id, width_px, ignored) - at_ignored(target_HW) for side in (pred_HW, target_HW))
    return [len(a & b), len(a | b)]


def distances(first_HW: Tensor, second_HW: Tensor, comparable_HW: Tensor, class_id: int) -> list[float]:
    """All distances both ways."""
    sides = contour(first_HW, class_id), contour(second_HW, class_id)
    if not all(sides):
        return []
    return [
        distance((y, x), other)
        for own, other in (sides, sides[::-1])
        for y, x in own
        if all(comparable_HW[pixel] for pixel in block(y, x, first_HW))
    ]
