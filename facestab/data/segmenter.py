"""The network's own coarse mask as a face detector."""

from typing import Any

import cv2
import numpy as np
import torch

from facestab.nets.inference import predict_logits, resize_frames
from facestab.nets.segnet import SegNet
from facestab.nets.weights import weights_hash
from facestab.video.faces import Face


class SegmenterDetector:
    """Boxes around what the network does not call background in the whole frame. Needs no other model.

    A face that is small in the frame is small to the network, too: below about a fifth of the frame's shorter side a
    detector of its own sees more.

    Args:
        net: the network; it stays where it is.
        size: pixels of the shorter side at which it sees the frame.
        smallest: least side of a box, as a share of the frame's shorter side.

    Raises:
        ValueError: for a share outside 0..1.
    """

    def __init__(self, net: SegNet, size: int, smallest: float = 0.1) -> None:
        if not 0 < smallest <= 1:
            raise ValueError(f"detector.smallest: a share above 0 and up to 1 is needed, got {smallest}")
        self.net = net
        self.size = size
        self.smallest = smallest

    def settings(self) -> dict[str, Any]:
        """What decides the result."""
        return {"detector": "segmenter", "model": weights_hash(self.net), "size": self.size, "smallest": self.smallest}

    def __call__(self, frame_HWC: np.ndarray, index: int) -> list[Face]:
        """The connected pieces of the foreground that are large enough."""
        height, width = frame_HWC.shape[:2]
        seen_HWC = resize_frames(frame_HWC[None], self.size)
        device = next(self.net.parameters()).device
        was_training = self.net.training
        self.net.eval()
        with torch.inference_mode():
            labels_HW = predict_logits(self.net, seen_HWC, device)[0].argmax(0).cpu().numpy()
        self.net.train(was_training)
        number, _, stats, _ = cv2.connectedComponentsWithStats((labels_HW > 0).astype(np.uint8), connectivity=8)
        x, y = width / labels_HW.shape[1], height / labels_HW.shape[0]
        least = self.smallest * min(height, width)
        faces = []
        for left, top, wide, high, area in stats[1:number]:
            if min(wide * x, high * y) >= least:
                faces.append(Face(left * x, top * y, (left + wide) * x, (top + high) * y, float(area)))
        return faces
