"""The definitions as plain Python loops."""

import math
from itertools import pairwise

import numpy as np
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


def pixels(*maps_THW: Tensor) -> list[list[tuple]]:
    """For each pixel its time course, one tuple of the maps' values a frame."""
    courses = [m.flatten(1).T.tolist() for m in maps_THW]
    return [list(zip(*pixel, strict=True)) for pixel in zip(*courses, strict=True)]


def aba_by_class(labels_THW: Tensor, num_classes: int) -> list[list[int]]:
    counts = [[0, 0] for _ in range(num_classes)]
    for course in pixels(labels_THW):
        for (a,), (b,), (c,) in zip(course, course[1:], course[2:], strict=False):
            if 255 not in (a, b, c) and a == c:
                counts[a][0] += b != a
                counts[a][1] += 1
    return counts


def switches_by_class(labels_THW: Tensor, num_classes: int, where_THW: Tensor) -> list[list[int]]:
    counts = [[0, 0] for _ in range(num_classes)]
    for course, wheres in zip(pixels(labels_THW), pixels(where_THW), strict=True):
        for (a,), (b,), (where,) in zip(course, course[1:], wheres, strict=False):
            if 255 not in (a, b) and where:
                counts[a][0] += b != a
                counts[a][1] += 1
    return counts


def boundary_band(labels_HW: Tensor, band_px: int) -> list[list[bool]]:
    height, width = labels_HW.shape
    ids = labels_HW.tolist()
    band = []
    for y in range(height):
        band.append([])
        for x in range(width):
            rows = range(max(0, y - band_px), min(height, y + band_px + 1))
            columns = range(max(0, x - band_px), min(width, x + band_px + 1))
            others = {ids[v][u] for v in rows for u in columns} - {ids[y][x], 255}
            band[-1].append(ids[y][x] != 255 and bool(others))
    return band


def static_windows(labels_THW: Tensor, static_THW: Tensor, num_frames: int) -> list[int]:
    kept = total = 0
    for course, statics in zip(pixels(labels_THW), pixels(static_THW), strict=True):
        for start in range(len(course) - num_frames + 1):
            ids = [label for (label,) in course[start : start + num_frames]]
            if 255 not in ids and all(static for (static,) in statics[start : start + num_frames - 1]):
                total += 1
                kept += len(set(ids)) == 1
    return [kept, total]


def correct_windows(pred_THW: Tensor, truth_THW: Tensor, num_frames: int) -> list[int]:
    right = total = 0
    for course in pixels(pred_THW, truth_THW):
        for start in range(len(course) - num_frames + 1):
            window = course[start : start + num_frames]
            truths = {truth for _, truth in window}
            if len(truths) == 1 and truths != {255}:
                total += 1
                right += all(pred == truth for pred, truth in window)
    return [right, total]


def vspw_windows(pred_THW: Tensor, truth_THW: Tensor, num_frames: int) -> list[tuple[int, int]]:
    counts = []
    for start in range(len(pred_THW) - num_frames):
        kept = total = 0
        for course in pixels(pred_THW[start : start + num_frames], truth_THW[start : start + num_frames]):
            still = all(truth == course[0][1] for _, truth in course)
            total += still
            kept += still and all(pred == course[0][0] for pred, _ in course)
        counts.append((kept, total))
    return counts


def warp_etc(labels_HW: Tensor, flow_HW2: Tensor) -> list[list[int]]:
    height, width = labels_HW.shape
    warped = []
    for y in range(height):
        warped.append([])
        for x in range(width):
            dx, dy = (np.float32(v) for v in flow_HW2[y, x].tolist())
            u, v = np.float32(x) + dx, np.float32(y) + dy
            a, b = u - np.floor(u), v - np.floor(v)
            shares = [(1 - float(a)) * (1 - float(b)), float(a) * (1 - float(b)), (1 - float(a)) * float(b), a * b]
            total = np.float32(0)
            for i, share in enumerate(shares):
                column = min(max(math.floor(u) + i % 2, 0), width - 1)
                row = min(max(math.floor(v) + i // 2, 0), height - 1)
                total += np.float32(float(share) * int(labels_HW[row, column]))
            warped[-1].append(int(total))
    return warped


def warp_vspw(labels_HW: Tensor, flow_HW2: Tensor) -> list[list[int]]:
    height, width = labels_HW.shape
    warped = []
    for y in range(height):
        warped.append([])
        for x in range(width):
            dx, dy = flow_HW2[y, x].tolist()
            # what a grid of one convention means in the other
            column = round((x + dx) * width / (width - 1) - 0.5)
            row = round((y + dy) * height / (height - 1) - 0.5)
            inside = 0 <= column < width and 0 <= row < height
            warped[-1].append(int(labels_HW[row, column]) if inside else 0)
    return warped


def dtssd(probs_TKHW: Tensor, target_THW: Tensor, class_id: int) -> float:
    errors = [0.0]
    probs_THW = probs_TKHW[:, class_id]
    for t in range(1, len(probs_THW)):
        squares = []
        for course in pixels(probs_THW[t - 1 : t + 1], target_THW[t - 1 : t + 1]):
            (p, a), (q, b) = course
            if 255 not in (a, b):
                squares.append(((q - p) - ((b == class_id) - (a == class_id))) ** 2)
        errors.append(100 * math.sqrt(sum(squares) / len(squares)))
    return sum(errors) / len(errors)


def probability_variation(probs_TKHW: Tensor, flow_THW2: Tensor, visible_THW: Tensor) -> tuple[float, list[float]]:
    """The mean over all pixels, and the mean of each class."""
    num_classes = probs_TKHW.shape[1]
    totals, own = [], [[] for _ in range(num_classes)]
    for t, y, x in visible_THW.nonzero().tolist():
        dx, dy = flow_THW2[t, y, x].tolist()
        later = [sample_bilinear(probs_TKHW[t + 1, k], x + dx, y + dy) for k in range(num_classes)]
        if None in later:
            continue
        now = probs_TKHW[t, :, y, x].tolist()
        totals.append(sum(abs(p - q) for p, q in zip(now, later, strict=True)) / 2)
        best = now.index(max(now))
        own[best].append(abs(now[best] - later[best]))
    return sum(totals) / len(totals), [sum(values) / len(values) for values in own]
