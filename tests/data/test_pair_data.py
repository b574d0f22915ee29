from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from facestab.data.exact_flow import ExactFlow
from facestab.data.flow_store import FlowStore
from facestab.data.images import ImageData
from facestab.data.pair_data import FramePairData
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.synthetic.sets import SyntheticImages, SyntheticVideos
from facestab.data.teacher import FrameTeacher
from facestab.data.transforms import Augmentation
from tests.tiny import tiny_net


@pytest.fixture(scope="module")
def make_data(face11, tmp_path_factory):
    root = str(tmp_path_factory.mktemp("world"))
    videos = SyntheticVideos(root, face11, size=48, num_frames=4, num_train=2, num_val=1, num_test=1)
    images = SyntheticImages(root, face11, size=48, num_train=4, num_val=2, num_test=1)
    teacher = FrameTeacher(face11)
    flows = FlowStore(root + "/flow", ExactFlow(videos), 48)

    def make(with_flow=False, use_true_labels=False, **settings):
        augment = Augmentation(48, face11)
        chosen = {"batch_size": 2, **settings}
        labelled = {"size": 48, "teacher": teacher, "labels": face11, "use_true_labels": use_true_labels}
        store = PseudoLabelStore(root + "/labels", tiny_net(), **labelled)
        image_data = ImageData(images, augment, batch_size=2)
        return FramePairData(videos, image_data, store, augment, flows=flows if with_flow else None, **chosen)

    return make


def ready(data):
    """What Lightning does before the first batch."""
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    data.trainer = SimpleNamespace(global_rank=0, world_size=1, strategy=strategy)
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"num_workers": -1}, "num_workers must not be negative, got -1"),
        ({"gaps": []}, "gaps: whole numbers of at least 1 frame are needed, got"),
        ({"gaps": [2, 0]}, "gaps: whole numbers of at least 1 frame are needed, got"),
        ({"images_per_pair": -1}, "images_per_pair: 0 or more images are needed, got -1"),
        ({"still_share": -0.1}, "still_share: a share from 0 to 1 is needed, got -0.1"),
        ({"still_share": 1.1}, "still_share: a share from 0 to 1 is needed, got 1.1"),
        ({"splits": []}, "splits: one or more of train, val, test are needed, got"),
        ({"splits": ["train", "dev"]}, "splits: one or more of train, val, test are needed, got"),
    ],
)
def test_settings_that_cannot_be_are_refused(make_data, settings, message):
    with pytest.raises(ValueError, match=message):
        make_data(**settings)


def test_class_shares_are_those_of_the_training_videos_and_sum_to_one(make_data):
    data = ready(make_data())
    share_K = data.class_share()
    labels = [soft.label_HW for item in data.videos.split("train") for soft in data.store.open(item).frames()]
    expected = np.bincount(np.concatenate(labels).ravel(), minlength=11)
    assert share_K.dtype == np.float64
    assert share_K.shape == (11,)
    assert share_K.sum() == pytest.approx(1)
    np.testing.assert_allclose(share_K, expected / expected.sum())


@pytest.mark.parametrize("with_flow", [False, True])
def test_training_batches_hold_pairs_and_images_beside_them(make_data, with_flow):
    data = ready(make_data(with_flow, gaps=[1, 2], images_per_pair=3))
    batches = list(data.train_dataloader())
    # three pairs a video, two videos
    assert len(batches) == 3
    for pair, images in batches:
        assert pair.frames_BTCHW.shape == (2, 2, 3, 48, 48)
        assert pair.labels_BTHW.shape == pair.runner_up_BTHW.shape == pair.share_BTHW.shape == (2, 2, 48, 48)
        assert pair.flow_BHW2.shape == (2, 48, 48, 2)
        assert pair.visible_BHW.shape == (2, 48, 48)
        assert images.images_BCHW.shape == (2, 3, 3, 48, 48)
        assert images.labels_BHW.shape == (2, 3, 48, 48)
    assert any(pair.flow_BHW2.any() for pair, _ in batches) is with_flow


def test_validation_has_pairs_and_labelled_images(make_data):
    pairs, images = ready(make_data(gaps=[2, 3])).val_dataloader()
    # the smallest gap: frames 0 and 2, 1 and 3
    (pair,) = pairs
    assert pair.frames_BTCHW.shape == (2, 2, 3, 48, 48)
    assert sum(len(batch.images_BCHW) for batch in images) == 2


def test_pairs_change_from_epoch_to_epoch_in_training_only(make_data):
    data = ready(make_data(gaps=[1, 2]))
    for loader, changes in ((data.train_dataloader(), True), (data.val_dataloader()[0], False)):
        epochs = []
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            batches = [batch.pair if changes else batch for batch in loader]
            epochs.append(torch.cat([batch.frames_BTCHW for batch in batches]))
        assert torch.equal(*epochs) is not changes


def test_training_learns_from_the_videos_of_every_split_that_is_named(make_data):
    (pixels_HWC,) = (next(iter(item.open().frames())) for item in make_data().videos.split("test"))
    seen = {}
    for splits in (["train"], ["test"], ["train", "test"], ["test", "train", "test"]):
        data = ready(make_data(splits=splits))
        frames = torch.cat([batch.pair.frames_BTCHW.flatten(0, 1) for batch in data.train_dataloader()])
        first = torch.from_numpy(pixels_HWC).permute(2, 0, 1)
        seen[tuple(splits)] = len(frames), bool((frames == first).flatten(1).all(1).any())
    # two, one and three videos of three pairs
    assert seen == {
        ("train",): (12, False),
        ("test",): (6, True),
        ("train", "test"): (18, True),
        ("test", "train", "test"): (18, True),
    }


def test_true_labels_of_videos_that_are_measured_are_never_learned_from(make_data):
    data = ready(make_data(splits=["train", "test"], use_true_labels=True))
    (measured,) = data.videos.split("test")
    store = data.store
    own_THW = np.stack([soft.label_HW for soft in store.open(replace(measured, truth=None)).frames()])
    assert not np.array_equal(own_THW, np.stack([soft.label_HW for soft in store.open(measured).frames()]))
    pixels_K = sum(np.bincount(labels.ravel(), minlength=11) for labels in own_THW)
    for item in data.videos.split("train"):
        for soft in store.open(item).frames():
            pixels_K = pixels_K + np.bincount(soft.label_HW.ravel(), minlength=11)
    np.testing.assert_allclose(data.class_share(), pixels_K / pixels_K.sum())
    kept = [item.truth for item in data.pairs(train=True).items]
    assert kept[-1] is None
    assert all(kept[:-1])
