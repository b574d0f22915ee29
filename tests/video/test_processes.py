"""Sources go through pickles and forks, and hold nothing that a child could trip over."""

import multiprocessing
import os
import pickle
import resource
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from facestab.video.frame_folder import FrameFolder
from facestab.video.label_video import LabelVideo
from facestab.video.sink import VideoSink
from facestab.video.source import VideoSource, open_video
from tests.video.barcode import draw, number_of, numbers_of, write_clip

N = 40


class Pairs(Dataset):
    def __init__(self, source: VideoSource) -> None:
        self.source = source

    def __len__(self) -> int:
        return self.source.info.num_frames - 1

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(self.source.pair(index))


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("backend", ["auto", "pyav", "decord"])
@pytest.mark.parametrize("start_method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_read_on_from_a_source_used_in_the_parent(tmp_path: Path, backend: str, start_method: str) -> None:
    source = open_video(write_clip(tmp_path / "clip.mp4", N, options={"g": "8"}), backend)
    assert numbers_of(source.pair(7)) == [7, 8]
    running = source.frames()
    next(running)
    loader = DataLoader(
        Pairs(source), batch_size=3, num_workers=2, timeout=60, shuffle=True, multiprocessing_context=start_method
    )
    for _ in range(2):
        pairs_BTHWC = torch.cat(list(loader)).numpy()
        read = sorted((number_of(pair[0]), number_of(pair[1])) for pair in pairs_BTHWC)
        assert read == [(i, i + 1) for i in range(N - 1)]
    # the parent's own pass goes on where it was
    assert numbers_of(running) == list(range(1, N))


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("backend", ["pyav", "decord"])
def test_a_forked_child_can_drop_a_pass_that_its_parent_has_begun(tmp_path: Path, backend: str) -> None:
    running = [open_video(write_clip(tmp_path / "clip.mp4", N), backend).frames()]
    next(running[0])
    # decord's threads must be waiting, or a child gets away with it
    time.sleep(1)
    child = multiprocessing.get_context("fork").Process(target=list.clear, args=(running,))
    child.start()
    child.join(20)
    hangs = child.is_alive()
    child.kill()
    assert not hangs
    assert child.exitcode == 0
    assert numbers_of(running[0]) == list(range(1, N))


def test_a_pickle_holds_the_path_and_the_settings_and_reads_the_same(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", N)
    source = open_video(clip, "pyav")
    frames = np.stack(list(source.frames()))
    data = pickle.dumps(source)
    assert len(data) < 500
    again = pickle.loads(data)
    assert again.info == source.info
    assert again.backend == "pyav"
    np.testing.assert_array_equal(np.stack(list(again.frames())), frames)


def test_making_a_source_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    assert pickle.loads(pickle.dumps(open_video(tmp_path / "text.mp4"))).path == tmp_path / "text.mp4"


def test_folders_and_labels_go_through_pickles(tmp_path: Path) -> None:
    for number in range(2):
        image = np.full((4, 5), number, np.uint8)
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    for kind in (FrameFolder, LabelVideo):
        assert len(list(pickle.loads(pickle.dumps(kind(tmp_path))).frames())) == 2


def test_no_file_stays_open_and_no_thread_lives_on(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", N, options={"g": "8"})
    source = open_video(clip)
    source.pair(0)
    before = len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
    for index in range(30):
        source.pair(index)
        next(source.frames(index))
    assert len(os.listdir("/proc/self/fd")) <= before[0] + 1
    assert len(os.listdir("/proc/self/task")) <= before[1] + 2


def test_a_pair_of_a_large_video_does_not_fill_memory(tmp_path: Path) -> None:
    """A decord reader that stays open decodes ahead: 1.5 GB within two seconds here."""
    clip = tmp_path / "large.mp4"
    frame_HWC = draw(5, 1080, 1920)
    with VideoSink(clip, Fraction(25)) as sink:
        for _ in range(260):
            sink.write(frame_HWC)
    source = open_video(clip, "decord")
    before_KiB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert numbers_of(source.pair(0)) == [5, 5]
    time.sleep(2)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_KiB < 400 * 1024
