"""A file that cannot be read whole says so in one line: its name, what is wrong, what to do."""

import logging
from pathlib import Path

import av
import numpy as np
import pytest

from facestab.errors import VideoError
from facestab.video.source import VideoSource, open_video
from tests.bad_input.videos import sound
from tests.video.barcode import number_of, numbers_of, write_clip

FRONT = {"movflags": "faststart"}


def _read_all(path: Path, backend: str = "auto") -> list[int]:
    return numbers_of(open_video(path, backend).frames())


def _one_line_about(path: Path, match: str, backend: str = "auto") -> None:
    with pytest.raises(VideoError, match=match) as caught:
        _read_all(path, backend)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "; " in message


def _write_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("backend", ["auto", "pyav", "decord"])
def test_what_is_no_video_is_named(tmp_path: Path, backend: str) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("these are not the frames you are looking for\n" * 50)
    (tmp_path / "folder.mp4").mkdir()
    _one_line_about(tmp_path / "missing.mp4", "no such file", backend)
    _one_line_about(tmp_path / "empty.mp4", "0 bytes", backend)
    _one_line_about(tmp_path / "text.mp4", "not a video", backend)
    _one_line_about(tmp_path / "folder.mp4", "no frames in this folder", backend)
    sound(tmp_path / "sound.mp4")
    _one_line_about(tmp_path / "sound.mp4", "only sound", backend)


def test_a_missing_or_empty_file_shows_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    for name in ("missing.mp4", "empty.mp4"):
        with pytest.raises(VideoError, match=name):
            open_video(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "front"), [("index_at_end.mp4", None), ("index_in_front.mp4", FRONT), ("a.mkv", None)]
)
def test_a_file_that_is_cut_off_is_never_read_as_a_shorter_one(tmp_path: Path, name: str, front) -> None:
    path = write_clip(tmp_path / name, 60, options={"g": "12"}, container_options=front)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    for backend in ("auto", "pyav", "decord"):
        _one_line_about(path, "cut off", backend)


def _with_hole(path: Path) -> Path:
    """A clip of GOPs of 12 frames with a few hundred bytes overwritten in the middle."""
    write_clip(path, 60, options={"g": "12"}, container_options=FRONT)
    data = bytearray(path.read_bytes())
    middle = len(data) * 2 // 3
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    return path


def test_a_hole_stops_the_pass_at_its_frame_and_numbers_stay(tmp_path: Path) -> None:
    source = open_video(_with_hole(tmp_path / "hole.mp4"), "pyav")
    seen = []

    def read() -> None:
        seen.extend(number_of(frame_HWC) for frame_HWC in source.frames())

    with pytest.raises(VideoError, match=r"hole.mp4: frame \d+ of 60 cannot be decoded; mend the file") as caught:
        read()
    assert seen == list(range(len(seen)))
    assert 12 < len(seen) < 60
    assert f"frame {len(seen)} of 60" in str(caught.value)
    # what lies before and after the hole is still exact
    assert numbers_of(source.pair(3)) == [3, 4]
    assert numbers_of(source.pair(56)) == [56, 57]


def _hole_frame(path: Path) -> int:
    return next(number for number in range(60) if number and not _is_readable(open_video(path, "pyav"), number))


def _is_readable(source: VideoSource, number: int) -> bool:
    try:
        return numbers_of(source.frames(number, number + 1)) == [number]
    except VideoError:
        return False


def test_auto_falls_back_to_pyav_with_one_warning_where_decord_fails(tmp_path: Path, caplog) -> None:
    path = _with_hole(tmp_path / "hole.mp4")
    hole = _hole_frame(path)
    assert open_video(path, "pyav").index.decord_objection() is None
    with pytest.raises(VideoError, match=r"hole.mp4: backend=decord .*decord fails at frame \d+\); use backend=auto"):
        open_video(path, "decord").pair(hole)
    source = open_video(path)
    with caplog.at_level(logging.WARNING):
        with pytest.raises(VideoError, match=f"frame {hole} of 60 cannot be decoded"):
            source.pair(hole)
        assert numbers_of(source.pair(56)) == [56, 57]
    assert [record.name for record in caplog.records] == ["facestab.video.video_file"]
    assert "hole.mp4: " in caplog.records[0].message
    assert "reading with PyAV" in caplog.records[0].message


def test_frames_of_two_sizes_in_one_file_are_refused(tmp_path: Path) -> None:
    small = write_clip(tmp_path / "small.ts", 10, size=(64, 96))
    large = write_clip(tmp_path / "large.ts", 10, size=(80, 112))
    path = tmp_path / "two_sizes.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    _one_line_about(path, "frame 10")
