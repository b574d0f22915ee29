"""Numbers that show a collapse of the features: B batch, C channels, H W pixels.

A feature distance can fall because the features shrink or lose their variation, with nothing made stable.
"""

from collections.abc import Iterable

import torch
from torch import Tensor


@torch.no_grad()
def mean_abs(features: Tensor) -> Tensor:
    """Mean |f|, the scale that a feature distance is measured against."""
    return features.float().abs().mean()


@torch.no_grad()
def feature_std(features_BCHW: Tensor) -> Tensor:
    """Standard deviation over batch and space of each channel, averaged over the channels; 0 when all are constant."""
    return features_BCHW.float().std(dim=(0, 2, 3), correction=0).mean()


def gradient_norm(loss: Tensor, parameters: Iterable[Tensor]) -> Tensor:
    """L2 norm of the gradient of one part of a loss; the graph stays for the backward pass.

    Args:
        loss: scalar; without a graph the norm is 0.
        parameters: those that require no gradient, or that the loss does not reach, count as 0.
    """
    trained = [p for p in parameters if p.requires_grad]
    if not trained or not loss.requires_grad:
        return loss.new_zeros(())
    gradients = torch.autograd.grad(loss, trained, retain_graph=True, allow_unused=True)
    norms = [torch.linalg.vector_norm(g) for g in gradients if g is not None]
    return torch.linalg.vector_norm(torch.stack(norms)) if norms else loss.new_zeros(())
