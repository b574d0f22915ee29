"""Whether a labelled data set can be trained on: what is in it, and what is wrong."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from facestab.data.images import ImageSet
from facestab.data.parallel import each
from facestab.data.stills.files import FileImages
from facestab.data.stills.inspection import Inspection, Inspector
from facestab.errors import FacestabError
from facestab.labels import LabelSet
from facestab.types import SPLITS

# so many examples of a problem are named
_NAMED = 3
# the share of pictures in which a head may look so far aside, or be upside down, that its sides are exchanged
_LEAST_RIGHT_SIDES = 0.75


@dataclass
class Audit:
    """What is known of a data set.

    Attributes:
        labels: its label set.
        splits: the images of each split.
        problems: why training on it would be wrong, one line each.
        remarks: what one should know and may be right.
    """

    labels: LabelSet
    splits: Mapping[str, Sequence[Inspection]]
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def usable(self, split: str) -> list[Inspection]:
        """The images that can be read."""
        return [image for image in self.splits[split] if image.error is None]

    def class_shares(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Share of the labelled pixels, and of the images, that show each class, both (K,)."""
        pixels_NK = np.array([image.pixels for image in self.usable(split)], np.float64)
        if not len(pixels_NK):
            return np.zeros(self.labels.num_classes), np.zeros(self.labels.num_classes)
        return pixels_NK.sum(0) / max(pixels_NK.sum(), 1), (pixels_NK > 0).mean(0)

    def sides(self) -> dict[str, float]:
        """Of each left/right pair: the share of the pictures with both in which left lies left, where there are any."""
        right: dict[int, list[bool]] = defaultdict(list)
        for split in self.splits:
            for image in self.usable(split):
                for place, is_left in image.sides:
                    right[place].append(is_left)
        names = self.labels.names
        return {
            f"{names[a]} / {names[b]}": float(np.mean(right[place]))
            for place, (a, b) in enumerate(self.labels.pairs)
            if right[place]
        }

    def to_dict(self) -> dict[str, Any]:
        """Primitives only."""
        splits = {}
        for split, images in self.splits.items():
            sizes = Counter(f"{image.size[1]}x{image.size[0]}" for image in self.usable(split))
            shares = zip(self.labels.names, *self.class_shares(split), strict=True)
            splits[split] = {
                "images": len(images),
                "unusable": {image.name: image.error for image in images if image.error is not None},
                "sizes": dict(sizes.most_common()),
                "ignored_pixels": sum(image.ignored for image in self.usable(split)),
                "classes": {name: {"pixels": float(p), "images": float(i)} for name, p, i in shares},
            }
        return {"splits": splits, "sides": self.sides(), "problems": self.problems, "remarks": self.remarks}


def audit(images: ImageSet, labels: LabelSet) -> Audit:
    """Read every image of a set once, on all cores, and say what is wrong.

    Args:
        images: the set, prepared or not.
        labels: its label set.
    """
    splits: dict[str, list[Inspection]] = {}
    problems: list[str] = []
    remarks: list[str] = []
    for name in SPLITS:
        try:
            split = images.split(name)
        except FacestabError as error:
            splits[name] = []
            (remarks if name == "test" else problems).append(" ".join(str(error).split()))
            continue
        splits[name] = list(each(Inspector(split, labels), range(len(split)), f"reading {name}", "images"))
    found = Audit(labels, splits, problems, remarks)
    _check_images(found)
    _check_sides(found)
    _check_duplicates(found)
    if isinstance(images, FileImages):
        found.remarks += _listed(images.without_images(), "a label map without an image")
    return found


def _listed(names: Sequence[str], what: str) -> list[str]:
    """One line for any number of cases, none for none."""
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [f"{what}: {', '.join(names[:_NAMED])}{more}"]


def _check_images(found: Audit) -> None:
    unusable = [f"{image.error}" for images in found.splits.values() for image in images if image.error is not None]
    if unusable:
        total = sum(len(images) for images in found.splits.values())
        found.problems += _listed(unusable, f"{len(unusable)} of {total} images cannot be used")
    for split in found.splits:
        empty = [image.name for image in found.usable(split) if not sum(image.pixels)]
        found.remarks += _listed(empty, f"{split}: every pixel is ignored")
    pixels_K, _ = found.class_shares("train")
    absent = [name for name, share in zip(found.labels.names, pixels_K, strict=True) if not share]
    if found.usable("train"):
        found.problems += _listed(absent, "no training image shows the class")


def _check_sides(found: Audit) -> None:
    for pair, share in found.sides().items():
        if share < 0.5:
            found.problems.append(
                f"sides: {pair} lie the other way round in {100 * (1 - share):.0f}% of the pictures; sides are the "
                "viewer's here, so exchange the ids of the two"
            )
        elif share < _LEAST_RIGHT_SIDES:
            found.remarks.append(f"sides: {pair} lie the other way round in {100 * (1 - share):.0f}% of the pictures")


def _check_duplicates(found: Audit) -> None:
    places: dict[str, dict[str, list[str]]] = {
        split: _by_digest(found.usable(split)) for split in found.splits if found.usable(split)
    }
    for first, second in combinations(places, 2):
        shared = sorted(set(places[first]) & set(places[second]))
        pairs = [f"{places[first][digest][0]} = {places[second][digest][0]}" for digest in shared]
        found.problems += _listed(pairs, f"{len(pairs)} pictures are in {first} and in {second}")
    for split, digests in places.items():
        twice = [" = ".join(names[:2]) for names in digests.values() if len(names) > 1]
        found.remarks += _listed(twice, f"{len(twice)} pictures are more than once in {split}")


def _by_digest(images: Sequence[Inspection]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for image in images:
        found[image.digest].append(image.name)
    return found
