"""Optical flow by polynomial expansion."""

import cv2
import numpy as np

from facestab.video.flow import EstimatedFlow, padded_luma

# Coarser levels than the frame allows are left out by OpenCV.
_LEVELS = 5
_POLY_N, _POLY_SIGMA = 7, 1.5


class FarnebackFlow(EstimatedFlow):
    """Polynomial expansion on luma (Farneback, "Two-Frame Motion Estimation Based on Polynomial Expansion", SCIA 2003).

    It knows nothing of DIS, so that what is trained by its motion can be measured by the motion of DIS. Its flow is
    smoother than that of DIS: better on noisy and slow video, worse at the edges of what moves fast. Frames with a
    side below 32 pixels are continued by their edges and the flow is cut back to their size.

    Args:
        window: width of the Gaussian window that a motion is averaged over, as a share of the shorter side, above 0 and
            at most 1. More is smoother and slower: 0.5 takes 3 ms for 128 x 128 and 15 ms for 256 x 256.
        iterations: passes on each level of the pyramid, at least 1. More follow fast motion further, and noise.
        max_side: see `EstimatedFlow`.

    Raises:
        ValueError: on a window, a number of iterations or a side that cannot be.
    """

    def __init__(self, window: float = 0.5, iterations: int = 1, max_side: int = 256) -> None:
        super().__init__("farneback", max_side)
        if not 0 < window <= 1:
            raise ValueError(f"window: a share of the shorter side, above 0 and at most 1, is needed, got {window}")
        if iterations < 1:
            raise ValueError(f"iterations: at least 1 is needed, got {iterations}")
        self.window = window
        self.iterations = iterations

    def _estimate(self, frame_a_HWC: np.ndarray, frame_b_HWC: np.ndarray) -> np.ndarray:
        height, width = frame_a_HWC.shape[:2]
        luma_a_HW, luma_b_HW = (padded_luma(frame_HWC) for frame_HWC in (frame_a_HWC, frame_b_HWC))
        flow_HW2 = cv2.calcOpticalFlowFarneback(
            luma_a_HW,
            luma_b_HW,
            None,
            pyr_scale=0.5,
            levels=_LEVELS,
            winsize=max(3, round(self.window * min(luma_a_HW.shape))),
            iterations=self.iterations,
            poly_n=_POLY_N,
            poly_sigma=_POLY_SIGMA,
            flags=cv2.OPTFLOW_FARNEBACK_GAUSSIAN,
        )
        return np.ascontiguousarray(flow_HW2[:height, :width])
