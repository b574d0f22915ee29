"""Pictures of label videos: x-t profiles and flicker heat maps. T frames, K ids, H W pixels.

Videos stream past: memory does not grow with their length.
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import torch

from facestab.functional.flicker import aba_mask
from facestab.labels import IGNORE_ID

_NUM_IDS = 256
# frames that are looked at together; ABA needs one more on each side
_CHUNK = 32
_COLOURMAP = cv2.COLORMAP_INFERNO
# counts of few pixels far above all others would hide the rest
_PEAK_QUANTILE = 0.995


@dataclass(frozen=True)
class Scan:
    """What one pass over a label video tells.

    Attributes:
        flips_HW: int64, ABA flips of every pixel.
        flips_T: int64, ABA flips of every frame; 0 at both ends.
        columns_KW: int64, pixels by id and column, over all frames.
        middle_HW: uint8 labels of the frame in the middle of those that were counted.
    """

    flips_HW: np.ndarray
    flips_T: np.ndarray
    columns_KW: np.ndarray
    middle_HW: np.ndarray


def scan(labels: Iterable[np.ndarray], num_frames: int) -> Scan:
    """Look at every frame of a label video once.

    Args:
        labels: uint8 (H, W) in order, one or more.
        num_frames: how many there are, to find the middle.
    """
    first_HW, stream = _peek(labels)
    height, width = first_HW.shape
    flips_HW, flips_T = np.zeros((height, width), np.int64), [0]
    columns_KW, middle_HW = np.zeros((_NUM_IDS, width), np.int64), first_HW
    tail: list[np.ndarray] = []
    seen = 0
    while chunk := list(islice(stream, _CHUNK)):
        if seen <= num_frames // 2 < seen + len(chunk):
            middle_HW = chunk[num_frames // 2 - seen]
        seen += len(chunk)
        columns_KW += sum(_columns(labels_HW) for labels_HW in chunk)
        window = [*tail, *chunk]
        events_THW, _ = aba_mask(torch.from_numpy(np.stack(window)))
        flips_HW += events_THW.sum(0).numpy()
        flips_T += events_THW.sum((1, 2)).tolist()
        tail = window[-2:]
    return Scan(flips_HW, np.array([*flips_T, 0][:seen], np.int64), columns_KW, middle_HW)


def choose_column(columns_KW: np.ndarray) -> int:
    """The column that holds most of the small classes: in a face, one through an eye and the mouth.

    Small are classes with less than the mean area of all classes but the background. Each counts alike: by the share
    of its pixels that lie in the column.

    Args:
        columns_KW: int64, pixels by id and column.
    """
    areas_K = columns_KW.sum(1)
    present = [k for k in range(1, _NUM_IDS) if k != IGNORE_ID and areas_K[k]]
    small = [k for k in present if areas_K[k] < areas_K[present].mean()] or present
    if not small:
        found: int = columns_KW.shape[1] // 2
        return found
    shares_W = (columns_KW[small] / areas_K[small][:, None]).sum(0)
    return int(np.argmax(shares_W))


def choose_window(flips_T: np.ndarray, length: int) -> int:
    """Where the stretch of `length` frames with most flips begins; 0 when the video is no longer than that."""
    if len(flips_T) <= length:
        return 0
    total = np.concatenate([[0], np.cumsum(flips_T)])
    return int(np.argmax(total[length:] - total[:-length]))


def profile(frames: Iterable[np.ndarray], column: int) -> np.ndarray:
    """One column over time: frames (H, W) or (H, W, 3) become (H, T) or (H, T, 3)."""
    return np.stack([frame[:, column] for frame in frames], axis=1)


def peak_count(maps: Iterable[np.ndarray]) -> float:
    """The count that gets the brightest colour in all of these heat maps, at least 1."""
    hot = np.concatenate([counts_HW[counts_HW > 0].ravel() for counts_HW in maps])
    return max(1.0, float(np.quantile(hot, _PEAK_QUANTILE))) if len(hot) else 1.0


def heat(counts_HW: np.ndarray, peak: float) -> np.ndarray:
    """Counts as colours, uint8 RGB (H, W, 3): dark for 0, brightest from `peak` on."""
    grey_HW = np.clip(255 * counts_HW / peak, 0, 255).round().astype(np.uint8)
    found: np.ndarray = cv2.cvtColor(cv2.applyColorMap(grey_HW, _COLOURMAP), cv2.COLOR_BGR2RGB)
    return found


def marked(picture_HWC: np.ndarray, column: int) -> np.ndarray:
    """The RGB picture with a column drawn in."""
    found: np.ndarray = cv2.line(picture_HWC.copy(), (column, 0), (column, picture_HWC.shape[0] - 1), (255, 0, 255), 1)
    return found


def png_uri(picture_HWC: np.ndarray) -> str:
    """An RGB picture, uint8 (H, W, 3), as a PNG in a data URI."""
    _, data = cv2.imencode(".png", cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2BGR))
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _columns(labels_HW: np.ndarray) -> np.ndarray:
    width = labels_HW.shape[1]
    cells_HW = labels_HW.astype(np.int64) * width + np.arange(width)
    return np.bincount(cells_HW.ravel(), minlength=_NUM_IDS * width).reshape(_NUM_IDS, width)


def _peek(labels: Iterable[np.ndarray]) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    stream = iter(labels)
    first_HW = next(stream)

    def again() -> Iterator[np.ndarray]:
        yield first_HW
        yield from stream

    return first_HW, again()
