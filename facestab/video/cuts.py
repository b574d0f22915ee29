"""Where one shot of a video ends and the next begins."""

from collections.abc import Iterable

import cv2
import numpy as np
from scenedetect import AdaptiveDetector, FrameTimecode

# frames are looked at in this width: a cut is seen in it, noise hardly
_WIDTH_PX = 64


def find_cuts(frames: Iterable[np.ndarray], threshold: float = 1.9) -> tuple[int, ...]:
    """The numbers of the frames that begin another shot; the first frame does not count.

    A cut is a change of the picture that is large beside those around it, as PySceneDetect's AdaptiveDetector measures
    it; a slow fade is none.

    Args:
        frames: uint8 (H, W, 3) RGB, in order.
        threshold: how many times as large.
    """
    detector = AdaptiveDetector(adaptive_threshold=threshold, min_scene_len=1)
    found, frame = [], None
    for number, frame_HWC in enumerate(frames):
        # the rate only names the frames
        frame = FrameTimecode(number, fps=25.0)
        found += detector.process_frame(frame, _small_bgr(frame_HWC))
    if frame is not None:
        found += detector.post_process(frame)
    return tuple(sorted({cut.frame_num for cut in found} - {0}))


def _small_bgr(frame_HWC: np.ndarray) -> np.ndarray:
    height, width = frame_HWC.shape[:2]
    scale = min(1.0, _WIDTH_PX / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    found: np.ndarray = cv2.cvtColor(cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    return found
