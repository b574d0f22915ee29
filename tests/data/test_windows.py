import dataclasses

import albumentations as A
import numpy as np
import pytest
import torch

from facestab.data.pseudo import PseudoLabelStore
from facestab.data.sampler import SampleKey
from facestab.data.synthetic.sets import SyntheticVideos
from facestab.data.teacher import FrameTeacher
from facestab.data.transforms import Augmentation
from facestab.data.videos import VideoItem
from facestab.data.windows import FrameWindowData, FrameWindows
from facestab.errors import FacestabError
from facestab.video.source import open_video
from tests.tiny import tiny_net

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def videos(face11, tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    videos = SyntheticVideos(str(root), face11, size=48, num_frames=9, num_train=2, num_val=1, num_test=1)
    videos.prepare()
    return videos


@pytest.fixture(scope="module")
def store(videos, face11, tmp_path_factory):
    root = str(tmp_path_factory.mktemp("labels"))
    store = PseudoLabelStore(root, tiny_net(), size=48, teacher=FrameTeacher(face11), labels=face11)
    store.fill(videos.split("train") + videos.split("val"), CPU)
    return store


def read_frames(path):
    with open_video(path) as source:
        return np.stack(list(source.frames()))


def noise(face11, flip=0.0):
    return Augmentation(48, face11, photometric=[A.GaussNoise(std_range=(0.1, 0.1), p=1.0)], flip=flip)


@pytest.mark.parametrize(
    ("window", "stride", "starts"), [(4, 1, [0, 1, 2, 3, 4, 5]), (4, 2, [0, 2, 4]), (4, 3, [0, 3]), (9, 5, [0])]
)
def test_windows_are_adjacent_frames_with_their_labels_and_never_cross_a_videos_end(
    videos, store, face11, window, stride, starts
):
    items = videos.split("train")
    windows = FrameWindows(items, store, Augmentation(48, face11), train=False, window=window, stride=stride)
    assert [windows.locate(i) for i in range(len(windows))] == [(v, t) for v in (0, 1) for t in starts]
    frames = [read_frames(item.path) for item in items]
    labels = [np.stack([soft.label_HW for soft in store.open(item).frames()]) for item in items]
    for index in range(len(windows)):
        video, t = windows.locate(index)
        batch = windows[SampleKey(index, 0)]
        np.testing.assert_array_equal(batch.frames_BTCHW.permute(0, 2, 3, 1), frames[video][t : t + window])
        np.testing.assert_array_equal(batch.labels_BTHW, labels[video][t : t + window])


def test_every_frame_is_damaged_for_itself_and_the_labels_stay_clean(videos, store, face11):
    items = videos.split("train")[:1]
    plain = FrameWindows(items, store, Augmentation(48, face11), train=False, window=4)[SampleKey(0, 0)]
    damaged = FrameWindows(items, store, noise(face11), train=True, window=4)[SampleKey(0, 0)]
    assert torch.equal(damaged.labels_BTHW, plain.labels_BTHW)
    difference = damaged.frames_BTCHW.float() - plain.frames_BTCHW.float()
    for a in range(4):
        assert difference[a].std() > 10
        for b in range(a):
            pair = torch.stack([difference[a].flatten(), difference[b].flatten()])
            assert torch.corrcoef(pair)[0, 1] < 0.5


def test_all_frames_of_a_window_are_mirrored_or_none(videos, store, face11):
    items = videos.split("train")[:1]
    plain = FrameWindows(items, store, Augmentation(48, face11), train=False, window=4)[SampleKey(0, 0)].frames_BTCHW
    mirrored = FrameWindows(items, store, Augmentation(48, face11, flip=0.5), train=True, window=4)
    seen = set()
    for seed in range(12):
        frames = mirrored[SampleKey(0, seed)].frames_BTCHW
        flips = {bool((frames[t] == plain[t].flip(-1)).all()) for t in range(4)}
        assert len(flips) == 1
        seen |= flips
    assert seen == {True, False}


def test_a_repetition_does_not_count(videos, store, face11):
    windows = FrameWindows(videos.split("train"), store, Augmentation(48, face11), train=True, window=3)
    assert (windows[SampleKey(0, 0, is_padding=True)].labels_BTHW == 255).all()


def test_a_video_shorter_than_a_window_gives_none(videos, store, face11):
    items = videos.split("train")
    short = VideoItem("short", dataclasses.replace(items[0].info, num_frames=3))
    windows = FrameWindows([short, items[1]], store, Augmentation(48, face11), train=False, window=4)
    assert [windows.locate(i) for i in range(len(windows))] == [(1, t) for t in range(6)]
    with pytest.raises(FacestabError, match="no 4 adjacent frames"):
        FrameWindows([short], store, Augmentation(48, face11), train=False, window=4)


def test_no_window_crosses_a_cut(videos, store, face11):
    first, second = videos.split("train")[:2]
    length = second.num_frames
    items = [dataclasses.replace(first, cuts=(3, 4)), second]
    store.fill(items, torch.device("cpu"))
    windows = FrameWindows(items, store, Augmentation(48, face11), train=False, window=3)
    starts = [windows.locate(i) for i in range(len(windows))]
    inside = [0, *range(4, first.num_frames - 2)]
    assert starts == [*((0, t) for t in inside), *((1, t) for t in range(length - 2))]
    skipping = FrameWindows(items, store, Augmentation(48, face11), train=False, window=2, stride=2)
    assert [t for video, t in map(skipping.locate, range(len(skipping))) if not video][:3] == [0, 4, 6]


def test_training_changes_from_epoch_to_epoch_and_validation_does_not(videos, store, face11):
    data = FrameWindowData(videos, store, noise(face11), batch_size=2, window=4, stride=2, seed=3)
    for loader, changes in ((data.train_dataloader(), True), (data.val_dataloader(), False)):
        epochs = []
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            epochs.append(torch.cat([batch.frames_BTCHW for batch in loader]))
        assert epochs[0].shape[1:] == (4, 3, 48, 48)
        assert torch.equal(*epochs) is not changes


def test_validation_is_damaged_too(videos, store, face11):
    data = FrameWindowData(videos, store, noise(face11), batch_size=1, window=9)
    (batch,) = data.val_dataloader()
    clean = torch.from_numpy(read_frames(videos.split("val")[0].path)).permute(0, 3, 1, 2)
    assert (batch.frames_BTCHW[0].float() - clean.float()).std() > 10


@pytest.mark.parametrize(
    "settings",
    [{"window": 1}, {"window": 4, "stride": 0}, {"window": 4, "batch_size": 0}, {"window": 4, "num_workers": -1}],
)
def test_impossible_settings_are_refused(videos, store, face11, settings):
    name, value = list(settings.items())[-1]
    with pytest.raises(ValueError, match=f"{name}.*{value}"):
        FrameWindowData(videos, store, noise(face11), **{"batch_size": 1, **settings})
