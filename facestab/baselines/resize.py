"""Frames at the size of the probabilities, where smoothers compare and warp them."""

import cv2

from facestab.video.flow import VideoFrame


def resize_frame(frame: VideoFrame, height: int, width: int) -> VideoFrame:
    """The frame with pixels uint8 (height, width, 3); itself when it has that size."""
    if frame.pixels_HWC.shape[:2] == (height, width):
        return frame
    method = cv2.INTER_AREA if height < frame.pixels_HWC.shape[0] else cv2.INTER_LINEAR
    return frame._replace(pixels_HWC=cv2.resize(frame.pixels_HWC, (width, height), interpolation=method))
