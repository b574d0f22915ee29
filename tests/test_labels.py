import numpy as np
import pytest
from skimage.color import rgb2lab

from facestab.build import build
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


# Machado, Oliveira and Fernandes (2009), severity 1, in linear RGB
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def seen(palette, sight):
    """The colours as such an eye sees them, in CIE Lab."""
    encoded = np.array(palette) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(SIGHT[sight]).T, 0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)[None])[0]


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize(("name", "least"), [("face11", 26), ("celebamask19", 17), ("coarse5", 26), ("person2", 26)])
def test_every_eye_can_tell_all_classes_apart(compose_config, name, least, sight):
    labels = build(compose_config("stage=image", f"labels={name}").labels)
    colours = seen(labels.palette, sight)
    distance = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    a, b = np.unravel_index(distance.argmin(), distance.shape)
    assert distance.min() >= least, f"{labels.names[a]} and {labels.names[b]} are {distance.min():.1f} apart"
