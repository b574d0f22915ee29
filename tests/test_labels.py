import numpy as np
import pytest

from facestab.labels import LabelSet, class_lut, numbered

GREY = [[i, i, i] for i in range(4)]


def test_a_flip_mirrors_and_exchanges_sides():
    labels = LabelSet(["bg", "left", "right", "nose"], GREY, [[1, 2]])
    flipped = labels.flip(np.array([[0, 1, 3, 2, 2, 255]], np.uint8))
    np.testing.assert_array_equal(flipped, [[255, 1, 1, 3, 2, 0]])


def test_two_flips_give_back_every_label():
    labels = LabelSet(["bg", "left", "right", "nose"], GREY, [[1, 2]])
    map_ = np.random.default_rng(0).integers(0, 4, (2, 5, 7)).astype(np.uint8)
    np.testing.assert_array_equal(labels.flip(labels.flip(map_)), map_)


def test_face_sides_are_the_viewers(face11):
    assert face11.names[2] == "left_brow"
    assert face11.names[4] == "left_eye"
    assert {tuple(pair) for pair in face11.pairs} == {(2, 3), (4, 5)}


def test_the_palette_has_a_colour_of_its_own_for_each_class(face11):
    assert len(set(face11.palette)) == face11.num_classes == 11
    assert face11.palette_lut[255].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("names", "palette", "pairs", "word"),
    [
        (["bg"], GREY[:1], [], "2 to 255"),
        (["bg", "bg"], GREY[:2], [], "twice"),
        (["bg", "a/b"], GREY[:2], [], "no '/'"),
        (["bg", ""], GREY[:2], [], "not empty"),
        (["bg", "a"], GREY, [], "2 colours"),
        (["bg", "a"], [[0, 0, 0], [0, 0, 256]], [], "0 to 255"),
        (["bg", "a", "b"], GREY[:3], [[1, 3]], "0 to 2"),
        (["bg", "a", "b"], GREY[:3], [[1, 2], [2, 1]], "one pair"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(names, palette, pairs, word):
    with pytest.raises(ValueError, match=word):
        LabelSet(names, palette, pairs)


@pytest.mark.parametrize("num_classes", [2, 19, 255])
def test_numbered_classes_have_their_ids_for_names_and_colours_of_their_own(num_classes):
    labels = numbered(num_classes)
    assert labels.names == tuple(str(k) for k in range(num_classes))
    assert labels.palette[0] == (0, 0, 0)
    assert len(set(labels.palette)) == num_classes


COVERS = {"bg": ["neck"], "nose": ["left nostril", "right nostril"]}


def test_the_ids_of_a_data_set_become_those_of_the_label_set_by_name():
    labels = LabelSet(["bg", "left", "right", "nose"], GREY, covers=COVERS)
    names = ["right", "left", "neck", "left nostril", "bg", "glasses", "ear", "right nostril"]
    lut = class_lut(names, labels, {"glasses": None, "ear": "left nostril", "neck": "left"})
    assert lut[:8].tolist() == [2, 1, 0, 3, 0, 255, 3, 3]
    assert set(lut[8:]) == {255}


def test_a_class_without_a_place_or_without_a_part_is_named():
    labels = LabelSet(["bg", "left", "right", "nose"], GREY, covers=COVERS)
    with pytest.raises(ValueError, match=r"no class is called glasses or covers it; add it to labels\.covers"):
        class_lut(["bg", "left", "right", "nose", "glasses"], labels)
    with pytest.raises(ValueError, match="the data set has nothing that is called left, nose"):
        class_lut(["bg", "right"], labels)


def test_what_is_covered_belongs_to_one_class():
    for covers, message in (
        ({"mouth": ["lip"]}, "mouth is no class"),
        ({"bg": ["lip"], "nose": ["lip"]}, "lip belongs to more than one class"),
        ({"bg": ["left"]}, "left belongs to more than one class"),
    ):
        with pytest.raises(ValueError, match=message):
            LabelSet(["bg", "left", "right", "nose"], GREY, covers=covers)
