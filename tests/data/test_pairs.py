import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from facestab.data.pairs import FramePairs
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.sampler import SampleKey
from facestab.data.synthetic.sets import SyntheticVideos
from facestab.data.transforms import Augmentation
from facestab.data.videos import VideoItem
from facestab.errors import FacestabError, VideoError
from facestab.video.label_video import read_labels
from facestab.video.sink import VideoSink
from facestab.video.source import open_video
from tests.tiny import tiny_net

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def items(face11, tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    videos = SyntheticVideos(str(root), face11, size=48, num_frames=5, num_train=3, num_val=1, num_test=1)
    videos.prepare()
    return videos.split("train")


@pytest.fixture
def store(tmp_path):
    return PseudoLabelStore(str(tmp_path), tiny_net(), size=48, batch_size=2)


def read_frames(path):
    with open_video(path) as source:
        return np.stack(list(source.frames()))


def test_labels_are_what_the_model_says_of_every_frame(items, store):
    store.fill(items, CPU)
    for item in items:
        frames = torch.from_numpy(read_frames(item.path)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            expected = store.net(frames).logits_BKHW.argmax(1)
        np.testing.assert_array_equal(np.stack(list(read_labels(store.path(item)))), expected)


def test_labels_have_the_frames_size_when_the_model_sees_them_smaller(items, tmp_path):
    store = PseudoLabelStore(str(tmp_path), tiny_net(), size=32)
    store.fill(items[:1], CPU)
    assert np.stack(list(read_labels(store.path(items[0])))).shape == (5, 48, 48)


def test_labels_are_made_once(items, store):
    store.fill(items, CPU)
    before = {item.id: store.path(item).stat().st_mtime_ns for item in items}
    again = PseudoLabelStore(str(store.folder.parent), tiny_net(), size=48)
    again.fill(items, CPU)
    assert {item.id: again.path(item).stat().st_mtime_ns for item in items} == before


def test_an_interrupted_store_goes_on_where_it_stopped(items, store):
    store.fill(items[:2], CPU)
    before = [store.path(item).stat().st_mtime_ns for item in items[:2]]
    store.fill(items, CPU)
    assert [store.path(item).stat().st_mtime_ns for item in items[:2]] == before
    assert store.path(items[2]).exists()


def test_another_model_or_size_never_reads_these_labels(items, store):
    other = PseudoLabelStore(str(store.folder.parent), tiny_net(seed=1), size=48)
    smaller = PseudoLabelStore(str(store.folder.parent), tiny_net(), size=32)
    assert len({s.path(items[0]) for s in (store, other, smaller)}) == 3


def test_a_changed_video_never_reads_the_labels_of_the_old_one(items, store, tmp_path):
    paths = [tmp_path / f"{name}.mkv" for name in "ab"]
    for path, first in zip(paths, (0, 1), strict=True):
        with VideoSink(path, items[0].info.fps, codec="ffv1_rgb") as sink:
            for frame in read_frames(items[0].path)[first : first + 3]:
                sink.write(frame)
    labels = [store.path(VideoItem(path.stem, open_video(path).info)) for path in paths]
    assert labels[0] != labels[1]


def test_true_labels_are_used_only_when_asked_for(items, tmp_path):
    for use, path in ((False, None), (True, items[0].truth)):
        store = PseudoLabelStore(str(tmp_path), tiny_net(), size=48, use_true_labels=use)
        assert (store.path(items[0]) == path) is use


def test_a_video_that_breaks_leaves_no_labels_behind(items, store, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for t, frame in enumerate(read_frames(items[0].path)):
        Image.fromarray(frame).save(frames / f"{t}.png")
    (frames / "3.png").write_bytes(b"no picture")
    item = VideoItem("broken", dataclasses.replace(items[0].info, path=frames, codec="frames"))
    with pytest.raises(VideoError, match=r"3\.png"):
        store.fill([item], CPU)
    assert not list(store.folder.glob("*.mkv"))


def pairs_of(items, store, face11, train=False):
    store.fill(items, CPU)
    return FramePairs(items, store, Augmentation(48, face11, flip=0.5 if train else 0.0), train)


def test_pairs_are_adjacent_and_never_cross_a_videos_end(items, store, face11):
    pairs = pairs_of(items, store, face11)
    frames = {i: read_frames(item.path) for i, item in enumerate(items)}
    assert len(pairs) == 3 * 4
    assert [pairs.locate(i) for i in range(12)] == [(video, t) for video in range(3) for t in range(4)]
    for index in range(12):
        video, t = divmod(index, 4)
        batch = pairs[SampleKey(index, 0)]
        np.testing.assert_array_equal(batch.frames_BTCHW.permute(0, 2, 3, 1), frames[video][t : t + 2])


def test_each_frame_of_a_pair_has_its_own_labels(items, store, face11):
    pairs = pairs_of(items, store, face11)
    labels = np.stack(list(read_labels(store.path(items[1]))))
    batch = pairs[SampleKey(4 + 2, 0)]
    np.testing.assert_array_equal(batch.labels_BTHW, labels[2:4])


def test_training_mirrors_both_frames_or_none(items, store, face11):
    pairs = pairs_of(items, store, face11, train=True)
    plain = pairs_of(items, store, face11)[SampleKey(0, 0)].frames_BTCHW
    seen = set()
    for seed in range(12):
        frames = pairs[SampleKey(0, seed)].frames_BTCHW
        mirrored = [bool((frames[t] == plain[t].flip(-1)).all()) for t in (0, 1)]
        assert mirrored[0] == mirrored[1]
        seen.add(mirrored[0])
    assert seen == {True, False}


def test_a_repetition_does_not_count(items, store, face11):
    assert (pairs_of(items, store, face11)[SampleKey(0, 0, is_padding=True)].labels_BTHW == 255).all()


def test_videos_of_one_frame_give_no_pair(items, store, face11):
    one = VideoItem("one", dataclasses.replace(items[0].info, num_frames=1))
    store.fill(items, CPU)
    with pytest.raises(FacestabError, match="no 2 adjacent frames"):
        FramePairs([one], store, Augmentation(48, face11), train=False)
