"""Counts of labels that flip in time, from labels alone: T frames, H W pixels.

Each kind of event has a mask of where it happened and where it could have (for sums over classes, regions or times),
a pair of counts, and a rate per frame for plots. A pixel that is ignored in any frame involved takes no part.
"""

import torch
from torch import Tensor

from facestab.labels import IGNORE_ID


def aba_mask(labels_THW: Tensor) -> tuple[Tensor, Tensor]:
    """Where a label leaves for one frame and comes back, S[t-1] == S[t+1] != S[t], and where that could be told.

    Returns:
        Two bool masks of the T - 2 interior frames, (max(T - 2, 0), H, W). The first lies within the second.
    """
    before, now, after = labels_THW[:-2], labels_THW[1:-1], labels_THW[2:]
    valid = (before != IGNORE_ID) & (now != IGNORE_ID) & (after != IGNORE_ID)
    return valid & (before == after) & (before != now), valid


def switch_mask(labels_THW: Tensor) -> tuple[Tensor, Tensor]:
    """Where a label differs from the frame before, S[t-1] != S[t], and where that could be told.

    Returns:
        Two bool masks of the frames but the first, (max(T - 1, 0), H, W). The first lies within the second.
    """
    before, now = labels_THW[:-1], labels_THW[1:]
    valid = (before != IGNORE_ID) & (now != IGNORE_ID)
    return valid & (before != now), valid


def aba_counts(labels_THW: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of ABA flips and of valid pixels over all interior frames, int64 scalars; 0 and 0 when T < 3."""
    events, valid = aba_mask(labels_THW)
    return events.sum(), valid.sum()


def switch_counts(labels_THW: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of switches and of valid pixels over all pairs of adjacent frames, int64 scalars; 0 and 0 when T < 2."""
    events, valid = switch_mask(labels_THW)
    return events.sum(), valid.sum()


def aba_per_frame(labels_THW: Tensor) -> Tensor:
    """Share of the valid pixels of frame t that flip away and back, float (T,); nan at both ends."""
    return _rates(*aba_mask(labels_THW), num_frames=len(labels_THW))


def switch_per_frame(labels_THW: Tensor) -> Tensor:
    """Share of the valid pixels whose label differs from frame t-1, float (T,); nan at frame 0."""
    return _rates(*switch_mask(labels_THW), num_frames=len(labels_THW))


def _rates(events_THW: Tensor, valid_THW: Tensor, *, num_frames: int) -> Tensor:
    rates = torch.full((num_frames,), torch.nan, device=events_THW.device)
    rates[1 : 1 + len(events_THW)] = events_THW.sum((1, 2)) / valid_THW.sum((1, 2))
    return rates
