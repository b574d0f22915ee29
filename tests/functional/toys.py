"""Small worlds whose motion, visibility and labels are known exactly."""

import torch
from torch import Tensor


def disc(centre_x: float, centre_y: float, height: int = 48, width: int = 80, radius: float = 12) -> Tensor:
    """Bool (H, W), pixels less than the radius away."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (x - centre_x) ** 2 + (y - centre_y) ** 2 < radius**2


def moving_disc(step: int = 6) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A disc of 437 pixels that moves to the right over a still background.

    Returns:
        labels (2, H, W), forward and backward flow (1, H, W, 2), and what the disc covers in the second frame only.
    """
    before, after = disc(30, 24), disc(30 + step, 24)
    forward, backward = torch.zeros(1, 48, 80, 2), torch.zeros(1, 48, 80, 2)
    forward[0, before, 0], backward[0, after, 0] = step, -step
    return torch.stack([before, after]).long(), forward, backward, after & ~before


def panorama(num_frames: int, step_x: int, step_y: int, num_classes: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Views into one random label map: every frame shows what was at p - step before.

    Returns:
        labels_THW int64 and the flow (T - 1, H, W, 2) between them, exact for all that stays in view.
    """
    height, width, margin = 20, 24, num_frames * max(abs(step_x), abs(step_y))
    generator = torch.Generator().manual_seed(seed)
    world = torch.randint(num_classes, (height + 2 * margin, width + 2 * margin), generator=generator)
    corners = [(margin - t * step_y, margin - t * step_x) for t in range(num_frames)]
    views = [world[top : top + height, left : left + width] for top, left in corners]
    flow = torch.tensor([float(step_x), float(step_y)]).expand(num_frames - 1, height, width, 2)
    return torch.stack(views), flow.clone()


def noise(num_frames: int, num_classes: int = 4, seed: int = 0, height: int = 6, width: int = 7) -> Tensor:
    """Random int64 labels (T, H, W), about a tenth of them ignored."""
    generator = torch.Generator().manual_seed(seed)
    labels_THW = torch.randint(num_classes, (num_frames, height, width), generator=generator)
    labels_THW[torch.rand(labels_THW.shape, generator=generator) < 0.1] = 255
    return labels_THW
