import albumentations as A
import numpy as np
import pytest
import torch

from facestab.data.pairs import FramePairs, TemporalSamples
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.sampler import SampleKey
from facestab.data.still_pairs import StillPairs
from facestab.data.synthetic.sets import SyntheticImages, SyntheticVideos
from facestab.data.teacher import FrameTeacher
from facestab.data.transforms import Augmentation
from facestab.functional.warping import warp_labels
from tests.tiny import tiny_net


@pytest.fixture(scope="module")
def world(face11, tmp_path_factory):
    """Pairs of one video and labelled images."""
    root = str(tmp_path_factory.mktemp("world"))
    videos = SyntheticVideos(root, face11, size=48, num_frames=4, num_train=1, num_val=1, num_test=1)
    images = SyntheticImages(root, face11, size=48, num_train=5, num_val=1, num_test=1)
    videos.prepare()
    images.prepare()
    teacher = FrameTeacher(face11)
    store = PseudoLabelStore(root + "/labels", tiny_net(), size=48, teacher=teacher, labels=face11)
    store.fill(videos.split("train"), torch.device("cpu"))
    return FramePairs(videos.split("train"), store, Augmentation(48, face11), train=True), images.split("train")


@pytest.fixture
def make_samples(world, face11):
    def make(num_images=2, still_share=0.0, photometric=(), size=48):
        pairs, images = world
        augment = Augmentation(size, face11, photometric=photometric)
        stills = StillPairs(images, augment, shift=1.5, turn=2.0)
        return TemporalSamples(pairs, images, augment, num_images, stills, still_share)

    return make


def flat(batch):
    return [*batch.pair, *batch.images[:2]]


@pytest.mark.parametrize("num_images", [0, 1, 3])
def test_each_pair_has_n_labelled_images_beside_it(world, make_samples, num_images):
    _, images = world
    samples = make_samples(num_images)
    assert len(samples) == 3
    known = {images[i].image_HWC.tobytes(): images[i].labels_HW for i in range(len(images))}
    for index in range(3):
        beside = samples[SampleKey(index, 7)].images
        assert beside.images_BCHW.shape == (num_images, 3, 48, 48)
        assert beside.labels_BHW.shape == (num_images, 48, 48)
        assert beside.images_BCHW.dtype == torch.uint8
        assert beside.labels_BHW.dtype == torch.int64
        for image_CHW, labels_HW in zip(beside.images_BCHW, beside.labels_BHW, strict=True):
            stored = known[np.ascontiguousarray(image_CHW.permute(1, 2, 0)).tobytes()]
            np.testing.assert_array_equal(labels_HW, stored)


def test_pairs_are_those_of_the_videos_when_none_is_made_of_a_still(world, make_samples):
    pairs, _ = world
    for index in range(3):
        key = SampleKey(index, 11)
        for own, expected in zip(make_samples()[key].pair, pairs.pair(key), strict=True):
            assert torch.equal(own, expected)


@pytest.mark.parametrize("still_share", [0.0, 1.0])
def test_the_same_key_gives_the_same_and_another_seed_something_else(make_samples, still_share):
    noise = [A.GaussNoise(std_range=(0.1, 0.1), p=1.0)]
    samples = make_samples(2, still_share, noise)
    first, again, other = (flat(samples[SampleKey(1, seed)]) for seed in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    # the images beside the pair
    assert not torch.equal(first[-2], other[-2])
    assert torch.equal(first[0], other[0]) is (still_share == 0)


def test_all_labelled_images_are_used(make_samples):
    seen = {samples.numpy().tobytes() for samples in (make_samples(1)[SampleKey(0, s)].images[0] for s in range(60))}
    assert len(seen) == 5


def test_images_are_augmented_to_their_own_size(make_samples):
    beside = make_samples(2, size=32)[SampleKey(0, 0)].images
    assert beside.images_BCHW.shape == (2, 3, 32, 32)
    assert beside.labels_BHW.shape == (2, 32, 32)


def test_pairs_of_stills_have_labels_that_agree_along_the_flow(make_samples):
    samples = make_samples(0, still_share=1.0)
    for seed in range(5):
        pair = samples[SampleKey(0, seed)].pair
        assert pair.flow_BHW2.abs().max() > 0.1
        labels, inside = warp_labels(pair.labels_BTHW[1], pair.flow_BHW2)
        valid = inside & pair.visible_BHW
        assert valid.float().mean() > 0.7
        agree = (labels == pair.labels_BTHW[0])[valid].float().mean()
        # the nearest pixel may be one of another class beside an edge
        assert agree > 0.95
        assert (pair.share_BTHW == 1).all()


def test_the_share_of_stills_is_about_what_was_asked_for(make_samples):
    samples = make_samples(0, still_share=0.3)
    # only a pair of stills has flow here
    moved = [bool(samples[SampleKey(0, seed)].pair.flow_BHW2.any()) for seed in range(200)]
    assert 0.2 < np.mean(moved) < 0.4


@pytest.mark.parametrize("still_share", [0.0, 1.0])
def test_a_repetition_does_not_count(make_samples, still_share):
    batch = make_samples(2, still_share)[SampleKey(0, 0, is_padding=True)]
    assert (batch.pair.labels_BTHW == 255).all()
    assert not batch.pair.visible_BHW.any()
    assert batch.images.images_BCHW.shape == (2, 3, 48, 48)
    assert (batch.images.labels_BHW == 255).all()
