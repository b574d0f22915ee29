"""What the frames around say of a frame: T frames, K classes, C channels, H W pixels, (...) any leading axes.

Flows and weights between frames are lists of T - 1 links. Link t of those to the previous frame leads from frame t + 1
to frame t, link t of those to the next frame from frame t to frame t + 1; flows are as in `functional.warping`.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from facestab.functional.warping import warp_bilinear

# sides in pixels: of the filter that takes the noise out of a frame, and of the mean over what is left
_NOISE_FILTER, _RESIDUAL_MEAN = 3, 5
# a camera's gain changes by less from frame to frame; a black frame must not look like any other one scaled to black
_GAIN_RANGE = 0.5, 2.0
# below half a vote: it decides ties and nothing else
_TIE_BREAK = 1e-3

Frames = Tensor | Sequence[Tensor]
"""A tensor whose first axis is T, or a list of its slices."""


def photometric_weight(frame_a: Tensor, warped_b: Tensor, scale: float) -> Tensor:
    """How far two pictures show the same thing at a pixel: exp(-(r / scale)^2), 1 for the same and 0 for another.

    Each channel of b is first scaled to the mean of a's, by a factor of 0.5 to 2, for a camera's gain changes from
    frame to frame. Both are filtered by a 3x3 box; r is the mean over channels of their absolute difference, averaged
    over 5x5 pixels. Boxes are cut at the edges of the frame.

    Args:
        frame_a: float (..., C, H, W), grey levels 0..255.
        warped_b: the other frame on the grid of a, the same shape. Where it shows nothing, fill in a's pixels: zeros
            would change its mean.
        scale: above 0, in grey levels.

    Returns:
        float (..., H, W), in 0..1.
    """
    gain = frame_a.mean((-2, -1), keepdim=True) / warped_b.mean((-2, -1), keepdim=True).clamp_min(1)
    gain = gain.clamp(*_GAIN_RANGE)
    difference = (_box(frame_a, _NOISE_FILTER) - _box(gain * warped_b, _NOISE_FILTER)).abs().mean(-3, keepdim=True)
    return torch.exp(-(_box(difference, _RESIDUAL_MEAN).squeeze(-3) / scale).square())


def _box(maps: Tensor, side: int) -> Tensor:
    """Mean over a square of the pixels inside the frame, (..., C, H, W)."""
    flat_NCHW = maps.reshape(-1, *maps.shape[-3:])
    return F.avg_pool2d(flat_NCHW, side, stride=1, padding=side // 2, count_include_pad=False).view(maps.shape)


def fuse(
    probs_TKHW: Frames,
    to_previous_flow: Frames | None,
    to_previous_weight: Frames,
    to_next_flow: Frames | None,
    to_next_weight: Frames,
    decay: float,
) -> Tensor:
    """Each frame's probabilities averaged with those of all frames around it, followed along the motion.

    A sweep forward carries A_t = p_t + decay * m * warp(A_{t-1}) and the sum of its weights, W_t = 1 + decay * m *
    warp(W_{t-1}); one backward does the same from the frame after. The result is (A_fw + A_bw - p) / (W_fw + W_bw - 1):
    without motion and with m = 1 an average with the weights decay^|t - s|. What is warped from outside the frame has
    no weight. Beside the probabilities, the result of their size is held, and little else.

    Args:
        probs_TKHW: float, over K sums to 1.
        to_previous_flow: (T - 1, H, W, 2); None where nothing moves.
        to_previous_weight: m, float (T - 1, H, W), 0..1.
        to_next_flow: (T - 1, H, W, 2), or None.
        to_next_weight: float (T - 1, H, W), 0..1.
        decay: 0 (each frame for itself) to 1.

    Returns:
        float (T, K, H, W), over K sums to 1.

    Raises:
        ValueError: for a decay outside 0..1, or when there are not T - 1 links.
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"decay: 0 <= decay <= 1 is needed, got {decay}")
    num_links = len(probs_TKHW) - 1
    for links in (to_previous_flow, to_previous_weight, to_next_flow, to_next_weight):
        if links is not None and len(links) != num_links:
            raise ValueError(f"links: {num_links} are needed between {num_links + 1} frames, got {len(links)}")
    fused_TKHW = probs_TKHW[0].new_empty(len(probs_TKHW), *probs_TKHW[0].shape)
    total_TIHW = fused_TKHW.new_empty(len(probs_TKHW), 1, *fused_TKHW.shape[2:])
    for t, sum_CHW in _sweep(probs_TKHW, to_previous_flow, to_previous_weight, decay, backward=False):
        fused_TKHW[t], total_TIHW[t] = sum_CHW[:-1], sum_CHW[-1:]
    for t, sum_CHW in _sweep(probs_TKHW, to_next_flow, to_next_weight, decay, backward=True):
        # the frame itself is in both sums
        fused_TKHW[t] += sum_CHW[:-1] - probs_TKHW[t]
        total_TIHW[t] += sum_CHW[-1:] - 1
    return fused_TKHW.div_(total_TIHW)


def _sweep(
    probs_TKHW: Frames, flow: Frames | None, weight: Frames, decay: float, backward: bool
) -> Iterator[tuple[int, Tensor]]:
    """Frame numbers, and A with W as its last channel, (K + 1, H, W)."""
    times = range(len(probs_TKHW))[:: -1 if backward else 1]
    sum_CHW: Tensor | None = None
    for t in times:
        own_CHW = torch.cat([probs_TKHW[t], torch.ones_like(probs_TKHW[t][:1])])
        if sum_CHW is None:
            sum_CHW = own_CHW
        else:
            link = t if backward else t - 1
            carried_CHW = sum_CHW if flow is None else warp_bilinear(sum_CHW, flow[link])[0]
            sum_CHW = torch.addcmul(own_CHW, weight[link].to(own_CHW), carried_CHW, value=decay)
        yield t, sum_CHW


def vote(labels_THW: Tensor, visible_THW: Tensor, middle_KHW: Tensor) -> Tensor:
    """Shares of the votes that each class gets at a pixel.

    Args:
        labels_THW: integer ids of the voting frames on the middle one's grid, the middle one's own among them; an id
            without a class, such as 255, has no vote.
        visible_THW: bool, where a frame has a vote.
        middle_KHW: float, the middle frame's probabilities. They count a thousandth of a vote, which decides ties.

    Returns:
        float (K, H, W), over K sums to 1.
    """
    has_vote_THW = visible_THW & (labels_THW < len(middle_KHW))
    index_THW = torch.where(has_vote_THW, labels_THW, 0).long()
    votes_KHW = (_TIE_BREAK * middle_KHW).scatter_add(0, index_THW, has_vote_THW.to(middle_KHW))
    return votes_KHW / votes_KHW.sum(0)
