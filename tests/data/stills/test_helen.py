import numpy as np
import pytest
import torch

from facestab.data.images import ImageData
from facestab.data.stills.helen import Helen
from facestab.data.transforms import Augmentation
from facestab.errors import FacestabError
from facestab.functional.losses import cross_entropy
from tests.data.stills.trees import FACES, helen, write_labels

MAPS = {1: 150, 4: 50, 6: 40}


@pytest.fixture
def root(tmp_path):
    return helen(tmp_path)


@pytest.fixture
def soft_root(root):
    """The validation image's left eye becomes uncertain: skin 150, eye 50, nose 40."""
    labels = FACES[1999][1]
    for id in range(11):
        values = np.where(labels == 4, MAPS.get(id, 0), 200 * (labels == id)).astype(np.uint8)
        write_labels(root / "labels" / "1999_1" / f"1999_1_lbl{id:02d}.png", values)
    return root


def test_soft_labels_are_the_two_most_probable_classes_and_their_shares(soft_root, face11):
    eye = FACES[1999][1] == 4
    image = Helen(str(soft_root), face11, target="soft", crop=0).split("val")[0]
    assert (image.labels_HW[eye] == 1).all()
    assert (image.runner_up_HW[eye] == 4).all()
    np.testing.assert_allclose(image.share_HW[eye], 0.75)
    np.testing.assert_array_equal(image.share_HW[~eye], 1)
    hard = Helen(str(soft_root), face11, target="hard", crop=0).split("val")[0]
    np.testing.assert_array_equal(hard.labels_HW, image.labels_HW)
    assert hard.share_HW is None


def test_a_soft_batch_gives_the_cross_entropy_of_both_classes(soft_root, face11):
    data = ImageData(Helen(str(soft_root), face11, target="soft", crop=0), Augmentation(64, face11), batch_size=1)
    (batch,) = list(data.val_dataloader())
    logits = torch.randn((1, 11, 64, 64), generator=torch.Generator().manual_seed(0))
    log_probs = logits.log_softmax(1)[0].numpy()
    eye = FACES[1999][1] == 4
    expected = -np.take_along_axis(log_probs, np.where(eye, 1, FACES[1999][1])[None].astype(int), 0)[0]
    expected[eye] = -(0.75 * log_probs[1][eye] + 0.25 * log_probs[4][eye])
    loss = cross_entropy(logits, batch.labels_BHW, *batch.soft)
    assert loss.item() == pytest.approx(expected.mean(), rel=1e-5)


def test_a_flip_exchanges_the_sides_of_the_runner_up_too(soft_root, face11):
    data = ImageData(Helen(str(soft_root), face11, target="soft", crop=0), Augmentation(64, face11, flip=1.0), 1)
    (plain,) = list(data.val_dataloader())
    data.dataset.files("train")[:] = data.dataset.files("val")
    (mirrored,) = list(data.train_dataloader())
    eye = plain.share_BHW[0] == 0.75
    assert eye.any()
    assert (plain.runner_up_BHW[0][eye] == 4).all()
    assert torch.equal(mirrored.share_BHW, plain.share_BHW.flip(-1))
    assert (mirrored.runner_up_BHW[0][eye.flip(-1)] == 5).all()


def test_classes_that_become_one_are_certain(soft_root, compose_config):
    from facestab.build import build

    person2 = build(compose_config("stage=image", "labels=person2").labels)
    image = Helen(str(soft_root), person2, target="soft", crop=0).split("val")[0]
    np.testing.assert_array_equal(image.share_HW, 1)
    np.testing.assert_array_equal(image.labels_HW, FACES[1999][1] > 0)


def test_ties_go_to_the_lower_id_and_nothing_is_background(root, face11):
    for id in range(11):
        values = np.zeros((64, 64), np.uint8)
        values[:32] = 90 * (id in (3, 8))
        write_labels(root / "labels" / "1999_1" / f"1999_1_lbl{id:02d}.png", values)
    image = Helen(str(root), face11, target="soft", crop=0).split("val")[0]
    assert (image.labels_HW[:32] == 3).all()
    assert (image.labels_HW[32:] == 0).all()
    np.testing.assert_array_equal(image.share_HW[:32], 0.5)
    np.testing.assert_array_equal(image.share_HW[32:], 1)


def test_the_picture_is_cut_to_a_square_around_the_labelled_face(root, face11):
    from PIL import Image

    picture, labels = FACES[1999]
    wide, wide_labels = np.zeros((64, 200, 3), np.uint8), np.zeros((64, 200), np.uint8)
    wide[:, 100:164], wide_labels[:, 100:164] = picture, np.where(labels == 10, 0, labels)
    Image.fromarray(wide).save(root / "images" / "1999_1.jpg")
    for id in range(11):
        write_labels(
            root / "labels" / "1999_1" / f"1999_1_lbl{id:02d}.png", (255 * (wide_labels == id)).astype(np.uint8)
        )
    image = Helen(str(root), face11, crop=1.2).split("val")[0]
    rows, columns = np.nonzero(wide_labels)
    side = round(1.2 * max(np.ptp(rows), np.ptp(columns)) + 1.2)
    assert image.labels_HW.shape == (side, side)
    # nothing of the face is lost, and it lies in the middle
    assert (image.labels_HW > 0).sum() == (wide_labels > 0).sum()
    found = np.nonzero(image.labels_HW)
    assert abs((found[1].min() + found[1].max()) / 2 - (side - 1) / 2) <= 1
    # a square larger than the picture is as large as the picture
    assert Helen(str(root), face11, crop=9.0).split("val")[0].labels_HW.shape == (64, 64)


def test_missing_files_are_named(root, face11):
    (root / "labels" / "1999_1" / "1999_1_lbl07.png").unlink()
    with pytest.raises(FacestabError, match=r"1999_1_lbl07\.png: no such file"):
        Helen(str(root), face11).split("val")[0]
    (root / "testing.txt").unlink()
    with pytest.raises(FacestabError, match=r"testing\.txt: no such list"):
        Helen(str(root), face11)


def test_settings_that_cannot_be_are_refused(root, face11):
    with pytest.raises(ValueError, match=r"data\.target is hard or soft, got both"):
        Helen(str(root), face11, target="both")
    with pytest.raises(ValueError, match=r"data\.crop must not be negative"):
        Helen(str(root), face11, crop=-1)
