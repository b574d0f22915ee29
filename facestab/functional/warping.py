"""Backward warping by optical flow: C channels, H W pixels, (...) any leading axes, such as the frames T.

A flow (..., H, W, 2) holds (x, y) in pixels, from frame t to t+1: what is at p in frame t is at p + F(p) in frame t+1.
Warping brings frame t+1 onto the grid of frame t: S~(p) = S(p + F(p)). Samples are taken in pixel coordinates, without
the normalised grids whose two conventions (align_corners) move a published metric by half a pixel.
"""

import torch
from torch import Tensor

from facestab.labels import IGNORE_ID


def warp_labels(labels: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Labels of frame t+1 on the grid of frame t, by the nearest pixel, so that no class is mixed or invented.

    Args:
        labels: integer ids (..., H, W) of frame t+1.
        flow: (..., H, W, 2), from t to t+1.

    Returns:
        The warped ids, 255 (ignore) where the sample is outside the frame, and the mask of the samples inside,
        bool (..., H, W). A sample between two pixels takes the right and lower one.
    """
    _check(labels.shape, flow)
    # not round(): it rounds halves to even, and a half-pixel shift would drop every other column
    columns, rows = (_targets(flow) + 0.5).floor().unbind(-1)
    height, width = labels.shape[-2:]
    in_bounds = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    index = torch.where(in_bounds, rows, 0).long() * width + torch.where(in_bounds, columns, 0).long()
    warped = labels.flatten(-2).gather(-1, index.flatten(-2)).view_as(labels)
    return torch.where(in_bounds, warped, IGNORE_ID), in_bounds


def warp_bilinear(maps: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Float maps of frame t+1 on the grid of frame t, by bilinear interpolation, with gradient into the maps.

    Args:
        maps: float (..., C, H, W) of frame t+1.
        flow: (..., H, W, 2), from t to t+1.

    Returns:
        The warped maps, 0 where the sample is not between pixels of the frame, and the mask of the samples that are,
        bool (..., H, W).
    """
    _check(maps.shape[:-3] + maps.shape[-2:], flow)
    targets = _targets(flow)
    columns, rows = targets.unbind(-1)
    height, width = maps.shape[-2:]
    in_bounds = (columns >= 0) & (columns <= width - 1) & (rows >= 0) & (rows <= height - 1)
    # where, not a product: a flow that is not finite must not reach the sum
    targets = torch.where(in_bounds[..., None], targets, 0.0)
    corner = targets.floor()
    fraction_x, fraction_y = (targets - corner).to(maps.dtype).unsqueeze(-4).unbind(-1)
    left, top = corner.long().unbind(-1)
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    upper = _pick(maps, top, left).lerp(_pick(maps, top, right), fraction_x)
    lower = _pick(maps, bottom, left).lerp(_pick(maps, bottom, right), fraction_x)
    return torch.where(in_bounds.unsqueeze(-3), upper.lerp(lower, fraction_y), 0.0), in_bounds


def visible_mask(forward_flow: Tensor, backward_flow: Tensor) -> Tensor:
    """Where a pixel of frame t is seen again in frame t+1: it stays in the frame and is not covered.

    Sundaram et al. (ECCV 2010): |w + v(p+w)|^2 <= 0.01 (|w|^2 + |v|^2) + 0.5 with v sampled at p + w. Adding the
    two flows at one pixel instead also flags what the moving object uncovers. Their second condition, on the gradient
    of the flow, is left out: it removes the edges of objects, where labels flicker.

    Args:
        forward_flow: w (..., H, W, 2), from t to t+1.
        backward_flow: v (..., H, W, 2), from t+1 to t.

    Returns:
        bool (..., H, W); False also where a flow is not finite.
    """
    sampled, in_bounds = warp_bilinear(backward_flow.float().movedim(-1, -3), forward_flow)
    forward, backward = forward_flow.float(), sampled.movedim(-3, -1)
    mismatch = (forward + backward).square().sum(-1)
    return in_bounds & (mismatch <= 0.01 * (forward.square() + backward.square()).sum(-1) + 0.5)


def _check(expected: torch.Size, flow: Tensor) -> None:
    if flow.shape != (*expected, 2):
        raise ValueError(f"flow: shape {(*expected, 2)} is needed, got {tuple(flow.shape)}")


def _targets(flow: Tensor) -> Tensor:
    """Targets p + F(p), (..., H, W, 2), float32 at least: half precision cannot hold a coordinate above 2048."""
    height, width = flow.shape[-3:-1]
    x = torch.arange(width, device=flow.device, dtype=torch.float32)
    y = torch.arange(height, device=flow.device, dtype=torch.float32)
    return flow + torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def _pick(maps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The pixels (rows, columns), int64 (..., H, W), of every channel of maps (..., C, H, W)."""
    index = (rows * maps.shape[-1] + columns).unsqueeze(-3).expand_as(maps)
    return maps.flatten(-2).gather(-1, index.flatten(-2)).view(maps.shape)
