"""The network protocol: uint8 images in, logits and features out."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facestab.types import SegOutput

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class SegNet(nn.Module):
    """Any module that returns logits, as a network that facestab can train.

    The module may return a tensor, or a mapping with the logits under "out" as torchvision's models do. Logits that
    are smaller than the image are enlarged bilinearly.

    Args:
        module: maps float images (B, 3, H, W), normalised, to logits (B, K, h, w).
        features: what f is: "logits", or the dotted name of a layer of `module` whose output is taken.
        stride: images are padded at the right and bottom to a multiple of it, and the logits cut back.
        mean: of the RGB channels, for images in 0..1.
        std: of the RGB channels, for images in 0..1.

    Raises:
        ValueError: when there is no module, `features` names none of its layers, or stride is below 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        module: nn.Module,
        features: str = "logits",
        stride: int = 1,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        if not isinstance(module, nn.Module):
            raise ValueError(f"module must be a torch.nn.Module (+net.module._target_=...), got {module!r}")
        if stride < 1:
            raise ValueError(f"stride must be at least 1, got {stride}")
        self.module = module
        self.features = features
        self.stride = stride
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self._feature_layer()

    def _feature_layer(self) -> nn.Module | None:
        if self.features == "logits":
            return None
        try:
            return self.module.get_submodule(self.features)
        except AttributeError:
            layers = [name for name, _ in self.module.named_children()]
            raise ValueError(
                f"features='{self.features}' names no layer of the network; "
                f"use logits, or a dotted name that begins with one of {layers}"
            ) from None

    def forward(self, images_BCHW: Tensor) -> SegOutput:
        """Logits at the size of the images, and the features f.

        Args:
            images_BCHW: uint8 RGB.
        """
        if images_BCHW.dtype != torch.uint8:
            raise TypeError(f"images are uint8 RGB, got {images_BCHW.dtype}")
        height, width = images_BCHW.shape[-2:]
        x_BCHW = (images_BCHW.float() - self.mean) / self.std
        x_BCHW = F.pad(x_BCHW, (0, -width % self.stride, 0, -height % self.stride), mode="replicate")
        taken: list[Any] = []
        layer = self._feature_layer()
        hook = layer.register_forward_hook(lambda *call: taken.append(call[2])) if layer is not None else None
        try:
            logits_BKHW = _logits(self.module(x_BCHW))
        finally:
            if hook is not None:
                hook.remove()
        if logits_BKHW.shape[-2:] != x_BCHW.shape[-2:]:
            logits_BKHW = F.interpolate(logits_BKHW, x_BCHW.shape[-2:], mode="bilinear", align_corners=False)
        logits_BKHW = logits_BKHW[..., :height, :width]
        return SegOutput(logits_BKHW, _last_map(taken[-1]) if taken else logits_BKHW)


def _logits(output: Any) -> Tensor:
    if isinstance(output, Mapping):
        output = output["out"]
    if not isinstance(output, Tensor) or output.ndim != 4:
        raise TypeError("the network must return logits (B, K, H, W), or a mapping that has them under 'out'")
    return output


def _last_map(output: Any) -> Tensor:
    """The deepest feature map of a layer that returns several."""
    if isinstance(output, Mapping):
        output = list(output.values())
    if isinstance(output, (list, tuple)):
        output = output[-1]
    if not isinstance(output, Tensor):
        raise TypeError(f"the feature layer must return a tensor, got {type(output).__name__}")
    return output
