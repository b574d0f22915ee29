"""Backward warping by optical flow: C channels, H W pixels, (...) any leading axes, such as the frames T.

A flow (..., H, W, 2) holds (x, y) in pixels, from frame t to t+1: what is at p in frame t is at p + F(p) in frame t+1.
Warping brings frame t+1 onto the grid of frame t: S~(p) = S(p + F(p)). Labels are fetched in pixel coordinates. Where a
normalised grid is used, it is laid out and read by one convention (align_corners), which that of a published metric is
not.
"""

import torch
import torch.nn.functional as F
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
    columns, rows = ((place + 0.5).floor() for place in _targets(flow))
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
    columns, rows = _targets(flow)
    height, width = maps.shape[-2:]
    in_bounds = (columns >= 0) & (columns <= width - 1) & (rows >= 0) & (rows <= height - 1)
    wide = torch.promote_types(maps.dtype, torch.float32)
    # -1 and 1 are the centres of the outer pixels, which is what align_corners=True means; where, not a product: a flow
    # that is not finite must not reach the sum
    x, y = (
        torch.where(in_bounds, place.to(wide) * (2 / max(length - 1, 1)) - 1, 0.0)
        for place, length in ((columns, width), (rows, height))
    )
    grid_NHW2 = torch.stack([x, y], dim=-1).reshape(-1, height, width, 2)
    maps_NCHW = maps.to(wide).reshape(-1, *maps.shape[-3:])
    warped = F.grid_sample(maps_NCHW, grid_NHW2, padding_mode="border", align_corners=True).view_as(maps)
    return torch.where(in_bounds.unsqueeze(-3), warped, 0.0).to(maps.dtype), in_bounds


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
    # by component: a sum over an axis of two costs more than all the rest
    (w_x, w_y), (v_x, v_y) = forward_flow.float().unbind(-1), sampled.unbind(-3)
    mismatch = (w_x + v_x).square() + (w_y + v_y).square()
    length = w_x.square() + v_x.square() + w_y.square() + v_y.square()
    return in_bounds & (mismatch <= 0.01 * length + 0.5)


def _check(expected: torch.Size, flow: Tensor) -> None:
    if flow.shape != (*expected, 2):
        raise ValueError(f"flow: shape {(*expected, 2)} is needed, got {tuple(flow.shape)}")


def _targets(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and rows of p + F(p), (..., H, W), float32 at least: half precision holds no coordinate above 2048."""
    height, width = flow.shape[-3:-1]
    x = torch.arange(width, device=flow.device, dtype=torch.float32)
    y = torch.arange(height, device=flow.device, dtype=torch.float32)
    return flow[..., 0] + x, flow[..., 1] + y[:, None]
