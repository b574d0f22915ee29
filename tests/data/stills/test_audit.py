import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from facestab.data.images import LabelledImage
from facestab.data.stills.audit import audit
from facestab.data.stills.contact_sheet import contact_sheet
from facestab.data.stills.flat import FlatImages
from facestab.data.transforms import Augmentation
from facestab.labels import LabelSet
from tests.data.stills.test_mixed import Numbers
from tests.data.stills.trees import face, write_image, write_labels

NUMBER = 4


@pytest.fixture
def root(tmp_path):
    """A clean set: four different faces to train on, four to validate, four to test."""
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for number in range(NUMBER):
            image, labels = face(number - 2)
            noise = rng.integers(0, 30, image.shape).astype(np.uint8)
            write_image(tmp_path / split / "images" / f"{number}.png", image // 2 + noise)
            write_labels(tmp_path / split / "labels" / f"{number}.png", labels)
    return tmp_path


def audited(root, labels):
    return audit(FlatImages(str(root), labels), labels)


def test_nothing_speaks_against_a_clean_set(root, face11):
    found = audited(root, face11)
    assert found.problems == []
    assert found.remarks == []
    assert found.sides() == {"left_brow / right_brow": 1.0, "left_eye / right_eye": 1.0}


def test_shares_and_sizes_are_those_of_the_label_maps(root, face11):
    labels = np.stack([np.asarray(Image.open(root / "train" / "labels" / f"{n}.png")) for n in range(NUMBER)])
    labels[0, :10] = 255
    write_labels(root / "train" / "labels" / "0.png", labels[0])
    # a class that one image lacks
    labels[1][labels[1] == 8] = 1
    write_labels(root / "train" / "labels" / "1.png", labels[1])
    about = audited(root, face11).to_dict()["splits"]["train"]
    assert about["images"] == NUMBER
    assert about["sizes"] == {"64x64": NUMBER}
    assert about["ignored_pixels"] == 640
    counted = [(labels == id).sum() for id in range(11)]
    for id, name in enumerate(face11.names):
        assert about["classes"][name]["pixels"] == pytest.approx(counted[id] / sum(counted))
        assert about["classes"][name]["images"] == (0.75 if name == "inner_mouth" else 1.0)


def test_what_cannot_be_used_is_counted_and_named(root, face11):
    (root / "train" / "labels" / "1.png").unlink()
    (root / "val" / "images" / "2.png").write_bytes(b"nothing")
    write_labels(root / "test" / "labels" / "3.png", np.full((64, 64), 77, np.uint8))
    (problem,) = audited(root, face11).problems
    assert problem.startswith("3 of 12 images cannot be used: ")
    for part in ("1.png: no such file", "2.png: not a readable image", "3.png: holds the id 77"):
        assert part in problem


def test_exchanged_sides_are_a_problem(root, face11):
    swap = face11.flip_lut
    for split in ("train", "val", "test"):
        for path in (root / split / "labels").iterdir():
            write_labels(path, swap[np.asarray(Image.open(path))])
    found = audited(root, face11)
    assert len(found.problems) == 2
    assert "left_eye / right_eye lie the other way round in 100% of the pictures" in found.problems[1]


def test_some_turned_heads_are_a_remark(root, face11):
    paths = [root / split / "labels" / f"{n}.png" for split in ("train", "val") for n in (0, 1)]
    for path in paths:
        write_labels(path, face11.flip_lut[np.asarray(Image.open(path))])
    found = audited(root, face11)
    assert found.problems == []
    assert "the other way round in 33% of the pictures" in found.remarks[0]


def test_pictures_in_two_splits_are_a_problem_and_twice_in_one_a_remark(root, face11):
    for split, number in (("val", 9), ("train", 9)):
        for kind in ("images", "labels"):
            data = (root / "train" / kind / "0.png").read_bytes()
            (root / split / kind / f"{number}.png").write_bytes(data)
    found = audited(root, face11)
    (problem,) = found.problems
    assert problem.startswith("1 pictures are in train and in val: ")
    assert found.remarks[0].startswith("1 pictures are more than once in train: ")


def test_classes_that_nobody_can_learn_are_a_problem(root, face11):
    for path in (root / "train" / "labels").iterdir():
        labels = np.asarray(Image.open(path)).copy()
        labels[labels == 8] = 1
        write_labels(path, labels)
    assert audited(root, face11).problems == ["no training image shows the class: inner_mouth"]


def test_label_maps_without_an_image_and_without_a_class_are_remarks(root, face11):
    write_labels(root / "val" / "labels" / "extra.png", np.zeros((64, 64), np.uint8))
    write_labels(root / "val" / "labels" / "0.png", np.full((64, 64), 255, np.uint8))
    found = audited(root, face11)
    assert found.problems == []
    assert [remark.partition(":")[0] for remark in found.remarks] == ["val", "a label map without an image"]
    assert "extra.png" in found.remarks[1]


def test_an_empty_split_is_a_problem_unless_it_is_the_test(tmp_path):
    labels = LabelSet(["a", "b"], [[0, 0, 0], [1, 1, 1]])

    class Two(Numbers):
        def __getitem__(self, index):
            return LabelledImage(np.full((4, 4, 3), index, np.uint8), np.arange(16, dtype=np.uint8).reshape(4, 4) % 2)

    class Images:
        def prepare(self):
            pass

        def split(self, name):
            from facestab.errors import FacestabError

            if name in self.empty:
                raise FacestabError(f"the split '{name}' has no image")
            return Two([0, 1] if name == "train" else [2])

    images = Images()
    for empty, problems, remarks in (("val", 1, 0), ("test", 0, 1)):
        images.empty = {empty}
        found = audit(images, labels)
        # the two splits that are there share their first picture
        assert len([p for p in found.problems if "has no image" in p]) == problems
        assert len([r for r in found.remarks if "has no image" in r]) == remarks


def test_the_contact_sheet_has_a_row_an_image_and_names_all_classes(root, face11):
    split = FlatImages(str(root), face11).split("train")
    sheet = contact_sheet(split, face11, Augmentation(64, face11, flip=0.5), 3, seed=0)
    assert sheet.shape[1] == 4 * 64 + 3 * 4
    legend = sheet[22 + 3 * 64 :]
    for colour in face11.palette:
        assert (legend == colour).all(-1).sum() > 50
    np.testing.assert_array_equal(sheet[22:86, :64], split[0].image_HWC)
    (root / "train" / "images" / "0.png").write_bytes(b"nothing")
    fewer = contact_sheet(split, face11, Augmentation(64, face11), 3, seed=0)
    assert fewer.shape[0] == sheet.shape[0] - 64


@pytest.mark.slow
def test_the_command_says_what_is_wrong_in_one_line_and_ends_with_1(root, tmp_path):
    command = [sys.executable, "-m", "facestab.run", "stage=audit", "data=flat", f"data.root={root}", "name=a"]

    def run(*more):
        return subprocess.run([*command, *more], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)

    clean = run()
    assert clean.returncode == 0, clean.stderr
    folder = tmp_path / "runs" / "audit" / "a"
    assert json.loads((folder / "audit.json").read_text())["problems"] == []
    with Image.open(folder / "contact_sheet.png") as sheet:
        assert sheet.width == 4 * 128 + 3 * 4
    write_labels(root / "val" / "labels" / "0.png", np.full((64, 64), 12, np.uint8))
    broken = run()
    assert broken.returncode == 1
    (line,) = [text for text in broken.stderr.splitlines() if "error" in text]
    assert "audit.json: 1 problem, the first: 1 of 12 images cannot be used" in line
    assert "Traceback" not in broken.stderr
    assert "trains nothing and has no use for 'trainer=cpu'" in run("trainer=cpu").stderr
    assert "pictures must be at least 1, got 0" in run("pictures=0").stderr
