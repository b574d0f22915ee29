"""The definitions as plain Python loops."""

import math
from itertools import pairwise

from torch import Tensor


def aba(labels_THW: Tensor) -> tuple[int, int]:
    frames = labels_THW.tolist()
    events = valid = 0
    for before, now, after in zip(frames, frames[1:], frames[2:], strict=False):
        for row in zip(before, now, after, strict=True):
            for a, b, c in zip(*row, strict=True):
                if 255 not in (a, b, c):
                    valid += 1
                    events += a == c != b
    return events, valid


def switches(labels_THW: Tensor) -> tuple[int, int]:
    frames = labels_THW.tolist()
    events = valid = 0
    for before, now in pairwise(frames):
        for row in zip(before, now, strict=True):
            for a, b in zip(*row, strict=True):
                if 255 not in (a, b):
                    valid += 1
                    events += a != b
    return events, valid


def confusion(pred: Tensor, target: Tensor, num_classes: int) -> list[list[int]]:
    table = [[0] * num_classes for _ in range(num_classes)]
    for p, t in zip(pred.flatten().tolist(), target.flatten().tolist(), strict=True):
        if 255 not in (p, t):
            table[t][p] += 1
    return table


def iou(pred: Tensor, target: Tensor, class_id: int) -> float:
    pairs = [
        (p, t) for p, t in zip(pred.flatten().tolist(), target.flatten().tolist(), strict=True) if 255 not in (p, t)
    ]
    both = sum(p == class_id == t for p, t in pairs)
    either = sum(class_id in (p, t) for p, t in pairs)
    return both / either if either else math.nan


def f1(pred: Tensor, target: Tensor, class_id: int) -> float:
    pairs = [
        (p, t) for p, t in zip(pred.flatten().tolist(), target.flatten().tolist(), strict=True) if 255 not in (p, t)
    ]
    hits = sum(p == class_id == t for p, t in pairs)
    found, wanted = sum(p == class_id for p, _ in pairs), sum(t == class_id for _, t in pairs)
    if not hits:
        return 0.0 if found or wanted else math.nan
    precision, recall = hits / found, hits / wanted
    return 2 * precision * recall / (precision + recall)


def warp_nearest(labels_HW: Tensor, flow_HW2: Tensor) -> tuple[list[list[int]], list[list[bool]]]:
    height, width = labels_HW.shape
    warped, inside = [], []
    for y in range(height):
        targets = [
            (math.floor(x + dx + 0.5), math.floor(y + dy + 0.5)) for x, (dx, dy) in enumerate(flow_HW2[y].tolist())
        ]
        inside.append([0 <= u < width and 0 <= v < height for u, v in targets])
        warped.append([int(labels_HW[v, u]) if ok else 255 for (u, v), ok in zip(targets, inside[-1], strict=True)])
    return warped, inside


def sample_bilinear(map_HW: Tensor, x: float, y: float) -> float | None:
    height, width = map_HW.shape
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
        return None
    total = 0.0
    for v in range(height):
        for u in range(width):
            total += max(0.0, 1 - abs(x - u)) * max(0.0, 1 - abs(y - v)) * float(map_HW[v, u])
    return total


def visible(forward_HW2: Tensor, backward_HW2: Tensor) -> list[list[bool]]:
    height, width = forward_HW2.shape[:2]
    mask = []
    for y in range(height):
        mask.append([])
        for x in range(width):
            w = forward_HW2[y, x].tolist()
            v = [sample_bilinear(backward_HW2[..., axis], x + w[0], y + w[1]) for axis in (0, 1)]
            if v[0] is None or v[1] is None:
                mask[-1].append(False)
                continue
            squares = sum(a * a for a in w) + sum(b * b for b in v)
            mask[-1].append(sum((a + b) ** 2 for a, b in zip(w, v, strict=True)) <= 0.01 * squares + 0.5)
    return mask


def cross_entropy(logits_BKHW: Tensor, labels_BHW: Tensor) -> float:
    losses = []
    for b, y, x in (labels_BHW != 255).nonzero().tolist():
        scores = logits_BKHW[b, :, y, x].tolist()
        losses.append(math.log(sum(math.exp(s) for s in scores)) - scores[int(labels_BHW[b, y, x])])
    return sum(losses) / len(losses)
