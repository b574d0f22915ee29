"""Square pieces of a frame at any place and size, and the way back, without rounding."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# log-probability of a class where the network has not looked: e^-20 is 2e-9
_NEVER = -20.0


@dataclass(frozen=True)
class Square:
    """A square in a frame. Pixel i covers i - 0.5 to i + 0.5.

    Attributes:
        x: of the centre, in pixels.
        y: of the centre, in pixels.
        side: in pixels, above 0.

    Raises:
        ValueError: when a number is not finite or the side not above 0.
    """

    x: float
    y: float
    side: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.x, self.y, self.side]).all() and self.side > 0):
            raise ValueError(f"a square has a finite centre and a side above 0, got {self}")

    def bounds(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the pixels that it touches; right and bottom are the ones after the last."""
        half = self.side / 2
        left, top = (int(np.floor(centre - half + 0.5)) for centre in (self.x, self.y))
        right, bottom = (int(np.ceil(centre + half + 0.5)) for centre in (self.x, self.y))
        return left, top, right, bottom

    def to_frame(self, size: int) -> np.ndarray:
        """float64 (2, 3): places in a crop of `size` pixels to places in the frame."""
        scale = self.side / size
        corner = np.array([self.x, self.y]) - self.side / 2
        return np.array([[scale, 0, corner[0] + scale / 2], [0, scale, corner[1] + scale / 2]])


@dataclass(frozen=True)
class Region:
    """A rectangle of whole pixels in a frame; right and bottom are the ones after the last.

    Attributes:
        left: first column.
        top: first row.
        right: column after the last.
        bottom: row after the last.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    def of(self, pixels_HW: np.ndarray) -> np.ndarray:
        """This part of a picture, or of any array that begins with rows and columns."""
        return pixels_HW[self.top : self.bottom, self.left : self.right]

    def moved(self, square: Square) -> Square:
        """A square as it lies in the region."""
        return Square(square.x - self.left, square.y - self.top, square.side)


def around(squares: Iterable[Sequence[Square]], height: int, width: int) -> Region:
    """The least region of a frame that holds all squares of many frames, as far as they lie in it.

    It is the whole frame when one of the frames has no square, or nothing of any lies within.
    """
    bounds = []
    for own in squares:
        if not own:
            return Region(0, 0, width, height)
        bounds += [_inside(square, height, width) for square in own]
    found = np.array(bounds or [(0, 0, 0, 0)])
    (left, top), (right, bottom) = found[:, :2].min(0), found[:, 2:].max(0)
    if right <= left or bottom <= top:
        return Region(0, 0, width, height)
    return Region(*map(int, (left, top, right, bottom)))


def crop(frame_HWC: np.ndarray, square: Square, size: int) -> np.ndarray:
    """The square's picture, uint8 (size, size, 3); beyond the frame its edge goes on.

    It is resampled once, at exactly the square's place. Before a reduction to less than half the frame is averaged
    over whole blocks of pixels, so that nothing flickers between the samples.

    Args:
        frame_HWC: uint8 RGB.
        square: where.
        size: pixels of the result's side.
    """
    matrix_23 = square.to_frame(size)
    factor = max(1, int(square.side / size))
    if factor > 1:
        height, width = (length // factor for length in frame_HWC.shape[:2])
        factor = factor if min(height, width) > 0 else 1
    if factor > 1:
        whole_HWC = frame_HWC[: height * factor, : width * factor]
        frame_HWC = cv2.resize(whole_HWC, (width, height), interpolation=cv2.INTER_AREA)
        # the centre of block i lies at factor * i + (factor - 1) / 2
        matrix_23 = matrix_23 / factor
        matrix_23[:, 2] -= (factor - 1) / (2 * factor)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    found: np.ndarray = cv2.warpAffine(frame_HWC, matrix_23, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return found


def paste(logits_MKSS: Tensor, squares: list[Square], height: int, width: int) -> Tensor:
    """Log-probabilities of a frame from those of squares in it, float32 (K, height, width).

    Where squares overlap the one counts whose centre is nearer, in units of its side; where there is none the pixel is
    background, class 0.

    Args:
        logits_MKSS: of M crops of S pixels each, any float.
        squares: where they were taken.
        height: of the frame.
        width: of the frame.
    """
    whole_KHW = torch.full((logits_MKSS.shape[1], height, width), _NEVER, device=logits_MKSS.device)
    whole_KHW[0] = 0.0
    nearest_HW = torch.full((height, width), torch.inf, device=logits_MKSS.device)
    log_probs_MKSS = logits_MKSS.float().log_softmax(1)
    for log_probs_KSS, square in zip(log_probs_MKSS, squares, strict=True):
        left, top, right, bottom = _inside(square, height, width)
        if right <= left or bottom <= top:
            continue
        rows, columns = slice(top, bottom), slice(left, right)
        x, y = _steps(left, right, square.x, square), _steps(top, bottom, square.y, square)
        grid_HW2 = torch.from_numpy(np.stack(np.meshgrid(x, y), -1)).to(log_probs_KSS)
        # align_corners=False counts from the edges, as the square does
        piece_KHW = F.grid_sample(
            log_probs_KSS[None], grid_HW2[None], mode="bilinear", padding_mode="border", align_corners=False
        )[0]
        distance_HW = grid_HW2.abs().amax(-1)
        here_HW = (distance_HW <= 1) & (distance_HW < nearest_HW[rows, columns])
        whole_KHW[:, rows, columns] = torch.where(here_HW, piece_KHW, whole_KHW[:, rows, columns])
        nearest_HW[rows, columns] = torch.where(here_HW, distance_HW, nearest_HW[rows, columns])
    return whole_KHW


def _inside(square: Square, height: int, width: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = square.bounds()
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def _steps(start: int, stop: int, centre: float, square: Square) -> np.ndarray:
    """Pixel centres from -1 at one edge of the square to 1 at the other."""
    return (np.arange(start, stop) - centre) / (square.side / 2)
