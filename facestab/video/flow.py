"""Optical flow: one small interface for estimated and for exact motion."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import torch

from facestab.functional.warping import visible_mask

_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
# On noise more steps of a patch follow the noise, and more smoothing steps average it away: on noisy clips with exact
# flow the error is a quarter below that of OpenCV's own numbers (12 to 25, and 5), on clean ones about the same. Jumps
# of more than a twelfth of the frame are found a little less often.
_DESCENT_STEPS = 4
_REFINEMENT_STEPS = 20
MIN_SIDE_PX = 32
"""Smaller sides are continued to it: DIS refuses sides below 12 and crashes on wide frames of less than 32 rows."""


class VideoFrame(NamedTuple):
    """A frame, and which one it is.

    Attributes:
        video: the id of its video.
        index: its number in the video, from 0.
        pixels_HWC: uint8 RGB.
        corner: row and column of the first pixel, when only a part of the frame is here.
    """

    video: str
    # a tuple's own method of that name is of no use here
    index: int  # type: ignore[assignment]
    pixels_HWC: np.ndarray
    corner: tuple[int, int] | None = None


class Correspondence(NamedTuple):
    """Where the pixels of one frame are in another.

    Attributes:
        flow_HW2: float32, x then y, in pixels: what is at p in frame a is at p + flow[p] in frame b.
        visible_HW: bool, where what is seen at p in frame a is seen in frame b too.
    """

    flow_HW2: np.ndarray
    visible_HW: np.ndarray


class FlowBackend(Protocol):
    """Finds motion between two frames of a video.

    Attributes:
        name: for tables and records.
    """

    name: str

    def correspondence(self, frame_a: VideoFrame, frame_b: VideoFrame) -> Correspondence:
        """From frame a to frame b."""
        ...


def no_flow() -> None:
    """No backend: what would need motion is left out."""


def flow_settings(flow: FlowBackend | None) -> dict[str, Any] | None:
    """What a backend shows of its settings: its public numbers and names; what begins with _ may change as it works."""
    if flow is None:
        return None
    known = (bool, int, float, str)
    return {key: value for key, value in vars(flow).items() if isinstance(value, known) and not key.startswith("_")}


class EstimatedFlow(ABC):
    """A backend that looks at the pixels alone; visibility by the forward-backward check of `visible_mask`.

    Args:
        name: for tables and records.
        max_side: a shorter side above it is scaled down to it in pixels for the estimate, and the flow back up.

    Raises:
        ValueError: when max_side is below 32.
    """

    def __init__(self, name: str, max_side: int) -> None:
        if max_side < MIN_SIDE_PX:
            raise ValueError(f"max_side: at least {MIN_SIDE_PX} pixels are needed, got {max_side}")
        self.name = name
        self.max_side = max_side

    def flow(self, frame_a_HWC: np.ndarray, frame_b_HWC: np.ndarray) -> np.ndarray:
        """float32 (H, W, 2), x then y, in pixels from a to b.

        Args:
            frame_a_HWC: uint8 RGB.
            frame_b_HWC: uint8 RGB, of the same size.

        Raises:
            ValueError: when the sizes differ.
        """
        if frame_a_HWC.shape != frame_b_HWC.shape:
            raise ValueError(
                f"frame_b_HWC: the size of frame a, {frame_a_HWC.shape}, is needed, got {frame_b_HWC.shape}"
            )
        height, width = frame_a_HWC.shape[:2]
        share = self.max_side / min(height, width)
        if share >= 1:
            return self._estimate(frame_a_HWC, frame_b_HWC)
        size = round(share * width), round(share * height)
        small_a_HWC, small_b_HWC = (
            cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in (frame_a_HWC, frame_b_HWC)
        )
        flow_HW2 = cv2.resize(self._estimate(small_a_HWC, small_b_HWC), (width, height))
        found: np.ndarray = flow_HW2 * np.array([width / size[0], height / size[1]], np.float32)
        return found

    @abstractmethod
    def _estimate(self, frame_a_HWC: np.ndarray, frame_b_HWC: np.ndarray) -> np.ndarray:
        """The flow at the frames' own size."""

    def correspondence(self, frame_a: VideoFrame, frame_b: VideoFrame) -> Correspondence:
        """Flow from a to b, and where the flow from b to a leads back."""
        forward_HW2 = self.flow(frame_a.pixels_HWC, frame_b.pixels_HWC)
        backward_HW2 = self.flow(frame_b.pixels_HWC, frame_a.pixels_HWC)
        visible_HW = visible_mask(torch.from_numpy(forward_HW2), torch.from_numpy(backward_HW2))
        return Correspondence(forward_HW2, visible_HW.numpy())


class DisFlow(EstimatedFlow):
    """Dense inverse search on luma (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016).

    Frames with a side below 32 pixels are continued by their edges and the flow is cut back to their size. The result
    does not depend on the number of threads.

    Args:
        preset: "ultrafast", "fast" or "medium": about 0.5, 2 and 5 ms for 256 x 256. They set how fine the search is;
            its steps are those that suit noisy video best, not OpenCV's.
        max_side: see `EstimatedFlow`. At 160 the end-point error on synthetic clips of 256 x 256 is that of full size
            (1.4 px in noisy and 0.2 px in clean conditions at gap 1; 2.9 and 0.4 px at gap 4), at half the time.

    Raises:
        ValueError: on an unknown preset or too small a side.
    """

    def __init__(self, preset: str = "medium", max_side: int = 160) -> None:
        if preset not in _PRESETS:
            raise ValueError(f"preset: one of {', '.join(_PRESETS)} is possible, got {preset!r}")
        super().__init__(f"dis_{preset}", max_side)
        self.preset = preset
        self._dis: Any = None
        self._size = (0, 0)

    def _estimate(self, frame_a_HWC: np.ndarray, frame_b_HWC: np.ndarray) -> np.ndarray:
        height, width = frame_a_HWC.shape[:2]
        if (height, width) != self._size:
            # OpenCV changes the settings of an estimator for good when it sees a small frame
            self._dis, self._size = self._search(), (height, width)
        luma_a_HW, luma_b_HW = (padded_luma(frame_HWC) for frame_HWC in (frame_a_HWC, frame_b_HWC))
        flow_HW2 = self._dis.calc(luma_a_HW, luma_b_HW, None)
        return np.ascontiguousarray(flow_HW2[:height, :width])

    def _search(self) -> Any:
        search = cv2.DISOpticalFlow.create(_PRESETS[self.preset])
        search.setGradientDescentIterations(_DESCENT_STEPS)
        if search.getVariationalRefinementIterations():
            search.setVariationalRefinementIterations(_REFINEMENT_STEPS)
        return search

    def __reduce__(self) -> tuple[type["DisFlow"], tuple[str, int]]:
        return DisFlow, (self.preset, self.max_side)


def padded_luma(frame_HWC: np.ndarray) -> np.ndarray:
    """uint8 luma (H, W) of uint8 RGB; sides below `MIN_SIDE_PX` are continued by the right and lower edge."""
    luma_HW = cv2.cvtColor(np.ascontiguousarray(frame_HWC), cv2.COLOR_RGB2GRAY)
    height, width = luma_HW.shape
    missing = max(MIN_SIDE_PX - height, 0), max(MIN_SIDE_PX - width, 0)
    found: np.ndarray = (
        cv2.copyMakeBorder(luma_HW, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE) if any(missing) else luma_HW
    )
    return found
