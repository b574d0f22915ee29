"""Several data sets as one."""

from collections.abc import Mapping

import numpy as np

from facestab.data.images import ImageSet, ImageSplit, LabelledImage


class MixedImages:
    """Images of several sets. Training sees each set as often as its weight says; nothing is weighed in the others.

    Args:
        sets: the data sets by name.
        weights: times that training sees the images of a set in an epoch, 1 for sets that are not named. With 0.5 it
            sees half of them, other ones each epoch.

    Raises:
        ValueError: without sets, for a weight that is not above 0, or one of a set that is not there.
    """

    def __init__(self, sets: Mapping[str, ImageSet], weights: Mapping[str, float] | None = None) -> None:
        weights = weights or {}
        if not sets:
            raise ValueError("data.sets: no set is given; add one with +data@data.sets.NAME=NAME")
        unknown = set(weights) - set(sets)
        if unknown:
            raise ValueError(f"data.weights: there is no set {sorted(unknown)[0]}, only {', '.join(sets)}")
        if any(not weight > 0 for weight in weights.values()):
            raise ValueError(f"data.weights: numbers above 0 are needed, got {dict(weights)}")
        self.sets = dict(sets)
        self.weights = {name: weights.get(name, 1.0) for name in sets}

    def prepare(self) -> None:
        """Prepare every set."""
        for images in self.sets.values():
            images.prepare()

    def split(self, name: str) -> "MixedSplit":
        """The images of one split of all sets."""
        splits = {key: images.split(name) for key, images in self.sets.items()}
        return MixedSplit(splits, self.weights if name == "train" else dict.fromkeys(splits, 1.0))


class MixedSplit(ImageSplit):
    """One split of several sets, one set after the other.

    Args:
        splits: by the name of the set.
        weights: times that an epoch sees the images of a set.
    """

    def __init__(self, splits: Mapping[str, ImageSplit], weights: Mapping[str, float]) -> None:
        self.names = list(splits)
        self.splits = list(splits.values())
        self.soft = any(split.soft for split in self.splits)
        self.places = [
            max(1, round(weights[name] * len(split))) for name, split in zip(self.names, self.splits, strict=True)
        ]
        self._ends = np.cumsum(self.places)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> LabelledImage:
        which, first, _ = self._images_at(index)
        return self.splits[which][first]

    def draw(self, position: int, seed: int) -> LabelledImage:
        """One of the images that share a position of the epoch, by chance."""
        which, first, stop = self._images_at(position)
        # another stream than the augmentation's, which starts from the same seed
        return self.splits[which][int(np.random.default_rng((seed, 2)).integers(first, stop))]

    def name(self, index: int) -> str:
        """The set and the image's name in it."""
        which, first, _ = self._images_at(index)
        return f"{self.names[which]}: {self.splits[which].name(first)}"

    def _images_at(self, position: int) -> tuple[int, int, int]:
        """Which set stands at a position, and from which to before which of its images."""
        if not 0 <= position < len(self):
            raise IndexError(f"there is no image {position} among {len(self)}")
        which = int(np.searchsorted(self._ends, position, side="right"))
        places, number = self.places[which], len(self.splits[which])
        place = position - (int(self._ends[which]) - places)
        if places >= number:
            # what does not go into whole rounds is spread evenly
            rounds, rest = divmod(places, number)
            whole = rounds * number
            image = place % number if place < whole else (place - whole) * number // max(rest, 1)
            return which, image, image + 1
        return which, place * number // places, (place + 1) * number // places
