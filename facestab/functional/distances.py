"""How far two maps are from each other at each pixel: B batch, C channels, H W pixels.

Two floating-point maps (B, C, H, W) of one shape give the distance (B, H, W), computed in float32 at least. The
gradient flows into both maps; a map that is to be a fixed target is detached by the caller. Equal maps give 0 in all
but `disagreement`. All raise ValueError when the shapes differ, which broadcasting would hide.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

# vectors shorter than this count as this long: it bounds the gradient where a pixel has no features (after a ReLU)
_SHORTEST = 1e-4
# keeps the logarithm of a probability, and with it the gradient, finite
_LEAST = 1e-8


def l1(a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
    """Mean over the channels of |a - b|; its mean over the pixels is the feature distance of patent CN110427899A."""
    a_BCHW, b_BCHW = _wide(a_BCHW, b_BCHW)
    return (a_BCHW - b_BCHW).abs().mean(1)


def squared(a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
    """Mean over the channels of (a - b)^2, as in the temporal loss of ETC (Liu et al., ECCV 2020)."""
    a_BCHW, b_BCHW = _wide(a_BCHW, b_BCHW)
    return (a_BCHW - b_BCHW).square().mean(1)


def relative_l1(a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
    """Sum of |a - b| over the mean of the sums of |a| and |b|, from 0 to 2: one factor on both maps does not change it.

    The size below the fraction bar is a constant for the gradient. Otherwise a large part that both maps share would
    lower the distance. So the gradient still pulls at the scale of the maps, but neither the distance nor the pull
    on what the maps show fades while the scale falls.
    """
    a_BCHW, b_BCHW = _wide(a_BCHW, b_BCHW)
    size_BHW = (a_BCHW.abs().sum(1) + b_BCHW.abs().sum(1)) / 2
    return (a_BCHW - b_BCHW).abs().sum(1) / size_BHW.detach().clamp_min(_SHORTEST)


def cosine(a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
    """1 - cos of the angle between the channel vectors, from 0 to 2: no factor on either map changes it.

    A vector of zeros has no direction: it is 0 from another one, and half from anything else.
    """
    a_BCHW, b_BCHW = (F.normalize(x_BCHW, dim=1, eps=_SHORTEST) for x_BCHW in _wide(a_BCHW, b_BCHW))
    # the same as 1 - a.b for unit vectors, without the difference of two numbers near 1
    return (a_BCHW - b_BCHW).square().sum(1) / 2


def total_variation(p_BKHW: Tensor, q_BKHW: Tensor) -> Tensor:
    """Half the sum of |p - q|: for probabilities the share that changes its class, from 0 to 1."""
    p_BKHW, q_BKHW = _wide(p_BKHW, q_BKHW)
    return (p_BKHW - q_BKHW).abs().sum(1) / 2


def jensen_shannon(p_BKHW: Tensor, q_BKHW: Tensor) -> Tensor:
    """Jensen-Shannon divergence of probabilities [nats], from 0 to log 2 (Lin, IEEE Trans. Inf. Theory 1991).

    Twice as far apart is about four times as much: small differences cost less than in `total_variation`.
    """
    p_BKHW, q_BKHW = _wide(p_BKHW, q_BKHW)
    log_mean_BKHW = _log((p_BKHW + q_BKHW) / 2)
    terms = (x_BKHW * (_log(x_BKHW) - log_mean_BKHW) for x_BKHW in (p_BKHW, q_BKHW))
    return sum(terms, torch.zeros_like(p_BKHW)).sum(1) / 2


def disagreement(p_BKHW: Tensor, q_BKHW: Tensor) -> Tensor:
    """1 - sum of p q: the probability that a class drawn from each differ, from 0 to 1.

    It is 0 only for equal and certain probabilities, so it also asks for certainty.
    """
    p_BKHW, q_BKHW = _wide(p_BKHW, q_BKHW)
    return 1 - (p_BKHW * q_BKHW).sum(1)


def entropy(probs_BKHW: Tensor) -> Tensor:
    """Entropy of probabilities at each pixel [nats], (B, H, W), from 0 (certain) to log K; float32 at least."""
    probs_BKHW = probs_BKHW.to(torch.promote_types(probs_BKHW.dtype, torch.float32))
    return -(probs_BKHW * _log(probs_BKHW)).sum(1)


def _wide(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float32 at least: a sum over many channels loses too much in half precision."""
    if a.shape != b.shape:
        raise ValueError(f"maps: both need one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    return a.to(dtype), b.to(dtype)


def _log(probs: Tensor) -> Tensor:
    return probs.clamp_min(_LEAST).log()
