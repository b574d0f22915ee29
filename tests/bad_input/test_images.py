"""Labelled images that cannot be trained on end in one line; those that can are read for what they show."""

import json

import numpy as np
import pytest
from PIL import Image

from facestab.data.stills.files import hashed_split, read_rgb
from facestab.errors import FacestabError
from facestab.video.frame_folder import FrameFolder
from tests.bad_input import images as made
from tests.bad_input.command import refuses

pytestmark = pytest.mark.slow

DATA = ["data=flat", "data.root=faces", "data.val_share=0.3", "data.test_share=0.3", "data.num_workers=0"]
TRAIN = ["stage=image", "net=tiny", "size=32", "image.max_epochs=1", "augment=clean", *DATA]
LABEL, IMAGE = "faces/labels/05.png: ", "faces/images/05.png: "
MODE = "; a label map is an 8-bit grey or palette image whose values are class ids"
REPLACE = "; replace it or take it out"
NO_CLASS = "has a class, all are 255; see stage=audit"
ALL = made.NAMES
VAL = tuple(name for name in ALL if hashed_split(name, 0.3, 0.3) == "val")
TRAINED = tuple(name for name in ALL if hashed_split(name, 0.3, 0.3) == "train")
REFUSED = {
    "label of 16 bits": (made.label(made.constant(300, dtype=np.uint16)), f"{LABEL}has the mode I;16{MODE}"),
    "label in colour": (made.label(made.constant(0, (24, 20, 3))), f"{LABEL}has the mode RGB{MODE}"),
    "label with alpha": (made.label(made.constant(0), "LA"), f"{LABEL}has the mode LA{MODE}"),
    "id out of range": (
        made.label(made.constant(77)),
        f"{LABEL}holds the id 77, which stands for no class; ids go from 0 to 10",
    ),
    "many ids out of range": (
        made.label(np.arange(480).reshape(24, 20).astype(np.uint8) % 251),
        f"{LABEL}holds the ids 11, 12, 13, 14, 15, which stand for no class; ids go from 0 to 10",
    ),
    "label of another size": (
        made.label(made.constant(0, (20, 24))),
        f"{LABEL}is 24x20, the image is 20x24; labels need the image's size",
    ),
    "label of a picture that EXIF turns": (
        made.image(made.constant(0, (24, 20, 3)), ".jpg", exif=made.held_upright()),
        f"{LABEL}is 20x24, the image is 24x20 upright, as its EXIF says; labels need the image's size",
    ),
    "label missing": (made.without("labels", "05"), f"{LABEL}no such label map (1 of 12 are missing)"),
    "label cut off": (made.cut("labels"), f"{LABEL}not a readable image (image file is truncated){REPLACE}"),
    "label is a folder": (made.is_folder("labels"), f"{LABEL}not a readable image (is a directory){REPLACE}"),
    "image cut off": (made.cut("images"), f"{IMAGE}not a readable image (image file is truncated){REPLACE}"),
    "image is text": (made.image(b"no pixels"), f"{IMAGE}not a readable image (of no known format){REPLACE}"),
    "image is empty": (made.image(b""), f"{IMAGE}not a readable image (of no known format){REPLACE}"),
    "image is a folder": (made.is_folder("images"), f"{IMAGE}not a readable image (is a directory){REPLACE}"),
    "image of floating point": (
        made.image(made.constant(0, dtype=np.float32), ".tif"),
        "faces/images/05.tif: not a usable image, its values are floating point; save it with 8 or 16 bits",
    ),
    "image that would fill the memory": (
        made.image(made.png_header(60000, 60000)),
        f"{IMAGE}not a readable image (image size (3600000000 pixels) exceeds limit of 178956970 pixels, could be "
        f"decompression bomb dos attack){REPLACE}",
    ),
    "two images of one name": (
        made.another_suffix,
        "faces/images: 05.jpg and 05.png would have the same label map; give one another name",
    ),
    "no images": (made.without("images", *ALL), "faces/images: holds no images"),
    "one image": (
        made.without("images", *ALL[1:]),
        "faces: the split 'val' has no image; add some or change how it is split",
    ),
    "nothing labelled": (made.ignored(*ALL), f"no pixel of the validation images {NO_CLASS}"),
    "nothing labelled to train on": (made.ignored(*TRAINED), f"no pixel of the training images {NO_CLASS}"),
    "nothing labelled to validate on": (made.ignored(*VAL), f"no pixel of the validation images {NO_CLASS}"),
}
SETTINGS = {
    "data.root=nowhere": "nowhere: no such folder; give the data set's folder as data.root",
    "data.root=faces/images": "faces/images: has no folder 'images'; a flat data set has images/ and labels/",
    "data.root=null": "data.root must be the path of a file or folder, got 'None'",
    "data.val_share=0.9": "flat_data: data.val_share + data.test_share must be below 1, got 0.9 + 0.3",
    "data.classes={0: background, 1: fur}": "flat_data: data.classes: no class is called fur; there are background, "
    "skin, left_brow, right_brow, left_eye, right_eye, nose, upper_lip, inner_mouth, lower_lip, hair",
}


@pytest.fixture
def faces(tmp_path):
    made.small_set(tmp_path / "faces")
    return tmp_path / "faces"


@pytest.mark.parametrize("case", REFUSED)
def test_training_ends_with_the_file_and_what_is_wrong(command, tmp_path, faces, case):
    make, message = REFUSED[case]
    make(faces)
    refuses(command(*TRAIN), tmp_path, message)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_wrong_setting_of_the_set_is_named(command, tmp_path, faces, setting):
    refuses(command(*TRAIN, setting), tmp_path, SETTINGS[setting])


def test_the_audit_counts_what_cannot_be_used_and_shows_the_rest(command, tmp_path, faces):
    made.label(made.constant(77))(faces)
    made.ignored("00")(faces)
    made.without("images", "02")(faces)
    ended = command("stage=audit", "pictures=1", "size=32", *DATA[:4])
    problem = "1 of 11 images cannot be used: faces/labels/05.png: holds the id 77, which stands for no class; ids go"
    assert ended.code == 1
    assert f"problem: {problem} from 0 to 10" in ended.text
    assert "remark: a label map without an image: faces/labels/02.png" in ended.text
    assert "remark: train: every pixel is ignored: faces/images/00.png" in ended.text
    folder = tmp_path / "runs" / "audit" / "run"
    assert len(json.loads((folder / "audit.json").read_text())["splits"]["train"]["unusable"]) == 1
    assert (folder / "contact_sheet.png").is_file()


def write_kinds(folder):
    """A grey-blue picture, in every form that shows it, and what it looks like."""
    folder.mkdir()
    rgb = np.empty((*made.SHAPE, 3), np.uint8)
    rgb[:] = (96, 96, 96)
    grey = Image.fromarray(rgb[..., 0])
    grey.save(folder / "grey.png")
    Image.fromarray(rgb[..., 0].astype(np.uint16) * 256 + 7).save(folder / "16_bits.png")
    Image.fromarray(rgb[..., 0].astype(np.int32) * 256).save(folder / "32_bits.tif")
    Image.fromarray(np.dstack([rgb, rgb[..., 0]])).save(folder / "rgba.png")
    grey.convert("LA").save(folder / "grey_alpha.png")
    grey.convert("P").save(folder / "palette.png")
    grey.convert("P").save(folder / "palette_alpha.png", transparency=bytes(range(256)))
    Image.fromarray(np.uint8([0, 0, 0, 159]) * np.ones((*made.SHAPE, 1), np.uint8), "CMYK").save(folder / "cmyk.tif")
    return rgb


def test_pictures_of_all_kinds_show_the_same(tmp_path):
    rgb = write_kinds(tmp_path / "kinds")
    for path in sorted((tmp_path / "kinds").iterdir()):
        np.testing.assert_array_equal(read_rgb(path), rgb, err_msg=path.name)
    frames = FrameFolder(tmp_path / "kinds")
    assert frames.info.num_frames == 8
    for frame in frames.frames():
        np.testing.assert_array_equal(frame, rgb)


def test_a_photograph_is_upright_as_an_image_and_as_a_frame(tmp_path):
    rgb = np.zeros((24, 40, 3), np.uint8)
    # what the telephone's lower left is, an upright picture has at its upper left
    rgb[12:, :20] = 255
    Image.fromarray(rgb).save(tmp_path / "0.jpg", exif=made.held_upright(), quality=100)
    frames = FrameFolder(tmp_path)
    assert (frames.info.height, frames.info.width) == (40, 24)
    for upright in (read_rgb(tmp_path / "0.jpg"), next(frames.frames())):
        assert upright.shape == (40, 24, 3)
        assert upright[:18, :10].mean() > 250
        assert upright[22:].mean() < 5
        assert upright[:, 14:].mean() < 5


def test_values_of_an_unknown_range_are_refused_as_frames_too(tmp_path):
    Image.fromarray(np.full(made.SHAPE, 70000, np.int32)).save(tmp_path / "0.tif")
    with pytest.raises(FacestabError, match=r"0\.tif: .*more than 16 bits; save it with 8 or 16"):
        next(FrameFolder(tmp_path).frames())


def test_a_large_photograph_is_no_reason_to_warn(command, tmp_path, faces):
    # more pixels than Pillow warns at, fewer than it refuses
    made.image(made.png_header(10000, 10000))(faces)
    message = f"{IMAGE}not a readable image (image file is truncated (0 bytes not processed)){REPLACE}"
    refuses(command(*TRAIN), tmp_path, message)


@pytest.mark.parametrize("kind", ["palette", "one bit"])
def test_label_maps_with_a_palette_or_one_bit_hold_ids(faces, kind, face11):
    from facestab.data.stills.flat import FlatImages

    grey = Image.fromarray(np.uint8(255) * (np.indices(made.SHAPE).sum(0) % 2 == 0).astype(np.uint8))
    if kind == "palette":
        grey = Image.fromarray((np.indices(made.SHAPE).sum(0) % 2 == 0).astype(np.uint8)).convert("P")
        grey.putpalette([0, 0, 0, 200, 30, 30])
    else:
        grey = grey.convert("1")
    grey.save(faces / "labels" / "05.png")
    images = FlatImages(str(faces), face11, 0.3, 0.3)
    (file,) = [file for file in images.files("train") if file.id == "05"]
    np.testing.assert_array_equal(images[file].labels_HW, np.indices(made.SHAPE).sum(0) % 2 == 0)
