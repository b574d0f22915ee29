import pickle

import numpy as np
import pytest
import torch

from facestab.data.frame_store import FrameStore
from facestab.data.pairs import FramePairs
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.sampler import SampleKey
from facestab.data.synthetic.sets import SyntheticVideos
from facestab.data.teacher import FrameTeacher
from facestab.data.transforms import Augmentation
from facestab.data.windows import FrameWindows
from tests.tiny import tiny_net

NUM_FRAMES = 5
BYTES = 3 * NUM_FRAMES * 48 * 48


@pytest.fixture(scope="module")
def items(face11, tmp_path_factory):
    root = str(tmp_path_factory.mktemp("world"))
    videos = SyntheticVideos(root, face11, size=48, num_frames=NUM_FRAMES, num_train=2, num_val=1, num_test=1)
    videos.prepare()
    return videos.split("train")


@pytest.fixture(scope="module", params=[False, True], ids=["pseudo", "true"])
def labels(items, face11, tmp_path_factory, request):
    root = str(tmp_path_factory.mktemp("labels"))
    store = PseudoLabelStore(
        root, tiny_net(), 48, FrameTeacher(face11), face11, soft=True, use_true_labels=request.param
    )
    store.fill(items, torch.device("cpu"))
    return store


def files(folder):
    return sorted(folder.glob("*.npy"))


@pytest.mark.parametrize("gaps", [[1], [2]])
def test_pairs_are_the_same_from_decoded_frames(items, labels, face11, tmp_path, gaps):
    store = FrameStore(str(tmp_path), 1e9)
    store.fill(items, labels)
    assert len(files(tmp_path)) == 4
    augment = Augmentation(48, face11)
    read = FramePairs(items, labels, augment, True, gaps)
    kept = pickle.loads(pickle.dumps(FramePairs(items, labels, augment, True, gaps, decoded=store)))
    # nothing but the store is looked at
    assert {source.path.parent for source in kept.sources} == {tmp_path}
    for position in range(len(read)):
        key = SampleKey(position, seed=position + 7)
        for one, other in zip(read.pair(key), kept.pair(key), strict=True):
            assert torch.equal(one, other)


def test_windows_are_the_same_from_decoded_frames(items, labels, face11, tmp_path):
    store = FrameStore(str(tmp_path), 1e9)
    store.fill(items, labels)
    augment = Augmentation(48, face11)
    read, kept = (FrameWindows(items, labels, augment, True, window=3, decoded=one) for one in (None, store))
    for one, other in zip(read.read(1, 2), kept.read(1, 2), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("limit", "is_kept"), [(4 * BYTES, True), (4 * BYTES - 1, False), (0, False)])
def test_what_does_not_fit_is_decoded_at_every_use(items, labels, face11, tmp_path, limit, is_kept):
    store = FrameStore(str(tmp_path), limit)
    store.fill(items, labels)
    assert len(files(tmp_path)) == (4 if is_kept else 0)
    pairs = FramePairs(items, labels, Augmentation(48, face11), True, decoded=store)
    np.testing.assert_array_equal(pairs.sources[0].pair(1), items[0].open().pair(1))


def test_a_video_is_decoded_once_and_a_half_written_one_anew(items, labels, tmp_path):
    (tmp_path / f"{items[0].digest()[:32]}.part.npy").write_bytes(b"half")
    store = FrameStore(str(tmp_path), 1e9)
    store.fill(items, labels)
    before = [path.stat().st_mtime_ns for path in files(tmp_path)]
    assert len(before) == 4
    again = FrameStore(str(tmp_path), 1e9)
    again.fill(items, labels)
    assert [path.stat().st_mtime_ns for path in files(tmp_path)] == before
    np.testing.assert_array_equal(np.stack(list(again.frames(items[0]).frames())), [*items[0].open().frames()])


def test_a_negative_limit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="limit"):
        FrameStore(str(tmp_path), -1)
