"""Optical flow between two frames."""

from typing import Any, Protocol

import cv2
import numpy as np

_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
# DIS refuses frames with a side below 12
_MIN_SIDE_PX = 16


class FlowBackend(Protocol):
    """Estimates motion.

    Attributes:
        name: for tables and records.
    """

    name: str

    def __call__(self, frame_a_HWC: np.ndarray, frame_b_HWC: np.ndarray) -> np.ndarray:
        """float32 (H, W, 2), x then y, in pixels: what is at p in frame a is at p + flow[p] in frame b."""


class DisFlow:
    """Dense inverse search on luma (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016).

    Frames with a side below 16 pixels are continued by their edges and the flow is cut back to their size. The result
    does not depend on the number of threads.

    Args:
        preset: "ultrafast", "fast" or "medium": about 0.4, 1 and 5 ms for 256 x 256.

    Raises:
        ValueError: on an unknown preset.
    """

    def __init__(self, preset: str = "medium") -> None:
        if preset not in _PRESETS:
            raise ValueError(f"preset: one of {', '.join(_PRESETS)} is possible, got {preset!r}")
        self.preset = preset
        self.name = f"dis_{preset}"
        self._dis: Any = None

    def __call__(self, frame_a_HWC: np.ndarray, frame_b_HWC: np.ndarray) -> np.ndarray:
        """float32 (H, W, 2), x then y, in pixels from a to b.

        Args:
            frame_a_HWC: uint8 RGB.
            frame_b_HWC: uint8 RGB, of the same size.
        """
        if frame_a_HWC.shape != frame_b_HWC.shape:
            raise ValueError(
                f"frame_b_HWC: the size of frame a, {frame_a_HWC.shape}, is needed, got {frame_b_HWC.shape}"
            )
        if self._dis is None:
            self._dis = cv2.DISOpticalFlow.create(_PRESETS[self.preset])
        height, width = frame_a_HWC.shape[:2]
        flow_HW2 = self._dis.calc(_luma(frame_a_HWC), _luma(frame_b_HWC), None)
        return np.ascontiguousarray(flow_HW2[:height, :width])

    def __reduce__(self) -> tuple[type["DisFlow"], tuple[str]]:
        return DisFlow, (self.preset,)


def flow_pair(backend: FlowBackend, frame_a_HWC: np.ndarray, frame_b_HWC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flow from a to b and from b to a, float32 (H, W, 2) each, in pixels."""
    return backend(frame_a_HWC, frame_b_HWC), backend(frame_b_HWC, frame_a_HWC)


def _luma(frame_HWC: np.ndarray) -> np.ndarray:
    luma_HW = cv2.cvtColor(np.ascontiguousarray(frame_HWC), cv2.COLOR_RGB2GRAY)
    height, width = luma_HW.shape
    if min(height, width) >= _MIN_SIDE_PX:
        return luma_HW
    missing = max(_MIN_SIDE_PX - height, 0), max(_MIN_SIDE_PX - width, 0)
    return cv2.copyMakeBorder(luma_HW, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
