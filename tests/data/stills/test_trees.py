"""The same faces in the layout of every data set are the same to facestab."""

import numpy as np
import pytest

from facestab.build import build
from tests.data.stills.trees import COLOURS, FACES, SPLITS, WRITERS

OPTIONS = {
    "flat": ["data.classes={20: background, 21: skin, 22: left_brow, 23: right_brow, 24: left_eye, 25: right_eye, "
             "26: nose, 27: upper_lip, 28: inner_mouth, 29: lower_lip, 30: hair}"],
    "helen": ["data.crop=0"],
}  # fmt: skip


@pytest.fixture
def make_data(compose_config, tmp_path):
    def make(name, *overrides):
        root = tmp_path / name
        if not root.exists():
            WRITERS[name](root)
        options = [f"data={name}", f"data.root={root}", f"paths.cache={tmp_path / 'cache'}", *OPTIONS.get(name, [])]
        return build(compose_config("stage=image", "size=64", *options, *overrides).data)

    return make


@pytest.mark.parametrize("name", WRITERS)
def test_every_data_set_gives_the_same_labels_for_the_same_face(make_data, name):
    images = make_data(name).dataset
    images.prepare()
    for split, (picture, labels) in zip(SPLITS, FACES.values(), strict=True):
        (image,) = [images.split(split)[0]]
        np.testing.assert_array_equal(image.labels_HW, labels)
        assert np.abs(image.image_HWC.astype(int) - picture).mean() < 8


@pytest.mark.parametrize("name", WRITERS)
def test_sides_are_the_viewers_and_a_flip_keeps_them_so(make_data, face11, name):
    data = make_data(name)
    data.dataset.prepare()
    labels = data.dataset.split("val")[0].labels_HW
    mirrored = face11.flip(labels)
    for left, right in face11.pairs:
        for seen in (labels, mirrored):
            places = [np.nonzero(seen == id)[1].mean() for id in (left, right)]
            assert places[0] < places[1]
    np.testing.assert_array_equal(face11.flip(mirrored), labels)
    assert (mirrored != labels).any()


@pytest.mark.parametrize("name", WRITERS)
def test_a_batch_has_image_and_labels_of_the_network_s_size(make_data, name):
    data = make_data(name, "size=32", "data.num_workers=0", "data.batch_size=1")
    data.dataset.prepare()
    (batch,) = list(data.val_dataloader())
    assert batch.images_BCHW.shape == (1, 3, 32, 32)
    assert set(batch.labels_BHW.unique().tolist()) <= set(range(11))
    assert batch.soft == (None, None)


@pytest.mark.parametrize(("name", "finer"), [("coarse5", {1: [1, 2, 3, 6], 2: [4, 5], 3: [7, 8, 9], 4: [10]}),
                                             ("person2", {1: list(range(1, 11))})])  # fmt: skip
def test_a_coarser_label_set_merges_the_classes(make_data, name, finer):
    for source in ("celebamask_hq", "helen", "lapa"):
        images = make_data(source, f"labels={name}").dataset
        images.prepare()
        labels = images.split("val")[0].labels_HW
        for id, parts in finer.items():
            np.testing.assert_array_equal(labels == id, np.isin(FACES[1999][1], parts))


def test_several_sets_are_mixed_by_their_weights(make_data, compose_config, tmp_path):
    for name in ("lapa", "helen"):
        make_data(name)
    sets = [f"+data@data.sets.{name}={name}" for name in ("lapa", "helen")]
    roots = [f"data.sets.{name}.root={tmp_path / name}" for name in ("lapa", "helen")]
    options = ["data=mix", *sets, *roots, "data.weights={helen: 3}", "data.sets.helen.target=soft", "size=64"]
    images = build(compose_config("stage=image", *options).data).dataset
    images.prepare()
    assert [len(images.split(name)) for name in SPLITS] == [4, 2, 2]
    train = images.split("train")
    assert train.soft
    assert train[0].share_HW is None
    for index in range(1, 4):
        assert train[index].share_HW is not None
        assert "helen" in train.name(index)


def test_the_drawn_face_tells_its_classes_by_colour():
    for picture, labels in FACES.values():
        np.testing.assert_array_equal(COLOURS[labels], picture)
        assert len(np.unique(labels)) == 11
