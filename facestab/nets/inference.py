"""Frames through a network, in batches, for prediction and labelling."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import torch
from torch import Tensor

from facestab.nets.segnet import SegNet


def frame_batches(frames: Iterable[np.ndarray], batch_size: int) -> Iterator[np.ndarray]:
    """Consecutive frames as uint8 arrays (N, H, W, 3), N <= batch_size."""
    batch: list[np.ndarray] = []
    for frame_HWC in frames:
        batch.append(frame_HWC)
        if len(batch) == batch_size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def resize_frames(frames_NHWC: np.ndarray, size: int) -> np.ndarray:
    """Frames whose shorter side has `size` pixels, aspect kept."""
    height, width = frames_NHWC.shape[1:3]
    scale = size / min(height, width)
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    if target == (width, height):
        return frames_NHWC
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, target, interpolation=method) for frame in frames_NHWC])


def resize_labels(labels_NHW: np.ndarray, height: int, width: int) -> np.ndarray:
    """Ids at another size, by nearest neighbour: no id is made up."""
    if labels_NHW.shape[1:] == (height, width):
        return labels_NHW
    resized = [cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) for labels in labels_NHW]
    return np.stack(resized)


@torch.inference_mode()
def predict_logits(net: SegNet, frames_NHWC: np.ndarray, device: torch.device) -> Tensor:
    """Logits (N, K, H, W), float32, on `device`, of uint8 frames."""
    images_NCHW = torch.from_numpy(frames_NHWC).to(device).permute(0, 3, 1, 2)
    found: Tensor = net(images_NCHW).logits_BKHW.float()
    return found


def argmax_labels(logits_NKHW: Tensor) -> np.ndarray:
    """Ids (N, H, W), uint8, on the CPU."""
    # max().indices is five times faster than argmax on a channels-first CPU tensor
    return logits_NKHW.max(1).indices.to(torch.uint8).cpu().numpy()
