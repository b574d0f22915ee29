"""Loaders over each of the data sets, with the settings of a set and those of loading side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from facestab.data.images import ImageData
from facestab.data.stills.celebamask_hq import CelebAMaskHQ
from facestab.data.stills.flat import FlatImages
from facestab.data.stills.helen import Helen
from facestab.data.stills.lapa import LaPa
from facestab.data.stills.mixed import MixedImages
from facestab.labels import LabelSet


def flat_data(
    root: str,
    labels: LabelSet,
    val_share: float,
    test_share: float,
    classes: Mapping[int, str | None] | None = None,
    **loading: Any,
) -> ImageData:
    """Loaders over a folder of images and label maps, see `FlatImages`; `loading` goes to `ImageData`."""
    return ImageData(FlatImages(root, labels, val_share, test_share, classes), **loading)


def celebamask_hq_data(
    root: str,
    labels: LabelSet,
    cache: str,
    glasses: str | None,
    ears: str | None,
    exclude: Sequence[int] = (),
    **loading: Any,
) -> ImageData:
    """Loaders over CelebAMask-HQ, see `CelebAMaskHQ`.

    Args:
        root: see `CelebAMaskHQ`.
        labels: see `CelebAMaskHQ`.
        cache: see `CelebAMaskHQ`.
        glasses: the class to take glasses for where the label set has none, None to ignore them.
        ears: the class to take ears for where the label set has none, None to ignore them.
        exclude: see `CelebAMaskHQ`.
        loading: further arguments of `ImageData`.
    """
    stands_for = {"glasses": glasses, "left_ear": ears, "right_ear": ears}
    return ImageData(CelebAMaskHQ(root, labels, cache, stands_for, exclude), **loading)


def helen_data(root: str, labels: LabelSet, target: str, crop: float, **loading: Any) -> ImageData:
    """Loaders over Helen, see `Helen`; `loading` goes to `ImageData`."""
    return ImageData(Helen(root, labels, target, crop), **loading)


def lapa_data(root: str, labels: LabelSet, **loading: Any) -> ImageData:
    """Loaders over LaPa, see `LaPa`; `loading` goes to `ImageData`."""
    return ImageData(LaPa(root, labels), **loading)


def mixed_data(sets: Mapping[str, ImageData], weights: Mapping[str, float] | None, **loading: Any) -> ImageData:
    """Loaders over several sets at once, see `MixedImages`.

    Args:
        sets: by name; of each its images count, and not how it would load them.
        weights: see `MixedImages`.
        loading: further arguments of `ImageData`.
    """
    return ImageData(MixedImages({name: data.dataset for name, data in sets.items()}, weights), **loading)
