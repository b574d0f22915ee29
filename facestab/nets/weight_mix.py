"""A network between two networks of the same shape."""

import torch
from torch import nn

from facestab.errors import SettingError


class WeightMix:
    """Pulls fine-tuned weights back towards those that they came from, on the straight line between both.

    Most of what fine-tuning gains on the new pictures is there well before the end of that line, and most of what
    it loses on the old ones is lost at the end (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022,
    eq. 1).
    The network keeps its shape, so that a frame costs what it cost.

    Args:
        share: of the fine-tuned weights, above 0 to 1; 1 changes nothing.

    Raises:
        SettingError: when it is outside of that.
    """

    def __init__(self, share: float) -> None:
        if not 0 < share <= 1:
            raise SettingError(f"temporal.finetuned_share is above 0 and at most 1, got {share}")
        self.share = share

    @torch.no_grad()
    def __call__(self, net: nn.Module, start: nn.Module) -> None:
        """Mix in place; counters of normalisation layers stay the fine-tuned network's.

        Args:
            net: fine-tuned.
            start: what it came from.
        """
        before = start.state_dict()
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                # lerp gives its end, bit for bit, at 1
                tensor.copy_(torch.lerp(before[name].to(tensor), tensor, self.share))
