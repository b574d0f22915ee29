import logging
import os

import numpy as np
import pytest
from PIL import Image

from facestab.build import build
from facestab.data.stills.celebamask_hq import CLASSES, PARTS, CelebAMaskHQ, compose
from facestab.errors import FacestabError
from tests.data.stills.trees import FACES, celebamask_hq, write_rgb_mask

IGNORE_GLASSES = {"glasses": None, "left_ear": "background", "right_ear": "background"}


@pytest.fixture
def root(tmp_path):
    return celebamask_hq(tmp_path / "set")


@pytest.fixture
def make(root, face11, tmp_path):
    def make(labels=face11, **settings):
        return CelebAMaskHQ(str(root), labels, str(tmp_path / "cache"), **{"stands_for": IGNORE_GLASSES, **settings})

    return make


def masks_of(tmp_path, parts):
    """A mask folder with one image, in which a part covers the whole picture or a rectangle of it."""
    for part, where in parts.items():
        mask = np.zeros((8, 8), bool)
        mask[where] = True
        write_rgb_mask(tmp_path / "masks" / "0" / f"00007_{part}.png", mask)
    return tmp_path / "masks"


LEFT, RIGHT, ALL = np.s_[:, :4], np.s_[:, 4:], np.s_[:]


@pytest.mark.parametrize(
    ("below", "above"),
    [("skin", "eye_g"), ("eye_g", "l_eye"), ("r_brow", "hair"), ("hair", "hat"), ("neck_l", "neck"), ("neck", "cloth")],
)
def test_parts_cover_each_other_in_the_authors_order(tmp_path, below, above):
    labels = compose(masks_of(tmp_path, {above: LEFT, below: ALL}), 7)
    np.testing.assert_array_equal(labels[LEFT], PARTS.index(above) + 1)
    np.testing.assert_array_equal(labels[RIGHT], PARTS.index(below) + 1)


def test_masks_of_any_mode_are_read_alike(tmp_path):
    folder = masks_of(tmp_path, {"skin": ALL})
    for mode in ("L", "P", "1", "RGBA"):
        mask = np.zeros((8, 8), np.uint8)
        mask[LEFT] = 255
        Image.fromarray(mask).convert("RGB").convert(mode).save(folder / "0" / "00007_nose.png")
        np.testing.assert_array_equal(compose(folder, 7)[LEFT], 2)
        np.testing.assert_array_equal(compose(folder, 7)[RIGHT], 1)


def test_l_lip_is_the_lower_lip_and_ear_r_the_earring(root, compose_config, make):
    celeb19 = build(compose_config("stage=image", "labels=celebamask19").labels)
    assert celeb19.names == CLASSES
    images = make(celeb19)
    labels = images.split("val")[0].labels_HW
    fine = FACES[1999][1]
    for name, id in {"lower_lip": 9, "upper_lip": 7, "inner_mouth": 8, "left_eye": 4, "right_brow": 3}.items():
        np.testing.assert_array_equal(labels == celeb19.names.index(name), fine == id)
    write_rgb_mask(root / "CelebAMask-HQ-mask-anno" / "0" / "01999_ear_r.png", fine == 0)
    assert (make(celeb19).split("val")[0].labels_HW[fine == 0] == celeb19.names.index("earring")).all()


@pytest.mark.parametrize(("glasses", "id"), [(None, 255), ("skin", 1), ("background", 0)])
def test_glasses_and_ears_are_what_the_user_says(root, make, glasses, id):
    fine = FACES[1999][1]
    where, ears = (fine == 1) & (np.arange(64)[:, None] < 40), (fine == 1) & (np.arange(64)[:, None] >= 40)
    write_rgb_mask(root / "CelebAMask-HQ-mask-anno" / "0" / "01999_eye_g.png", where | (fine == 4))
    write_rgb_mask(root / "CelebAMask-HQ-mask-anno" / "0" / "01999_l_ear.png", ears)
    labels = make(stands_for={"glasses": glasses, "left_ear": "skin", "right_ear": "skin"}).split("val")[0].labels_HW
    assert (labels[where] == id).all()
    assert (labels[ears] == 1).all()
    # eyes are painted over glasses
    assert (labels[fine == 4] == 4).all()


def test_splits_come_from_the_lists(root, make):
    def splits():
        return {name: [file.id for file in make().files(name)] for name in ("train", "val", "test")}

    official = {"train": ["0"], "val": ["1999"], "test": ["2000"]}
    assert splits() == official
    # the list says otherwise than the numbers
    (root / "list_eval_partition.txt").write_text("119614.jpg 2\n162771.jpg 0\n182638.jpg 1\n")
    assert splits() == {"train": ["1999"], "val": ["2000"], "test": ["0"]}
    (root / "list_eval_partition.txt").unlink()
    assert splits() == official


def test_without_the_mapping_a_hash_splits_and_a_warning_says_so(root, make, caplog):
    (root / "CelebA-HQ-to-CelebA-mapping.txt").unlink()
    with caplog.at_level(logging.WARNING):
        images = make()
        files = [file.id for name in ("train", "val", "test") for file in images.files(name)]
    assert sorted(files) == ["0", "1999", "2000"]
    assert "not the official ones" in caplog.text


def test_an_image_that_no_list_names_is_named(root, make):
    (root / "list_eval_partition.txt").write_text("119614.jpg 2\n162771.jpg 0\n")
    with pytest.raises(FacestabError, match=r"list_eval_partition\.txt: does not name 182638\.jpg.*image 2000"):
        make().files("train")
    (root / "list_eval_partition.txt").write_text("119614.jpg two\n")
    with pytest.raises(FacestabError, match=r"line 1 does not read .file 0\|1\|2.: 119614\.jpg two"):
        make().files("train")


def test_images_are_left_out_by_number(make):
    images = make(exclude=[1999])
    assert images.files("val") == []
    with pytest.raises(FacestabError, match="the split 'val' has no image"):
        images.split("val")


def test_label_maps_are_made_once_and_again_when_a_mask_comes(root, make):
    images = make()
    images.prepare()
    made = {path.name: path.stat().st_mtime_ns for path in images.cache.glob("*.png")}
    assert sorted(made) == ["0.png", "1999.png", "2000.png"]
    (images.cache / "0.png").unlink()
    again = make()
    again.prepare()
    assert again.cache == images.cache
    assert (images.cache / "1999.png").stat().st_mtime_ns == made["1999.png"]
    assert (images.cache / "0.png").exists()
    # the maps are used: without its parts an image can still be read
    for path in (root / "CelebAMask-HQ-mask-anno" / "0").glob("01999_*"):
        os.rename(path, root / path.name)
    os.utime(root / "CelebAMask-HQ-mask-anno" / "0", ns=(1, 1))
    assert make().cache != images.cache
    np.testing.assert_array_equal(images.split("val")[0].labels_HW, FACES[1999][1])
    with pytest.raises(FacestabError, match=r"has no 01999_\*\.png, the parts of image 1999; add or exclude it"):
        make().split("val")[0]


def test_another_folder_is_explained(tmp_path, face11):
    with pytest.raises(FacestabError, match=r"no such folder; give the data set.s folder as data\.root"):
        CelebAMaskHQ(str(tmp_path / "nowhere"), face11, str(tmp_path), IGNORE_GLASSES)
    with pytest.raises(FacestabError, match="has no folder 'CelebA-HQ-img'"):
        CelebAMaskHQ(str(tmp_path), face11, str(tmp_path), IGNORE_GLASSES)
