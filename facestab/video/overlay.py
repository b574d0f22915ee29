"""Pictures for people: label maps in colour, laid over frames, and frames side by side."""

from collections.abc import Sequence

import cv2
import numpy as np

from facestab.labels import IGNORE_ID, LabelSet

_GAP_PX = 4
_CAPTION_PX = 22
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TEXT_HEIGHT_PX = 12


def colourise(labels_HW: np.ndarray, palette_lut: np.ndarray) -> np.ndarray:
    """Label ids as colours, uint8 (H, W, 3).

    Args:
        labels_HW: ids 0..255, of any integer type.
        palette_lut: uint8 (256, 3), such as `LabelSet.palette_lut`.
    """
    if palette_lut.shape != (256, 3) or palette_lut.dtype != np.uint8:
        raise ValueError(f"palette_lut: uint8 (256, 3) is possible, got {palette_lut.dtype} {palette_lut.shape}")
    # 10 times faster than palette_lut[labels_HW]
    found: np.ndarray = cv2.applyColorMap(_as_uint8(labels_HW), np.ascontiguousarray(palette_lut[:, None]))
    return found


def overlay(frame_HWC: np.ndarray, labels_HW: np.ndarray, label_set: LabelSet, opacity: float = 0.5) -> np.ndarray:
    """The frame with its classes tinted, uint8 (H, W, 3); background (0) and ignore (255) stay as they are.

    Args:
        frame_HWC: uint8 RGB.
        labels_HW: ids 0..255, of any integer type.
        label_set: gives the colours.
        opacity: of the colours, 0..1.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity: 0 to 1 is possible, got {opacity}")
    if frame_HWC.shape != (*labels_HW.shape, 3):
        raise ValueError(f"labels_HW: the frame's size {frame_HWC.shape[:2]} is needed, got {labels_HW.shape}")
    frame_HWC = np.ascontiguousarray(frame_HWC)
    tinted_HWC = cv2.addWeighted(frame_HWC, 1 - opacity, colourise(labels_HW, label_set.palette_lut), opacity, 0)
    lut = np.zeros(256, np.uint8)
    lut[[0, IGNORE_ID]] = 255
    found: np.ndarray = cv2.copyTo(frame_HWC, cv2.LUT(_as_uint8(labels_HW), lut), tinted_HWC)
    return found


def side_by_side(frames: Sequence[np.ndarray], captions: Sequence[str] | None = None) -> np.ndarray:
    """Frames in a row with a thin gap, uint8 (H, W, 3); captions stand in a strip above and hide nothing.

    Args:
        frames: uint8 (H, W, 3) RGB, all of one height.
        captions: one per frame, shrunk or cut off where they are wider than it. OpenCV draws ASCII only.
    """
    if not frames or len({frame_HWC.shape[0] for frame_HWC in frames}) != 1:
        raise ValueError(f"frames: one or more of one height are possible, got {[f.shape for f in frames]}")
    if captions is not None and len(captions) != len(frames):
        raise ValueError(f"captions: {len(frames)} are needed, got {len(captions)}")
    parts = list(frames)
    if captions is not None:
        strips = [_caption(text, f.shape[1]) for text, f in zip(captions, frames, strict=True)]
        parts = [np.concatenate(pair) for pair in zip(strips, frames, strict=True)]
    gap_HWC = np.full((parts[0].shape[0], _GAP_PX, 3), 255, np.uint8)
    row = [part for frame_HWC in parts for part in (gap_HWC, frame_HWC)]
    return np.concatenate(row[1:], axis=1)


def _caption(text: str, width: int) -> np.ndarray:
    strip_HWC = np.full((_CAPTION_PX, width, 3), 255, np.uint8)
    scale = cv2.getFontScaleFromHeight(_FONT, _TEXT_HEIGHT_PX)
    (needed, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
    scale *= max(0.5, min(1.0, (width - 4) / max(needed, 1)))
    found: np.ndarray = cv2.putText(strip_HWC, text, (2, _CAPTION_PX - 6), _FONT, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return found


def _as_uint8(labels_HW: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(labels_HW, dtype=np.uint8)
