"""Optical flow by a trained network."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import optical_flow

from facestab.errors import WeightsError
from facestab.video.flow import EstimatedFlow

_URLS = {
    "raft_large": optical_flow.Raft_Large_Weights.DEFAULT.url,
    "raft_small": optical_flow.Raft_Small_Weights.DEFAULT.url,
}
# the coarsest of four levels of correlation needs two features a side, of eight pixels each
_SIDE_MULTIPLE, _MIN_SIDE_PX = 8, 128


class RaftFlow(EstimatedFlow):
    """torchvision's RAFT (Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020).

    The network is loaded when the first flow is asked for. Sides below 128 or not divisible by 8 are continued by
    their edges on both ends, and the flow is cut back.

    Args:
        weights: the path of a state dict (.pth, or .safetensors), or "auto" for those of torchvision, which are
            downloaded where they are not yet cached.
        model: "raft_large" or "raft_small".
        num_updates: how often the flow is refined; the last result counts.
        device: as torch names it, or "auto" for a GPU where there is one.
        max_side: see `EstimatedFlow`.

    Raises:
        ValueError: on an unknown model, no update or too small a side.
    """

    def __init__(
        self,
        weights: str = "auto",
        model: str = "raft_large",
        num_updates: int = 12,
        device: str = "auto",
        max_side: int = 512,
    ) -> None:
        super().__init__(model, max_side)
        if model not in _URLS:
            raise ValueError(f"model: one of {', '.join(_URLS)} is possible, got {model!r}")
        if num_updates < 1:
            raise ValueError(f"num_updates: at least 1 is needed, got {num_updates}")
        self.weights = weights
        self.num_updates = num_updates
        self.device = device
        self._net: nn.Module | None = None

    def _estimate(self, frame_a_HWC: np.ndarray, frame_b_HWC: np.ndarray) -> np.ndarray:
        if self._net is None:
            self._net = self._load()
        device = next(self._net.parameters()).device
        height, width = frame_a_HWC.shape[:2]
        top, left, padding = _padding(height, width)
        with torch.inference_mode():
            pair_BCHW = F.pad(_inputs(np.stack([frame_a_HWC, frame_b_HWC])).to(device), padding, mode="replicate")
            flow_B2HW = self._net(pair_BCHW[:1], pair_BCHW[1:], num_flow_updates=self.num_updates)[-1]
        flow_HW2 = flow_B2HW[0, :, top : top + height, left : left + width].permute(1, 2, 0)
        found: np.ndarray = flow_HW2.float().cpu().contiguous().numpy()
        return found

    def _load(self) -> nn.Module:
        path = _cached(_URLS[self.name]) if self.weights == "auto" else Path(self.weights)
        net: nn.Module = getattr(optical_flow, self.name)(weights=None)
        try:
            net.load_state_dict(_read(path))
        except RuntimeError:
            raise WeightsError(f"{path}: not the weights of {self.name}; another model may be meant") from None
        device = self.device if self.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        return net.eval().requires_grad_(False).to(device)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_net": None}


def _inputs(frames_BHWC: np.ndarray) -> Tensor:
    """float32 (B, C, H, W) from -1 to 1, as RAFT was trained."""
    return torch.from_numpy(frames_BHWC).permute(0, 3, 1, 2).float() / 127.5 - 1


def _padding(height: int, width: int) -> tuple[int, int, tuple[int, int, int, int]]:
    """Rows above and columns left of the frame, and the same as `torch.nn.functional.pad` takes it."""
    missing = [max(_MIN_SIDE_PX, -(-side // _SIDE_MULTIPLE) * _SIDE_MULTIPLE) - side for side in (height, width)]
    top, left = missing[0] // 2, missing[1] // 2
    return top, left, (left, missing[1] - left, top, missing[0] - top)


def _cached(url: str) -> Path:
    """The file of torchvision's weights, downloaded when torch's cache does not have it."""
    name = Path(urlsplit(url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if path.is_file():
        return path
    digest = path.stem.rpartition("-")[2]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digest, progress=False)
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"{name} could not be downloaded from {url} ({_first_line(error)}); download it elsewhere and give its "
            "path as flow.weights, or use flow=dis"
        ) from None
    return path


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file; give the path of a .pth or .safetensors file, or auto")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: not a readable weights file ({_first_line(error)})") from None
    if not isinstance(tensors, dict):
        raise WeightsError(f"{path}: holds no state dict but a {type(tensors).__name__}")
    return tensors


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
