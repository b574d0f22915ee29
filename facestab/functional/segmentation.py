"""Label maps as numbers of pixels, and the scores of one against another: K classes.

A confusion matrix has the target's classes in rows and the prediction's in columns. The scores take it with K columns,
or with one more for the pixels that the prediction left open.
"""

import torch
from torch import Tensor

from facestab.functional.histogram import id_counts
from facestab.labels import IGNORE_ID

_NUM_IDS = IGNORE_ID + 1


def confusion_matrix(pred: Tensor, target: Tensor, num_classes: int, ignore: int = IGNORE_ID) -> Tensor:
    """Numbers of pixels by target (row) and predicted (column) class, int64 (K, K).

    Args:
        pred: integer ids of any shape.
        target: integer ids of the same shape.
        num_classes: K.
        ignore: a pixel with this id on either side is left out.

    Raises:
        ValueError: when the shapes differ, or an id is neither a class nor ignore.
    """
    return open_confusion_matrix(pred, target, num_classes, ignore)[:, :-1]


def open_confusion_matrix(pred: Tensor, target: Tensor, num_classes: int, ignore: int = IGNORE_ID) -> Tensor:
    """The confusion matrix with a column more, int64 (K, K + 1): pixels that only the prediction ignores.

    A prediction that leaves a pixel open has missed its class. Left out instead, the hard pixels could be dodged.

    Args:
        pred: integer ids of any shape.
        target: integer ids of the same shape; a pixel with `ignore` here is left out.
        num_classes: K.
        ignore: the id of a pixel without a class.

    Raises:
        ValueError: when the shapes differ, or an id is neither a class nor ignore.
    """
    if pred.shape != target.shape:
        raise ValueError(f"pred: the shape of target {tuple(target.shape)} is needed, got {tuple(pred.shape)}")
    if ignore != IGNORE_ID:
        pred, target = (ids.masked_fill(ids == ignore, IGNORE_ID) for ids in (pred, target))
    pred, target = _in_a_byte("pred", pred, num_classes), _in_a_byte("target", target, num_classes)
    # one table of all pairs of bytes: 10 times faster than to pick the valid pixels first
    table = torch.bincount((target.int() * _NUM_IDS + pred).flatten(), minlength=_NUM_IDS**2).view(_NUM_IDS, _NUM_IDS)
    if num_classes < IGNORE_ID:
        _check_unused("pred", table.sum(0), num_classes)
        _check_unused("target", table.sum(1), num_classes)
    return torch.cat([table[:num_classes, :num_classes], table[:num_classes, IGNORE_ID:]], dim=1)


def class_areas(labels_THW: Tensor, num_classes: int, name: str = "labels") -> Tensor:
    """Numbers of pixels by frame and class, int64 (T, K).

    Args:
        labels_THW: integer ids, 255 (ignore) belongs to no class.
        num_classes: K.
        name: of the labels in errors.

    Raises:
        ValueError: when an id is neither a class nor ignore.
    """
    labels_THW = _in_a_byte(name, labels_THW, num_classes)
    areas_TN = labels_THW.new_zeros((len(labels_THW), _NUM_IDS), dtype=torch.long)
    for area_N, labels_HW in zip(areas_TN, labels_THW, strict=True):
        area_N.copy_(id_counts(labels_HW.to(torch.uint8)))
    _check_unused(name, areas_TN.sum(0), num_classes)
    # a view would keep the whole table alive
    return areas_TN[:, :num_classes].clone()


def is_known(labels: Tensor) -> Tensor:
    """Where labels are not 255 (ignore), bool of the same shape."""
    if labels.device.type != "cpu":
        return labels != IGNORE_ID
    # ten times as fast as torch's on a processor, which first makes larger numbers of the bytes
    return torch.from_numpy(labels.numpy() != IGNORE_ID)


def as_bytes(name: str, labels_THW: Tensor, num_classes: int) -> Tensor:
    """The ids as uint8.

    Args:
        name: of the labels in errors.
        labels_THW: integer ids, 255 is ignore.
        num_classes: K.

    Raises:
        ValueError: when an id is neither a class nor ignore.
    """
    class_areas(labels_THW, num_classes, name)
    return labels_THW.to(torch.uint8)


def iou_per_class(confusion_KN: Tensor) -> Tensor:
    """Intersection over union TP / (TP + FP + FN), float (K,); nan for a class that neither side holds."""
    hits_K = confusion_KN.diagonal()
    return hits_K / (confusion_KN.sum(0)[: len(hits_K)] + confusion_KN.sum(1) - hits_K)


def f1_per_class(confusion_KN: Tensor) -> Tensor:
    """F1 = 2 TP / (2 TP + FP + FN), float (K,); nan for a class that neither side holds."""
    hits_K = confusion_KN.diagonal()
    return 2 * hits_K / (confusion_KN.sum(0)[: len(hits_K)] + confusion_KN.sum(1))


def mean_iou(confusion_KN: Tensor) -> Tensor:
    """Mean IoU over the classes present on either side, background included; nan without any."""
    return iou_per_class(confusion_KN).nanmean()


def mean_f1(confusion_KN: Tensor) -> Tensor:
    """Mean F1 over the classes present on either side, without class 0, the background; nan without any."""
    return f1_per_class(confusion_KN)[1:].nanmean()


def _in_a_byte(name: str, ids: Tensor, num_classes: int) -> Tensor:
    if ids.dtype != torch.uint8 and ids.numel():
        low, high = (int(v) for v in ids.aminmax())
        # as a byte, a larger number would be another id
        if low < 0 or high > IGNORE_ID:
            raise _unknown_id(name, num_classes, low, high)
    return ids.to(torch.uint8)


def _check_unused(name: str, counts_N: Tensor, num_classes: int) -> None:
    if counts_N[num_classes:IGNORE_ID].any():
        used = counts_N[:IGNORE_ID].nonzero()
        raise _unknown_id(name, num_classes, int(used.min()), int(used.max()))


def _unknown_id(name: str, num_classes: int, low: int, high: int) -> ValueError:
    return ValueError(f"{name}: ids go from 0 to {num_classes - 1}, got {low} to {high}")
