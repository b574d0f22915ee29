"""The way of frames to where torch runs."""

import numpy as np
import torch
from torch import Tensor


class Upload:
    """Brings frames to a device.

    To a GPU they go from pinned memory and on a stream of their own, so that it goes on with what it was given before.

    Args:
        device: where to.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __call__(self, frames_NHWC: np.ndarray) -> Tensor:
        """The frames there, uint8 (N, H, W, 3), for what is put into the current stream next."""
        frames = torch.from_numpy(frames_NHWC)
        if self._stream is None:
            return frames.to(self._device)
        with torch.cuda.stream(self._stream):
            there: Tensor = frames.pin_memory().to(self._device, non_blocking=True)
        current = torch.cuda.current_stream(self._device)
        current.wait_stream(self._stream)
        # or its memory might be given to the next frames while it is still read
        there.record_stream(current)
        return there
