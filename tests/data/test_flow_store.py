import numpy as np
import pytest

from facestab.data.flow_store import FlowStore
from facestab.data.synthetic.sets import SyntheticVideos
from facestab.nets.inference import resize_frames
from facestab.video.flow import Correspondence, DisFlow, VideoFrame
from facestab.video.source import open_video

NUM_FRAMES = 5


@pytest.fixture(scope="module")
def items(face11, tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    videos = SyntheticVideos(str(root), face11, size=48, num_frames=NUM_FRAMES, num_train=2, num_val=1, num_test=1)
    videos.prepare()
    return videos.split("train")


class Counting:
    """A motion that is different for every two frames, and notes what it was asked for; it breaks where told to."""

    def __init__(self, strength=1.0, breaks_at=None):
        self.name = "counting"
        self.strength = strength
        self._breaks_at = breaks_at
        self._asked = []

    def correspondence(self, frame_a, frame_b):
        if frame_a.index == self._breaks_at:
            raise RuntimeError("no motion")
        self._asked.append((frame_a.video, frame_a.index, frame_b.index))
        rng = np.random.default_rng((frame_a.index, frame_b.index))
        shape = frame_a.pixels_HWC.shape[:2]
        return Correspondence(rng.normal(0, 20, (*shape, 2)).astype(np.float32), rng.random(shape) < 0.7)


@pytest.mark.parametrize("gap", [1, 3])
@pytest.mark.parametrize("size", [48, 32])
def test_stored_motion_is_that_which_was_estimated_to_a_128th_of_a_pixel(items, tmp_path, gap, size):
    flow = DisFlow()
    store = FlowStore(str(tmp_path), flow, size)
    store.fill(items, [gap])
    for item in items:
        with open_video(item.path) as source:
            pixels = resize_frames(np.stack(list(source.frames())), size)
        frames = [VideoFrame(item.id, t, pixels_HWC) for t, pixels_HWC in enumerate(pixels)]
        for t in range(NUM_FRAMES - gap):
            expected = flow.correspondence(frames[t], frames[t + gap])
            flow_HW2, visible_HW = store.motion(item, gap, t)
            assert flow_HW2.dtype == np.float32
            assert visible_HW.dtype == bool
            np.testing.assert_allclose(flow_HW2, expected.flow_HW2, atol=1 / 128 + 1e-6)
            np.testing.assert_array_equal(visible_HW, expected.visible_HW)


def test_motion_that_is_too_long_is_cut_and_not_wrapped(items, tmp_path):
    class Far(Counting):
        def correspondence(self, frame_a, frame_b):
            flow_HW2 = np.full((*frame_a.pixels_HWC.shape[:2], 2), [700, -700], np.float32)
            return Correspondence(flow_HW2, np.ones(flow_HW2.shape[:2], bool))

    store = FlowStore(str(tmp_path), Far(), 48)
    store.fill(items[:1], [1])
    flow_HW2, _ = store.motion(items[0], 1, 0)
    np.testing.assert_allclose(flow_HW2[0, 0], [512, -512], atol=0.02)


def test_every_frame_is_followed_to_the_one_a_gap_later(items, tmp_path):
    flow = Counting()
    FlowStore(str(tmp_path), flow, 48).fill(items, (gap for gap in (1, 4)))
    expected = {(item.id, t, t + gap) for item in items for gap in (1, 4) for t in range(NUM_FRAMES - gap)}
    assert sorted(flow._asked) == sorted(expected)


def test_only_what_is_missing_is_made(items, tmp_path):
    flow = Counting()
    store = FlowStore(str(tmp_path), flow, 48)
    store.fill(items[:1], [1])
    flow._asked.clear()
    store.fill(items, [1])
    assert {video for video, _, _ in flow._asked} == {items[1].id}
    flow._asked.clear()
    store.fill(items[:1], [1, 2])
    assert [(a, b) for _, a, b in flow._asked] == [(0, 2), (1, 3), (2, 4)]
    flow._asked.clear()
    FlowStore(str(tmp_path), flow, 48).fill(items, [1])
    assert not flow._asked


def test_a_process_that_is_left_alone_does_the_work_of_all(items, tmp_path):
    store = FlowStore(str(tmp_path), Counting(), 48)
    store.fill(items, [1], rank=1, world_size=2)
    for item in items:
        assert store.motion(item, 1, 3)[0].shape == (48, 48, 2)


def test_a_video_that_is_no_longer_than_the_gap_has_no_motion(items, tmp_path):
    flow = Counting()
    store = FlowStore(str(tmp_path), flow, 48)
    store.fill(items, [NUM_FRAMES, NUM_FRAMES + 3])
    assert not flow._asked


def test_another_setting_or_size_has_another_folder(tmp_path):
    flows = [DisFlow(), DisFlow(max_side=80), DisFlow(preset="fast"), Counting(), Counting(strength=2.0)]
    folders = {FlowStore(str(tmp_path), flow, size).folder for flow in flows for size in (32, 48)}
    assert len(folders) == 10
    assert FlowStore(str(tmp_path), DisFlow(), 48).folder == FlowStore(str(tmp_path), DisFlow(), 48).folder


def test_what_a_backend_holds_while_it_works_does_not_change_the_folder(tmp_path):
    flow, fresh = Counting(), Counting()
    flow._breaks_at = 99
    assert FlowStore(str(tmp_path), flow, 48).folder == FlowStore(str(tmp_path), fresh, 48).folder


def test_nothing_half_written_is_left_when_the_backend_breaks(items, tmp_path):
    store = FlowStore(str(tmp_path), Counting(breaks_at=2), 48)
    with pytest.raises(RuntimeError, match="no motion"):
        store.fill(items[:1], [1])
    assert not list(store.folder.glob("*.npy"))
    store.flow = Counting()
    store.fill(items[:1], [1])
    assert store.motion(items[0], 1, 0)[0].shape == (48, 48, 2)


def test_a_size_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match="size: at least 1 pixel is needed, got 0"):
        FlowStore(str(tmp_path), Counting(), 0)
