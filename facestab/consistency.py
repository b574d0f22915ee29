"""The consistency term of the temporal loss: how far apart the network's answers to two frames are.

B batch, C channels, K classes, H W pixels; the first frame carries the suffix _1, the second _2.
"""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facestab.functional import distances
from facestab.functional.pixel_weights import rare_class_weight, thin_part_weight
from facestab.functional.regions import boundary_band
from facestab.functional.warping import warp_bilinear, warp_labels
from facestab.labels import IGNORE_ID
from facestab.types import FramePairBatch, SegOutput

_DISTANCES = {
    f.__name__: f
    for f in (
        distances.l1,
        distances.relative_l1,
        distances.cosine,
        distances.total_variation,
        distances.jensen_shannon,
        distances.disagreement,
        distances.squared,
    )
}
_OF_PROBABILITIES = ("total_variation", "jensen_shannon", "disagreement")
# how far the weights of a boundary, a rare class and a thin part reach
REACH_PX = 2


class Consistency(nn.Module):
    """Mean over all pixels of the distance of two frames' maps, times a weight of the pixel.

    With the defaults, `distance="l1"` and `level="features"` it is L1(f1 - f2) of patent CN110427899A: frames are
    compared in place and everywhere. A pixel that the other settings leave out counts as 0; it is not taken out of the
    mean, so that a pair with few pixels to compare does not weigh more for it.

    Args:
        distance: name of a distance of `functional.distances`.
        level: what is compared: features, logits or probabilities.
        temperature: of the softmax, > 0; above 1 the distance sees differences far from the decision, too.
        warp: bring the second frame's map onto the first frame's grid by the pair's flow, and compare only pixels that
            are visible in both frames. On CUDA its gradient is not the same to the last bit each time, which
            `trainer.deterministic=true` refuses.
        where: "everywhere", or "unchanged" for the pixels with the same valid label in both frames (on the first
            frame's grid with `warp`): true motion of the labels is not punished.
        stop_gradient: "none"; "second", which makes the second frame a fixed target; or "certain", which at each pixel
            makes the frame with the lower entropy a fixed target: it teaches the other.
        boundary: factor on pixels within 2 px of a boundary of the first frame's labels, >= 0.
        rare: a class whose share of the labelled pixels is less than this has the weight share / rare. A pixel has the
            smallest weight within 2 px of it, by the first frame's labels, so that thin parts are not smoothed away.
            From 0 to 1; more than 0 needs class shares.
        thin: a pixel whose label holds less than this share of the window around it, an eighth of the picture's shorter
            side wide, has the weight (share / thin)^2, and so have its neighbours within 2 px: what is thin or small
            stays even when its class is not rare, as glasses and fingers that are background. 0 to 1; 0: left out.
        match_change: compare the change of the probabilities, p2 - p1, with that of the labels, on pixels with a valid
            label in both frames (the temporal gradient matching of Video Depth Anything, CVPR 2025). For the distance
            total_variation and the level probabilities.

    Raises:
        ValueError: when a name is unknown, a number is outside its range, or two settings exclude each other.
    """

    def __init__(
        self,
        distance: str,
        level: str,
        temperature: float = 1.0,
        warp: bool = False,
        where: str = "everywhere",
        stop_gradient: str = "none",
        boundary: float = 1.0,
        rare: float = 0.0,
        thin: float = 0.0,
        match_change: bool = False,
    ) -> None:
        super().__init__()
        _check_name("distance", distance, _DISTANCES)
        _check_name("level", level, ("features", "logits", "probabilities"))
        _check_name("where", where, ("everywhere", "unchanged"))
        _check_name("stop_gradient", stop_gradient, ("none", "second", "certain"))
        _check_numbers(temperature, boundary, rare, thin)
        _check_together(distance, level, temperature, warp, match_change)
        self.distance = distance
        self.level = level
        self.temperature = temperature
        self.warp = warp
        self.where = where
        self.stop_gradient = stop_gradient
        self.boundary = float(boundary)
        self.rare = rare
        self.thin = thin
        self.match_change = match_change

    def forward(
        self, output_1: SegOutput, output_2: SegOutput, pair: FramePairBatch, class_share_K: Tensor | None = None
    ) -> Tensor:
        """The term, a scalar >= 0.

        Args:
            output_1: of the first frames.
            output_2: of the second frames.
            pair: labels, flow and visibility, at the size of the images.
            class_share_K: float, how much of the labelled pixels each class has; they sum to 1.

        Raises:
            ValueError: when the two frames' maps differ in shape, or class shares are needed and missing.
        """
        map_1_BCHW, map_2_BCHW = self._map(output_1), self._map(output_2)
        weight_BHW = _resized(self._weight(pair, class_share_K), map_1_BCHW)
        if self.warp:
            map_2_BCHW, in_bounds_BHW = warp_bilinear(map_2_BCHW, _resized_flow(pair.flow_BHW2, map_2_BCHW))
            weight_BHW = weight_BHW * in_bounds_BHW
        if self.stop_gradient == "second":
            map_2_BCHW = map_2_BCHW.detach()
        elif self.stop_gradient == "certain":
            doubt_BHW = _resized(self._doubt(output_1, output_2, pair), map_1_BCHW)[:, None]
            map_1_BCHW = torch.where(doubt_BHW < 0, map_1_BCHW.detach(), map_1_BCHW)
            map_2_BCHW = torch.where(doubt_BHW > 0, map_2_BCHW.detach(), map_2_BCHW)
        if self.match_change:
            # the change of the network against the change of the labels
            map_1_BCHW, map_2_BCHW = map_2_BCHW - map_1_BCHW, _label_change(pair, map_1_BCHW)
        return (_DISTANCES[self.distance](map_1_BCHW, map_2_BCHW) * weight_BHW).mean()

    def _map(self, output: SegOutput) -> Tensor:
        """What is compared, (B, C, H, W), float32 at least."""
        if self.level == "probabilities":
            return self._probs(output)
        map_BCHW = output.features_BCHW if self.level == "features" else output.logits_BKHW
        return map_BCHW.to(torch.promote_types(map_BCHW.dtype, torch.float32))

    def _probs(self, output: SegOutput) -> Tensor:
        dtype = torch.promote_types(output.logits_BKHW.dtype, torch.float32)
        return (output.logits_BKHW.to(dtype) / self.temperature).softmax(1)

    @torch.no_grad()
    def _doubt(self, output_1: SegOutput, output_2: SegOutput, pair: FramePairBatch) -> Tensor:
        """Entropy of the first frame less that of the second [nats], (B, H, W), on the first frame's grid."""
        entropy_1_BHW, entropy_2_BHW = (distances.entropy(self._probs(output)) for output in (output_1, output_2))
        if self.warp:
            # the entropy is warped, not the probabilities: mixing them would make the second frame look less certain
            entropy_2_BHW = warp_bilinear(entropy_2_BHW[:, None], pair.flow_BHW2)[0][:, 0]
        return entropy_1_BHW - entropy_2_BHW

    def _weight(self, pair: FramePairBatch, class_share_K: Tensor | None) -> Tensor:
        """Weight of each pixel, float32 (B, H, W), at the size of the images."""
        labels_1_BHW, labels_2_BHW = pair.labels_BTHW.unbind(1)
        weight_BHW = torch.ones_like(labels_1_BHW, dtype=torch.float32)
        if self.warp:
            labels_2_BHW, _ = warp_labels(labels_2_BHW, pair.flow_BHW2)
            weight_BHW = weight_BHW * pair.visible_BHW
        if self.where == "unchanged":
            weight_BHW = weight_BHW * ((labels_1_BHW == labels_2_BHW) & (labels_1_BHW != IGNORE_ID))
        if self.match_change:
            weight_BHW = weight_BHW * ((labels_1_BHW != IGNORE_ID) & (labels_2_BHW != IGNORE_ID))
        if self.boundary != 1:
            weight_BHW = weight_BHW * torch.where(boundary_band(labels_1_BHW.byte(), REACH_PX), self.boundary, 1.0)
        if self.rare > 0:
            if class_share_K is None:
                raise ValueError("class shares: they are needed for a consistency with rare > 0, got none")
            weight_BHW = weight_BHW * rare_class_weight(labels_1_BHW, class_share_K, self.rare, REACH_PX)
        if self.thin > 0:
            weight_BHW = weight_BHW * thin_part_weight(labels_1_BHW, self.thin, REACH_PX)
        return weight_BHW

    def extra_repr(self) -> str:
        """What is compared and how, for print(module)."""
        return f"{self.distance}, {self.level}, warp={self.warp}, where={self.where}, stop={self.stop_gradient}"


def _label_change(pair: FramePairBatch, like_BKHW: Tensor) -> Tensor:
    """onehot(label 2) - onehot(label 1), (B, K, H, W); an ignored label is taken for class 0."""
    labels_BTHW = torch.where(pair.labels_BTHW == IGNORE_ID, 0, pair.labels_BTHW)
    first, second = (F.one_hot(labels_BTHW[:, t], like_BKHW.shape[1]).movedim(-1, 1) for t in (0, 1))
    return (second - first).to(like_BKHW.dtype)


def _resized(values_BHW: Tensor, like_BCHW: Tensor) -> Tensor:
    """By the nearest pixel, to the size of another map."""
    size = like_BCHW.shape[-2:]
    if values_BHW.shape[-2:] == size:
        return values_BHW
    # "nearest" takes the upper left corner of what a pixel covers, "nearest-exact" its middle
    return F.interpolate(values_BHW[:, None], size, mode="nearest-exact")[:, 0]


def _resized_flow(flow_BHW2: Tensor, like_BCHW: Tensor) -> Tensor:
    """The mean flow over what a pixel of another map covers, (B, h, w, 2), in pixels of that map."""
    size, (height, width) = like_BCHW.shape[-2:], flow_BHW2.shape[1:3]
    if (height, width) == size:
        return flow_BHW2
    scale = flow_BHW2.new_tensor([size[1] / width, size[0] / height])
    return F.interpolate(flow_BHW2.movedim(-1, 1), size, mode="area").movedim(1, -1) * scale


def _check_name(name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise ValueError(f"{name}: one of {', '.join(known)} is needed, got {value}")


def _check_numbers(temperature: float, boundary: float, rare: float, thin: float) -> None:
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature: a finite number > 0 is needed, got {temperature}")
    if not (math.isfinite(boundary) and boundary >= 0):
        raise ValueError(f"boundary: a finite number >= 0 is needed, got {boundary}")
    for name, value in (("rare", rare), ("thin", thin)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name}: a number from 0 to 1 is needed, got {value}")


def _check_together(distance: str, level: str, temperature: float, warp: bool, match_change: bool) -> None:
    """Refuse what means something for probabilities only, and what a change cannot be matched with."""
    if level != "probabilities":
        cause = "match_change" if match_change else distance
        if match_change or distance in _OF_PROBABILITIES:
            raise ValueError(f"level: probabilities is needed for {cause}, got {level}")
        if temperature != 1:
            raise ValueError(f"temperature: 1 is needed for the level {level}, got {temperature}")
    if match_change and distance != "total_variation":
        raise ValueError(f"distance: total_variation is needed for match_change, got {distance}")
    if match_change and warp:
        raise ValueError("warp: false is needed for match_change, got true")
