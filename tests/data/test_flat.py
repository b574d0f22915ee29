import numpy as np
import pytest
from PIL import Image

from facestab.data.flat import FlatImages
from facestab.errors import FacestabError


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, (20, 24, 3)).astype(np.uint8)).save(tmp_path / "images" / f"{i}.png")
        Image.fromarray(np.full((20, 24), i % 11, np.uint8)).save(tmp_path / "labels" / f"{i}.png")
    return tmp_path


def test_every_image_is_in_one_split_with_its_own_labels(root, face11):
    images = FlatImages(str(root), face11, 0.2, 0.2)
    stems = []
    for name in ("train", "val", "test"):
        split = images.split(name)
        stems += [path.stem for path, _ in split.pairs]
        for index in range(len(split)):
            image, labels = split[index]
            assert image.shape == (20, 24, 3)
            assert (labels == int(split.pairs[index][0].stem) % 11).all()
    assert sorted(stems, key=int) == [str(i) for i in range(40)]


def test_an_image_stays_in_its_split_when_others_come(root, face11):
    before = [path for path, _ in FlatImages(str(root), face11, 0.2, 0.2).split("train").pairs]
    for name in ("images", "labels"):
        Image.fromarray(np.zeros((20, 24), np.uint8)).save(root / name / "new.png")
    after = [path for path, _ in FlatImages(str(root), face11, 0.2, 0.2).split("train").pairs]
    assert [path for path in after if path.stem != "new"] == before


def test_a_missing_label_map_is_named(root, face11):
    (root / "labels" / "7.png").unlink()
    with pytest.raises(FacestabError, match=r"7\.png: no such label map \(1 of 40"):
        FlatImages(str(root), face11)


def test_an_id_outside_the_label_set_is_named(root, face11):
    Image.fromarray(np.full((20, 24), 12, np.uint8)).save(root / "labels" / "3.png")
    images = FlatImages(str(root), face11, 0.0, 0.0).split("train")
    index = [path.stem for path, _ in images.pairs].index("3")
    with pytest.raises(FacestabError, match=r"3\.png: holds the id 12, ids go from 0 to 10"):
        images[index]


def test_a_label_map_of_another_size_is_named(root, face11):
    Image.fromarray(np.zeros((20, 25), np.uint8)).save(root / "labels" / "3.png")
    images = FlatImages(str(root), face11, 0.0, 0.0).split("train")
    index = [path.stem for path, _ in images.pairs].index("3")
    with pytest.raises(FacestabError, match=r"3\.png: \(20, 25\) does not fit"):
        images[index]


def test_a_folder_of_another_form_is_explained(tmp_path, face11):
    with pytest.raises(FacestabError, match="has no folder 'images'"):
        FlatImages(str(tmp_path), face11)
