import numpy as np
import pytest
from PIL import Image

from facestab.data.stills.flat import FlatImages
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
        stems += [file.id for file in split.files]
        for index in range(len(split)):
            image = split[index]
            assert image.image_HWC.shape == (20, 24, 3)
            assert (image.labels_HW == int(split.files[index].id) % 11).all()
    assert sorted(stems, key=int) == [str(i) for i in range(40)]


def test_an_image_stays_in_its_split_when_others_come(root, face11):
    before = FlatImages(str(root), face11, 0.2, 0.2).files("train")
    for name in ("images", "labels"):
        Image.fromarray(np.zeros((20, 24), np.uint8)).save(root / name / "new.png")
    after = FlatImages(str(root), face11, 0.2, 0.2).files("train")
    assert [file for file in after if file.id != "new"] == before


def test_a_missing_label_map_is_named(root, face11):
    (root / "labels" / "7.png").unlink()
    with pytest.raises(FacestabError, match=r"7\.png: no such label map \(1 of 40"):
        FlatImages(str(root), face11).prepare()


def test_an_id_outside_the_label_set_is_named(root, face11):
    Image.fromarray(np.full((20, 24), 12, np.uint8)).save(root / "labels" / "3.png")
    images = FlatImages(str(root), face11, 0.0, 0.0).split("train")
    index = [file.id for file in images.files].index("3")
    with pytest.raises(FacestabError, match=r"3\.png: holds the id 12, which stands for no class; ids go from 0 to 10"):
        images[index]


def test_a_label_map_of_another_size_is_named(root, face11):
    Image.fromarray(np.zeros((20, 25), np.uint8)).save(root / "labels" / "3.png")
    images = FlatImages(str(root), face11, 0.0, 0.0).split("train")
    index = [file.id for file in images.files].index("3")
    with pytest.raises(FacestabError, match=r"3\.png: is 25x20, the image is 24x20"):
        images[index]


def test_a_folder_of_another_form_is_explained(tmp_path, face11):
    with pytest.raises(FacestabError, match="has no folder 'images'"):
        FlatImages(str(tmp_path), face11)


def test_folders_for_the_splits_are_used_as_they_are(root, face11):
    for split in ("train", "val"):
        for name in ("images", "labels"):
            (root / split / name).mkdir(parents=True)
            Image.fromarray(np.zeros((20, 24), np.uint8)).save(root / split / name / f"{split}.png")
    images = FlatImages(str(root), face11)
    assert {name: [file.id for file in images.files(name)] for name in ("train", "val", "test")} == {
        "train": ["train"],
        "val": ["val"],
        "test": ["val"],
    }


def test_ids_of_the_files_get_the_names_that_the_user_says(root, face11):
    classes = {0: "background", 1: "hair", 2: None, 3: "neck", **{i: "skin" for i in range(4, 10)}}
    images = FlatImages(str(root), face11, 0.0, 0.0, classes)
    wanted = {0: 0, 1: 10, 2: 255, 3: 0, 4: 1}
    for file in images.files("train"):
        id = int(file.id) % 11
        if id in wanted:
            assert (images[file].labels_HW == wanted[id]).all()
        elif id == 10:
            with pytest.raises(FacestabError, match="holds the id 10, which stands for no class"):
                images[file]


def test_names_that_no_class_has_are_refused(root, face11):
    with pytest.raises(ValueError, match=r"data\.classes: no class is called cat; there are background, skin"):
        FlatImages(str(root), face11, classes={0: "cat"})
    with pytest.raises(ValueError, match=r"ids go from 0 to 254, got 255"):
        FlatImages(str(root), face11, classes={255: "skin"})


def test_label_maps_with_colours_are_refused_and_palettes_read(root, face11):
    Image.fromarray(np.full((20, 24), 3, np.uint8)).convert("P").save(root / "labels" / "3.png")
    Image.fromarray(np.zeros((20, 24, 3), np.uint8)).save(root / "labels" / "4.png")
    images = FlatImages(str(root), face11, 0.0, 0.0)
    files = {file.id: file for file in images.files("train")}
    with pytest.raises(FacestabError, match=r"4\.png: has the mode RGB; a label map is an 8-bit grey or palette"):
        images[files["4"]]


def test_a_photograph_is_turned_as_its_camera_says(root, face11):
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the scene is the right side of the file
    pixels = np.zeros((24, 20, 3), np.uint8)
    pixels[:, :10] = 255
    (root / "images" / "3.png").unlink()
    Image.fromarray(pixels).save(root / "images" / "3.jpg", exif=exif)
    images = FlatImages(str(root), face11, 0.0, 0.0)
    image = images[{file.id: file for file in images.files("train")}["3"]].image_HWC
    assert image.shape == (20, 24, 3)
    assert image[:9].min() > 200
    assert image[11:].max() < 50


def test_a_broken_image_is_named(root, face11):
    data = (root / "images" / "3.png").read_bytes()
    images = FlatImages(str(root), face11, 0.0, 0.0)
    file = {file.id: file for file in images.files("train")}["3"]
    for broken in (data[: len(data) // 2], b"", b"text"):
        (root / "images" / "3.png").write_bytes(broken)
        with pytest.raises(FacestabError, match=r"3\.png: not a readable image"):
            images[file]
