from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from facestab.data.prediction import Videos
from facestab.data.videos import VideoItem, content_hash
from facestab.types import VideoInfo
from facestab.video.excerpt import Excerpt
from facestab.video.sink import VideoSink
from facestab.video.source import open_video


def write_clip(path, num_frames=3):
    with VideoSink(path, Fraction(25), codec="ffv1_rgb") as sink:
        for t in range(num_frames):
            sink.write(np.full((16, 16, 3), t, np.uint8))


def item(name, num_frames):
    return VideoItem(name, VideoInfo(Path(name), Fraction(25), num_frames, 16, 16, "h264"))


def test_the_content_hash_follows_the_bytes_and_not_the_name(tmp_path):
    (tmp_path / "a").write_bytes(b"1" * 3000000)
    (tmp_path / "b").write_bytes(b"1" * 3000000)
    (tmp_path / "c").write_bytes(b"1" * 2999999 + b"2")
    a, b, c = (content_hash(tmp_path / name) for name in "abc")
    assert a == b != c


def test_the_content_hash_of_a_folder_or_sequence_follows_every_frame(tmp_path):
    hashes = []
    for turn, name in enumerate(("folder", "folder", "a_*.png")):
        folder = tmp_path / str(turn)
        folder.mkdir()
        for number in (1, 2):
            (folder / f"a_{number}.png").write_bytes(b"y" if (turn, number) == (1, 2) else b"x")
        (folder / "b_1.png").write_bytes(bytes([turn]))
        hashes.append(content_hash(folder if name == "folder" else folder / name))
    assert len(set(hashes)) == 3


def test_a_part_of_a_video_has_a_hash_of_its_own(tmp_path):
    write_clip(tmp_path / "clip.mkv", 6)
    whole = VideoItem("clip", open_video(tmp_path / "clip.mkv").info)
    parts = [replace(whole, excerpt=Excerpt(start, stop)) for start, stop in ((0, 3), (0, 4), (1, 4))]
    assert len({whole.digest(), *(part.digest() for part in parts)}) == 4
    assert replace(whole, id="other").digest() == whole.digest()


def test_cuts_divide_a_video_into_shots():
    assert item("clip", 9).shots == [(0, 9)]
    assert replace(item("clip", 9), cuts=(2, 8)).shots == [(0, 2), (2, 8), (8, 9)]


def test_long_videos_come_first_and_idle_processes_get_nothing():
    videos = Videos([item("short", 3), item("long", 9), item("middle", 5)], world_size=4)
    assert [video and video.id for video in (videos[i] for i in range(len(videos)))] == [
        "long",
        "middle",
        "short",
        None,
    ]
