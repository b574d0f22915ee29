from collections import Counter

import numpy as np
import pytest

from facestab.data.images import ImageSplit, LabelledImage
from facestab.data.stills.mixed import MixedImages


class Numbers(ImageSplit):
    """Images whose labels are their number."""

    def __init__(self, numbers):
        self.numbers = numbers

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index):
        number = self.numbers[index]
        return LabelledImage(np.full((2, 2, 3), number, np.uint8), np.full((2, 2), number, np.uint8))


class Set:
    def __init__(self, start, number):
        self.numbers = list(range(start, start + number))
        self.is_prepared = False

    def prepare(self):
        self.is_prepared = True

    def split(self, name):
        return Numbers(self.numbers)


def epoch(split, seed=0):
    return Counter(int(split.draw(i, seed + i).labels_HW[0, 0]) for i in range(len(split)))


def test_an_image_is_seen_as_often_as_its_weight_says():
    train = MixedImages({"a": Set(0, 5), "b": Set(100, 4)}, {"a": 3}).split("train")
    seen = epoch(train)
    assert seen == {**dict.fromkeys(range(5), 3), **dict.fromkeys(range(100, 104), 1)}


def test_a_fractional_weight_spreads_what_is_left_over():
    seen = epoch(MixedImages({"a": Set(0, 10)}, {"a": 1.5}).split("train"))
    assert sorted(seen) == list(range(10))
    assert seen.total() == 15
    assert set(seen.values()) == {1, 2}
    # not the first half of the images twice
    assert {seen[i] for i in range(5)} == {1, 2}


def test_with_a_weight_below_one_every_image_has_its_turn_and_none_comes_twice():
    train = MixedImages({"a": Set(0, 20)}, {"a": 0.25}).split("train")
    epochs = [epoch(train, seed=1000 * number) for number in range(60)]
    assert all(seen.total() == 5 and max(seen.values()) == 1 for seen in epochs)
    assert set().union(*epochs) == set(range(20))


def test_nothing_is_weighed_in_validation():
    val = MixedImages({"a": Set(0, 5), "b": Set(100, 4)}, {"a": 3, "b": 0.25}).split("val")
    assert [int(val[i].labels_HW[0, 0]) for i in range(len(val))] == [0, 1, 2, 3, 4, 100, 101, 102, 103]
    with pytest.raises(IndexError):
        val[9]


def test_every_set_is_prepared():
    sets = {"a": Set(0, 5), "b": Set(100, 4)}
    MixedImages(sets).prepare()
    assert all(images.is_prepared for images in sets.values())


@pytest.mark.parametrize(
    ("weights", "message"),
    [({"c": 1}, "there is no set c, only a"), ({"a": 0}, "numbers above 0"), ({"a": float("nan")}, "numbers above 0")],
)
def test_weights_that_cannot_be_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        MixedImages({"a": Set(0, 5)}, weights)


def test_no_set_is_refused():
    with pytest.raises(ValueError, match="no set is given"):
        MixedImages({})
