import dataclasses

import albumentations as A
import numpy as np
import pytest
import torch

from facestab.data.exact_flow import ExactFlow
from facestab.data.flow_store import FlowStore
from facestab.data.pairs import FramePairs
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.sampler import SampleKey
from facestab.data.synthetic.sets import SyntheticVideos
from facestab.data.teacher import FrameTeacher
from facestab.data.transforms import Augmentation
from facestab.data.videos import VideoItem
from facestab.errors import FacestabError
from facestab.video.flow import DisFlow
from facestab.video.source import open_video
from tests.tiny import tiny_net

CPU = torch.device("cpu")
NUM_FRAMES = 6


@pytest.fixture(scope="module")
def videos(face11, tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    videos = SyntheticVideos(str(root), face11, size=48, num_frames=NUM_FRAMES, num_train=2, num_val=1, num_test=1)
    videos.prepare()
    return videos


@pytest.fixture(scope="module")
def items(videos):
    return videos.split("train")


@pytest.fixture(scope="module")
def store(items, face11, tmp_path_factory):
    root = str(tmp_path_factory.mktemp("labels"))
    store = PseudoLabelStore(root, tiny_net(), size=48, teacher=FrameTeacher(face11), labels=face11, soft=True)
    store.fill(items, CPU)
    return store


@pytest.fixture
def make_pairs(items, store, face11):
    def make(train=False, size=48, flip=0.0, videos=items, **settings):
        return FramePairs(videos, store, Augmentation(size, face11, flip=flip), train, **settings)

    return make


def read_frames(item):
    with open_video(item.path) as source:
        return np.stack(list(source.frames()))


def same(tensor, array):
    np.testing.assert_array_equal(tensor.numpy(), array)


@pytest.mark.parametrize("gaps", [[1], [2], [5], [4, 2], [1, 3]])
def test_pairs_are_a_gap_apart_and_never_cross_a_videos_end(items, make_pairs, gaps):
    pairs, gap = make_pairs(gaps=gaps), min(gaps)
    starts = range(NUM_FRAMES - gap)
    assert [pairs.locate(i) for i in range(len(pairs))] == [(video, t) for video in (0, 1) for t in starts]
    frames = [read_frames(item) for item in items]
    for index in range(len(pairs)):
        video, t = pairs.locate(index)
        batch = pairs[SampleKey(index, 0)]
        same(batch.frames_BTCHW.permute(0, 2, 3, 1), frames[video][[t, t + gap]])


def test_in_training_every_gap_occurs_where_it_fits(items, make_pairs):
    gaps = [1, 2, 4]
    pairs = make_pairs(train=True, gaps=gaps)
    frames = [read_frames(item) for item in items]
    for index in range(len(pairs)):
        video, t = pairs.locate(index)
        seen = set()
        for seed in range(9):
            first, second = pairs[SampleKey(index, seed)].frames_BTCHW.permute(0, 2, 3, 1).numpy()
            np.testing.assert_array_equal(first, frames[video][t])
            (number,) = np.flatnonzero((frames[video] == second).all((1, 2, 3)))
            seen.add(int(number) - t)
        assert seen == {gap for gap in gaps if t + gap < NUM_FRAMES}


@pytest.mark.parametrize("gap", [1, 3])
def test_each_frame_has_its_own_label_runner_up_and_share(items, store, make_pairs, gap):
    pairs = make_pairs(gaps=[gap])
    for index in range(len(pairs)):
        video, t = pairs.locate(index)
        batch = pairs[SampleKey(index, 0)]
        labels, runners_up, shares = (np.stack(maps) for maps in zip(*store.open(items[video]).frames(), strict=True))
        same(batch.labels_BTHW, labels[[t, t + gap]])
        same(batch.runner_up_BTHW, runners_up[[t, t + gap]])
        same(batch.share_BTHW, shares[[t, t + gap]])
        assert batch.labels_BTHW.dtype == batch.runner_up_BTHW.dtype == torch.int64
        assert batch.share_BTHW.dtype == torch.float32
        assert (batch.share_BTHW < 1).any()
        assert (batch.runner_up_BTHW != batch.labels_BTHW).all()


def test_only_agreeing_ignores_a_pixel_whose_two_labels_differ(make_pairs):
    # so long a gap that there are some
    for train in (False, True):
        plain, agreeing = (make_pairs(train, gaps=[5], only_agreeing=only)[SampleKey(1, 0)] for only in (False, True))
        differ = (plain.labels_BTHW[0] != plain.labels_BTHW[1]).expand(2, -1, -1)
        assert 0 < differ.sum() < differ.numel()
        assert (agreeing.labels_BTHW[differ] == 255).all()
        assert torch.equal(agreeing.labels_BTHW[~differ], plain.labels_BTHW[~differ])
        assert torch.equal(agreeing.frames_BTCHW, plain.frames_BTCHW)


def test_a_mirror_exchanges_sides_in_labels_and_runners_up_and_not_in_shares(make_pairs, face11):
    plain, mirrored = (make_pairs(True, flip=flip)[SampleKey(2, 0)] for flip in (0.0, 1.0))
    same(mirrored.frames_BTCHW, plain.frames_BTCHW.flip(-1))
    same(mirrored.share_BTHW, plain.share_BTHW.flip(-1))
    same(mirrored.labels_BTHW, face11.flip_lut[plain.labels_BTHW.flip(-1).numpy()])
    same(mirrored.runner_up_BTHW, face11.flip_lut[plain.runner_up_BTHW.flip(-1).numpy()])
    assert (face11.flip_lut[plain.runner_up_BTHW] != plain.runner_up_BTHW.numpy()).any()


def test_training_mirrors_both_frames_or_none(make_pairs):
    pairs = make_pairs(True, flip=0.5)
    plain = make_pairs()[SampleKey(0, 0)].frames_BTCHW
    seen = set()
    for seed in range(12):
        frames = pairs[SampleKey(0, seed)].frames_BTCHW
        mirrored = [bool((frames[t] == plain[t].flip(-1)).all()) for t in (0, 1)]
        assert mirrored[0] == mirrored[1]
        seen.add(mirrored[0])
    assert seen == {True, False}


def test_labels_stay_ids_when_pixels_are_moved(items, store, face11):
    affine = A.Affine(rotate=(-20, 20), border_mode=1, p=1.0)
    pairs = FramePairs(items, store, Augmentation(48, face11, geometry=[affine], flip=1.0), train=True)
    plain = FramePairs(items, store, Augmentation(48, face11, geometry=[affine]), train=True)
    for seed in range(4):
        mirrored, batch = pairs[SampleKey(0, seed)], plain[SampleKey(0, seed)]
        same(mirrored.labels_BTHW, face11.flip_lut[batch.labels_BTHW.flip(-1).numpy()])
        assert (batch.share_BTHW >= 0.5).all()
        assert (batch.share_BTHW <= 1).all()


@pytest.mark.parametrize("train", [False, True])
def test_a_repetition_does_not_count(make_pairs, train):
    batch = make_pairs(train)[SampleKey(0, 0, is_padding=True)]
    assert (batch.labels_BTHW == 255).all()
    assert not batch.visible_BHW.any()


@pytest.mark.parametrize("gap", [1, 3])
def test_pairs_carry_the_flow_between_them(items, make_pairs, tmp_path, videos, gap):
    flows = FlowStore(str(tmp_path), ExactFlow(videos), 48)
    flows.fill(items, [gap])
    pairs = make_pairs(gaps=[gap], flows=flows)
    for index in (0, len(pairs) - 1):
        video, t = pairs.locate(index)
        batch = pairs[SampleKey(index, 0)]
        flow_HW2, visible_HW = videos.clip(items[video]).flow(t, gap)
        np.testing.assert_allclose(batch.flow_BHW2, flow_HW2, atol=0.01)
        same(batch.visible_BHW, visible_HW)
        # some steps of 1/64 px, so that it is not zero that is compared
        assert batch.flow_BHW2.abs().max() > 3 / 64


def test_with_flow_every_gap_has_its_motion_up_to_a_videos_end(items, make_pairs, tmp_path):
    flows = FlowStore(str(tmp_path), DisFlow(), 32)
    flows.fill(items, [2, 4])
    pairs = make_pairs(True, size=32, gaps=[2, 4], flows=flows)
    for index in range(len(pairs)):
        for seed in (0, 1):
            batch = pairs[SampleKey(index, seed)]
            assert batch.frames_BTCHW.shape == (2, 3, 32, 32)
            assert batch.share_BTHW.shape == batch.labels_BTHW.shape == (2, 32, 32)
            assert batch.flow_BHW2.shape == (32, 32, 2)


def test_without_flow_there_is_no_motion(make_pairs):
    batch = make_pairs()[SampleKey(0, 0)]
    assert batch.flow_BHW2.shape == (48, 48, 2)
    assert not batch.flow_BHW2.any()
    assert batch.visible_BHW.all()


@pytest.mark.parametrize(("num_frames", "gaps"), [(1, [1]), (3, [4, 3])])
def test_videos_no_longer_than_the_smallest_gap_give_no_pair(items, make_pairs, num_frames, gaps):
    short = VideoItem("short", dataclasses.replace(items[0].info, num_frames=num_frames))
    with pytest.raises(FacestabError, match=f"no {min(gaps) + 1} adjacent frames"):
        make_pairs(videos=[short], gaps=gaps)
    both = make_pairs(videos=[short, items[1]], gaps=gaps)
    assert both.locate(0) == (1, 0)


def test_no_pair_crosses_a_cut_with_any_gap(items, store, make_pairs):
    cut = dataclasses.replace(items[0], cuts=(3,))
    store.fill([cut], CPU)
    pairs = make_pairs(True, videos=[cut], gaps=[1, 2])
    seen = {
        (frame, frame + pairs.gap(0, frame, seed))
        for _, frame in map(pairs.locate, range(len(pairs)))
        for seed in (0, 1)
    }
    assert {(0, 1), (0, 2), (1, 2), (3, 4), (3, 5)} <= seen
    assert not [pair for pair in seen if pair[0] < 3 <= pair[1]]


@pytest.mark.parametrize("gaps", [[], [0], [1, -2]])
def test_gaps_that_cannot_be_are_refused(make_pairs, gaps):
    with pytest.raises(ValueError, match="gaps: whole numbers of at least 1 frame"):
        make_pairs(gaps=gaps)
