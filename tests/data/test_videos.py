from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facestab.data.prediction import Videos
from facestab.data.videos import VideoFolder, VideoItem, content_hash, video_ids
from facestab.errors import VideoError
from facestab.types import VideoInfo
from facestab.video.sink import VideoSink


def write_clip(path, num_frames=3):
    with VideoSink(path, Fraction(25), codec="ffv1_rgb") as sink:
        for t in range(num_frames):
            sink.write(np.full((16, 16, 3), t, np.uint8))


def item(name, num_frames):
    return VideoItem(name, VideoInfo(Path(name), Fraction(25), num_frames, 16, 16, "h264"))


def test_a_folder_is_split_into_videos_that_do_not_overlap(tmp_path):
    for i in range(10):
        write_clip(tmp_path / f"{i}.mkv")
    videos = VideoFolder(str(tmp_path), val_share=0.2)
    train, val, all_ = ({item.id for item in videos.split(name)} for name in ("train", "val", "all"))
    assert len(val) == 2
    assert train | val == all_ == {str(i) for i in range(10)}
    assert train.isdisjoint(val)


def test_a_lone_video_trains_and_validates(tmp_path):
    write_clip(tmp_path / "clip.mkv", 5)
    videos = VideoFolder(str(tmp_path / "clip.mkv"))
    assert [[item.id for item in videos.split(name)] for name in ("train", "val", "test", "all")] == [["clip"]] * 4
    assert videos.split("train")[0].num_frames == 5


def test_ids_tell_videos_of_the_same_stem_apart():
    root = Path("root")
    paths = [root / "a" / "clip.mp4", root / "clip.mp4", root / "clip.mkv"]
    assert list(video_ids(root, paths).values()) == ["a__clip", "clip.mp4", "clip.mkv"]


def test_a_file_that_is_no_video_is_named(tmp_path):
    (tmp_path / "clip.mp4").write_text("hello")
    with pytest.raises(VideoError, match=r"clip\.mp4"):
        VideoFolder(str(tmp_path)).split("all")


def test_the_content_hash_follows_the_bytes_and_not_the_name(tmp_path):
    (tmp_path / "a").write_bytes(b"1" * 3000000)
    (tmp_path / "b").write_bytes(b"1" * 3000000)
    (tmp_path / "c").write_bytes(b"1" * 2999999 + b"2")
    a, b, c = (content_hash(tmp_path / name) for name in "abc")
    assert a == b != c


def test_the_content_hash_of_a_folder_follows_every_frame(tmp_path):
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(b"x")
    before = content_hash(tmp_path)
    (tmp_path / "2.png").write_bytes(b"y")
    assert content_hash(tmp_path) != before


def test_long_videos_come_first_and_idle_processes_get_nothing():
    videos = Videos([item("short", 3), item("long", 9), item("middle", 5)], world_size=4)
    assert [video and video.id for video in (videos[i] for i in range(len(videos)))] == [
        "long",
        "middle",
        "short",
        None,
    ]
