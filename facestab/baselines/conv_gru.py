"""A recurrent head behind any segmentation network: the recurrent video networks that patent CN110427899A names."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facestab.nets.segnet import IMAGENET_MEAN, IMAGENET_STD

# it works at half the height and width; four pixels become channels, so that no detail is lost
_STEP_PX = 2
# what certainty is cut to: behind a probability of 0 nothing could be corrected
_MIN_PROB = 1e-4


class ConvGruHead(nn.Module):
    """Corrects the probabilities of a network with what it remembers of the frames before.

    The logits are the log-probabilities that come in plus a residual. The residual comes from a convolutional GRU
    (Ballas et al., "Delving Deeper into Convolutional Networks for Learning Video Representations", ICLR 2016) that
    sees the frame and the probabilities. Its last layer starts at zero, so that the untrained head changes nothing.

    Args:
        num_classes: K.
        hidden: channels of the state.

    Raises:
        ValueError: for fewer than two classes, or no channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, num_classes: int, hidden: int = 16) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes: at least 2 are needed, got {num_classes}")
        if hidden < 1:
            raise ValueError(f"hidden: at least 1 is needed, got {hidden}")
        self.num_classes = num_classes
        self.hidden = hidden
        packed = _STEP_PX**2
        self.encoder = nn.Conv2d(packed * (3 + num_classes), hidden, 3, padding=1)
        self.gates = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1)
        self.candidate = nn.Conv2d(2 * hidden, hidden, 3, padding=1)
        self.residual = nn.Conv2d(2 * hidden, packed * num_classes, 3, padding=1)
        nn.init.zeros_(self.residual.weight)
        assert self.residual.bias is not None
        nn.init.zeros_(self.residual.bias)
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, frames_BCHW: Tensor, probs_BKHW: Tensor, state_BCHW: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logits of the next frame of B videos, and the state to give back with the one after.

        Args:
            frames_BCHW: uint8 RGB, at the size of the probabilities.
            probs_BKHW: float32, of the network that is corrected; one-hot masks are possible.
            state_BCHW: None at the first frame.
        """
        height, width = probs_BKHW.shape[-2:]
        x_BCHW = torch.cat([(frames_BCHW.float() - self.mean) / self.std, probs_BKHW], 1)
        x_BCHW = F.pad(x_BCHW, (0, -width % _STEP_PX, 0, -height % _STEP_PX), mode="replicate")
        x_BCHW = F.relu(self.encoder(F.pixel_unshuffle(x_BCHW, _STEP_PX)))
        state_BCHW = self._remember(x_BCHW, torch.zeros_like(x_BCHW) if state_BCHW is None else state_BCHW)
        residual_BKHW = F.pixel_shuffle(self.residual(torch.cat([x_BCHW, state_BCHW], 1)), _STEP_PX)
        return probs_BKHW.clamp_min(_MIN_PROB).log() + residual_BKHW[..., :height, :width], state_BCHW

    def _remember(self, x_BCHW: Tensor, state_BCHW: Tensor) -> Tensor:
        update_BCHW, reset_BCHW = self.gates(torch.cat([x_BCHW, state_BCHW], 1)).sigmoid().chunk(2, 1)
        candidate_BCHW = self.candidate(torch.cat([x_BCHW, reset_BCHW * state_BCHW], 1)).tanh()
        return state_BCHW.lerp(candidate_BCHW, update_BCHW)
