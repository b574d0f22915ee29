"""A trained recurrent head as a smoother."""

from pathlib import Path

import torch
from torch import Tensor, nn

from facestab.baselines.causal import CausalSmoother
from facestab.baselines.conv_gru import ConvGruHead
from facestab.baselines.resize import resize_frame
from facestab.build import build_trusted
from facestab.errors import WeightsError
from facestab.nets.weights import load_into, load_tensors
from facestab.video.flow import VideoFrame


class Recurrent(CausalSmoother[Tensor]):
    """Corrects each frame's probabilities by a `ConvGruHead`, whose state it carries through the video.

    Args:
        weights: a safetensors file or checkpoint of a head, or the head itself.

    Raises:
        WeightsError: when the file is missing, broken, or holds something else.
    """

    needs_frames = True

    def __init__(self, weights: str | Path | nn.Module) -> None:
        super().__init__()
        head = weights if isinstance(weights, nn.Module) else load_head(Path(weights))
        self.head = head.requires_grad_(False).eval()

    def step(self, frame: VideoFrame | None, probs_KHW: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """The corrected probabilities (K, H, W), and the head's state (1, C, h, w)."""
        assert frame is not None
        small = resize_frame(frame, *probs_KHW.shape[1:])
        pixels_1CHW = torch.from_numpy(small.pixels_HWC).to(probs_KHW.device).permute(2, 0, 1)[None]
        logits_1KHW, state = self.head.to(probs_KHW.device)(pixels_1CHW, probs_KHW[None], state)
        return logits_1KHW[0].softmax(0), state


def load_head(path: Path) -> ConvGruHead:
    """The head that a file holds, built from its own card.

    Raises:
        WeightsError: when the file is missing, broken, or holds something else.
    """
    tensors, card = load_tensors(path)
    if card.stage != "recurrent":
        raise WeightsError(f"{path}: a recurrent head is needed, this is the network of stage={card.stage}")
    head = build_trusted(card.net, ["facestab.baselines.conv_gru"])
    if not isinstance(head, ConvGruHead):
        raise WeightsError(f"{path}: its card does not describe a recurrent head")
    load_into(head, tensors, path)
    return head
