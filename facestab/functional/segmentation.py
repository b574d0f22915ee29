"""Scores of label maps, all from the confusion matrix: K classes, rows are the target's, columns the prediction's."""

import torch
from torch import Tensor

from facestab.labels import IGNORE_ID


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
    if pred.shape != target.shape:
        raise ValueError(f"pred: the shape of target {tuple(target.shape)} is needed, got {tuple(pred.shape)}")
    valid = (pred != ignore) & (target != ignore)
    pred_N, target_N = pred[valid].long(), target[valid].long()
    for name, ids_N in (("pred", pred_N), ("target", target_N)):
        _check_ids(name, ids_N, num_classes)
    return torch.bincount(target_N * num_classes + pred_N, minlength=num_classes**2).view(num_classes, num_classes)


def iou_per_class(confusion_KK: Tensor) -> Tensor:
    """Intersection over union TP / (TP + FP + FN), float (K,); nan for a class that neither side holds."""
    hits_K = confusion_KK.diagonal()
    return hits_K / (confusion_KK.sum(0) + confusion_KK.sum(1) - hits_K)


def f1_per_class(confusion_KK: Tensor) -> Tensor:
    """F1 = 2 TP / (2 TP + FP + FN), float (K,); nan for a class that neither side holds."""
    return 2 * confusion_KK.diagonal() / (confusion_KK.sum(0) + confusion_KK.sum(1))


def mean_iou(confusion_KK: Tensor) -> Tensor:
    """Mean IoU over the classes present on either side, background included; nan without any."""
    return iou_per_class(confusion_KK).nanmean()


def mean_f1(confusion_KK: Tensor) -> Tensor:
    """Mean F1 over the classes present on either side, without class 0, the background; nan without any."""
    return f1_per_class(confusion_KK)[1:].nanmean()


def _check_ids(name: str, ids_N: Tensor, num_classes: int) -> None:
    # an id beyond K would fall into another row of the matrix, unseen
    if ids_N.numel():
        low, high = (int(v) for v in ids_N.aminmax())
        if low < 0 or high >= num_classes:
            raise ValueError(f"{name}: ids go from 0 to {num_classes - 1}, got {low} to {high}")
