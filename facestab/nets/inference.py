"""Frames through a network, in batches, for prediction and labelling."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import torch
from torch import Tensor

from facestab.functional.calibration import most_probable
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
    return most_probable(planes(logits_NKHW.float())).cpu().numpy()


def softmax(logits_NKHW: Tensor) -> Tensor:
    """Probabilities (N, K, H, W), class after class in memory on the CPU, of logits without a gradient."""
    if logits_NKHW.device.type != "cpu":
        return logits_NKHW.softmax(1)
    found = torch.empty(logits_NKHW.shape, dtype=logits_NKHW.dtype)
    # frame by frame the copy stays in the processor's cache
    for probs_KHW, logits_KHW in zip(found, logits_NKHW, strict=True):
        torch.softmax(planes(logits_KHW[None])[0], 0, out=probs_KHW)
    return found


def planes(maps_NKHW: Tensor, out: Tensor | None = None) -> Tensor:
    """The same maps, on the CPU class after class in memory: what is done pixel by pixel is many times faster then.

    Args:
        maps_NKHW: of any type, as a network in channels-last format gives them.
        out: where they go, of the same shape and type; None: where they are, or new memory.
    """
    if out is None:
        if maps_NKHW.device.type != "cpu" or maps_NKHW.is_contiguous():
            return maps_NKHW
        out = torch.empty(maps_NKHW.shape, dtype=maps_NKHW.dtype)
    if maps_NKHW.dtype != torch.float32 or not maps_NKHW.is_contiguous(memory_format=torch.channels_last):
        return out.copy_(maps_NKHW)
    for planes_KP, pixels_HWK in zip(out.flatten(2), maps_NKHW.permute(0, 2, 3, 1), strict=True):
        # twice as fast as torch's copy
        cv2.transpose(pixels_HWK.flatten(0, 1).numpy(), dst=planes_KP.numpy())
    return out
