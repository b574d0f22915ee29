"""Teachers: how the image model's view of a video becomes the probabilities that pseudo labels are made of."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facestab.engines.base import Engine
from facestab.labels import LabelSet
from facestab.nets.inference import frame_batches, softmax

_Item = TypeVar("_Item")


class Place(NamedTuple):
    """Where a shot begins, for flow that is known.

    Attributes:
        video: the id of the video.
        first: number of the shot's first frame in it.
    """

    video: str
    first: int = 0


class Teacher(Protocol):
    """Looks at a whole shot: what lies beyond a cut shows something else."""

    def settings(self) -> dict[str, Any]:
        """Primitives that change with whatever changes the probabilities, apart from the network."""
        ...

    def probabilities(
        self, engine: Engine, frames: Iterable[np.ndarray], place: Place, batch_size: int
    ) -> Iterator[Tensor]:
        """Probabilities of every frame in order, float32 (K, H, W), on the CPU.

        Args:
            engine: the image model, ready to run.
            frames: of one shot, uint8 (H, W, 3) RGB, at the size at which the model sees them.
            place: where the shot begins.
            batch_size: frames per forward pass.
        """
        ...


class FrameTeacher:
    """The image model on each frame alone, or averaged over a mirrored and scaled views of it.

    Args:
        labels: whose left/right pairs change places in a mirrored view.
        flip: whether each view is also seen in a mirror.
        scales: factors of the frame's sides, one view each; probabilities are brought back to the frame's size.

    Raises:
        ValueError: when there is no scale, or one not above 0.
    """

    def __init__(self, labels: LabelSet, flip: bool = False, scales: Sequence[float] = (1.0,)) -> None:
        if not scales or not all(scale > 0 for scale in scales):
            raise ValueError(f"scales: one or more factors above 0 are needed, got {list(scales)}")
        self.labels = labels
        self.flip = flip
        self.scales = tuple(float(scale) for scale in scales)

    def settings(self) -> dict[str, Any]:
        """See `Teacher`."""
        pairs = [list(pair) for pair in self.labels.pairs] if self.flip else []
        return {"teacher": "frame", "flip": self.flip, "scales": list(self.scales), "pairs": pairs}

    def probabilities(
        self, engine: Engine, frames: Iterable[np.ndarray], place: Place, batch_size: int
    ) -> Iterator[Tensor]:
        """See `Teacher`."""
        for frames_NHWC in frame_batches(frames, batch_size):
            yield from self._mean(engine, frames_NHWC)

    @torch.inference_mode()
    def _mean(self, engine: Engine, frames_NHWC: np.ndarray) -> Tensor:
        """The mean of all views, float32 (N, K, H, W), on the CPU."""
        height, width = frames_NHWC.shape[1:3]
        views = []
        for scale in self.scales:
            scaled_NHWC = _scaled(frames_NHWC, scale)
            views_NKHW = [softmax(engine(scaled_NHWC))]
            if self.flip:
                mirrored_NHWC = np.ascontiguousarray(scaled_NHWC[:, :, ::-1])
                mirrored_NKHW = softmax(engine(mirrored_NHWC))
                # the table exchanges ids, so it is its own inverse
                ids_K = torch.from_numpy(self.labels.flip_lut[: mirrored_NKHW.shape[1]]).long()
                views_NKHW.append(mirrored_NKHW.flip(-1)[:, ids_K.to(mirrored_NKHW.device)])
            if scaled_NHWC.shape[1:3] != (height, width):
                views_NKHW = [F.interpolate(v, (height, width), mode="bilinear") for v in views_NKHW]
            views += views_NKHW
        mean_NKHW = views[0] if len(views) == 1 else sum(views[1:], start=views[0]) / len(views)
        return mean_NKHW.cpu()


def _scaled(frames_NHWC: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(1, round(scale * side)) for side in frames_NHWC.shape[1:3])
    if (height, width) == frames_NHWC.shape[1:3]:
        return frames_NHWC
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR) for frame in frames_NHWC])


def chunks(items: Iterable[_Item], size: int, margin: int) -> Iterator[tuple[list[_Item], slice]]:
    """Runs of `size` items within the items around: all that are held, and which of them are the run.

    Every item is in one run. There are `margin` items on either side of it, or as many as there are; what is left at
    the end, up to size + margin - 1 items, is one run.
    """
    held: list[_Item] = []
    num_before = 0
    for item in items:
        held.append(item)
        if len(held) == num_before + size + margin:
            yield held, slice(num_before, num_before + size)
            num_done = num_before + size
            num_before = min(num_done, margin)
            held = held[num_done - num_before :]
    if len(held) > num_before:
        yield held, slice(num_before, None)
