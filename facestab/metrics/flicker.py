"""Flicker without ground truth and without flow: T frames, H W pixels, K classes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from facestab.functional.flicker import aba_counts, excess_counts, switch_counts
from facestab.functional.regions import boundary_tolerance_px
from facestab.metrics.classes import checked_names, keyed
from facestab.metrics.counts import VideoMetric


class AbaFlicker(VideoMetric):
    """Share of pixels whose label leaves for one frame and comes back, S[t-1] == S[t+1] != S[t] [fraction/frame].

    Smooth motion hardly counts, a label that blinks does. 0..1, lower is better, nan without three frames.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.
        fps: frames per second; None leaves out the value per second.
        band_px: width on each side of a boundary that tells boundaries from interiors; None takes 0.008 diagonals of
            the frame, rounded up, the tolerance of DAVIS.

    Raises:
        ValueError: when names are missing or stand twice, or a setting is not positive.

    Example:
        >>> import torch
        >>> metric = AbaFlicker(["background", "skin", "hair"])
        >>> metric.update(torch.tensor([[[1, 1]], [[1, 2]], [[1, 1]]]))
        >>> metric.compute()["flicker/aba"]
        tensor(0.5000)
    """

    context = 2
    higher_is_better = False
    aba_by_class: Tensor
    num_aba_boundary: Tensor
    num_aba_valid: Tensor

    def __init__(
        self, class_names: Sequence[str], fps: float | None = None, band_px: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if fps is not None and fps <= 0:
            raise ValueError(f"fps: more than 0 is needed, got {fps}")
        if band_px is not None and band_px < 1:
            raise ValueError(f"band_px: at least 1 is needed, got {band_px}")
        self.class_names = checked_names(class_names)
        self.fps = fps
        self.band_px = band_px
        self.add_count("aba_by_class", len(self.class_names), 2)
        self.add_count("num_aba_boundary")
        self.add_count("num_aba_valid")

    def update(self, labels_THW: Tensor) -> None:
        """Add a window of one video: integer ids, 255 is ignore."""
        band_px = self.band_px or boundary_tolerance_px(*labels_THW.shape[1:])
        counts = aba_counts(labels_THW, len(self.class_names), band_px)
        self.aba_by_class += counts.by_class_K2
        self.num_aba_boundary += counts.num_boundary
        self.num_aba_valid += counts.num_valid

    def compute(self) -> dict[str, Tensor]:
        """Shares of all valid pixels, and by class.

        `flicker/aba_boundary` and `flicker/aba_interior` add up to `flicker/aba`. `flicker/aba/<class>`: of the pixels
        with S[t-1] == S[t+1] == class, the share whose label at t differs. `flicker/aba_per_second` with `fps` only.
        """
        num_events_K, num_pixels_K = self.aba_by_class.double().unbind(1)
        share = num_events_K.sum() / self.num_aba_valid
        boundary = self.num_aba_boundary.double() / self.num_aba_valid
        values = keyed("flicker/aba", share, num_events_K / num_pixels_K, self.class_names)
        if self.fps is not None:
            values["flicker/aba_per_second"] = (share * float(self.fps)).float()
        return {
            **values,
            "flicker/aba_boundary": boundary.float(),
            "flicker/aba_interior": (share - boundary).float(),
        }


class SwitchRate(VideoMetric):
    """Share of pixels whose label differs from the frame before [fraction/frame].

    Motion counts like flicker: compare it with a reference of the same video. 0..1, nan without two frames.

    Args:
        class_names: one per id, the first is the background; at least 2, all different.

    Raises:
        ValueError: when names are missing or stand twice.
    """

    context = 1
    higher_is_better = False
    switches_by_class: Tensor

    def __init__(self, class_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.class_names = checked_names(class_names)
        self.add_count("switches_by_class", len(self.class_names), 2)

    def update(self, labels_THW: Tensor) -> None:
        """Add a window of one video: integer ids, 255 is ignore."""
        self.switches_by_class += switch_counts(labels_THW, len(self.class_names))

    def compute(self) -> dict[str, Tensor]:
        """`flicker/switch`, and `flicker/switch/<class>`: of the class's pixels, the share that it loses a frame."""
        return shares("flicker/switch", self.switches_by_class, self.class_names)


class SwitchExcess(VideoMetric):
    """Switch rate less that of a reference, such as the truth, over the pixels valid in both [fraction/frame].

    0 when labels switch as often as the reference's; below when they move too little, as frozen ones do. nan without
    two frames.
    """

    context = 1
    higher_is_better = False
    plot_lower_bound = -1.0
    switch_excess: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_count("switch_excess", 3)

    def update(self, labels_THW: Tensor, reference_THW: Tensor) -> None:
        """Add a window of one video: integer ids of equal shapes, 255 is ignore."""
        self.switch_excess += excess_counts(labels_THW, reference_THW)

    def compute(self) -> dict[str, Tensor]:
        """`flicker/switch_excess`, -1..1."""
        own, reference, num_valid = self.switch_excess.double()
        return {"flicker/switch_excess": ((own - reference) / num_valid).float()}


def shares(key: str, counts_K2: Tensor, class_names: Sequence[str]) -> dict[str, Tensor]:
    """Events over pixels, of all classes together and of each, under a key.

    Args:
        key: of `facestab.keys.VIDEO_KEYS`.
        counts_K2: int64, events and pixels by class.
        class_names: K names.
    """
    num_events_K, num_pixels_K = counts_K2.to(torch.float64).unbind(1)
    return keyed(key, num_events_K.sum() / num_pixels_K.sum(), num_events_K / num_pixels_K, class_names)
