"""decord may die or hang on a file: the process that asked it goes on, and reads by PyAV."""

import logging
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facestab.errors import VideoError
from facestab.video import guarded
from facestab.video.guarded import GuardedDecord, guarded_decord
from facestab.video.source import open_video
from tests.video.barcode import numbers_of, write_clip

N = 12
# a process that is killed while decord does not answer it
ORPHAN = """
import os, signal, sys
from pathlib import Path
from facestab.video.guarded import guarded_decord

guarded_decord().ask(Path(sys.argv[1]), 0, 1, goes_on=False)
child = guarded_decord()._process.pid
print(child, "decord" in sys.modules, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def promise(path: Path, num_frames: int) -> Path:
    """Let the header of an MP4 file count other frames than there are."""
    data = bytearray(path.read_bytes())
    # after the tag: version and flags, number of entries, count of the first
    struct.pack_into(">I", data, data.index(b"stts") + 12, num_frames)
    path.write_bytes(data)
    return path


def test_a_header_that_promises_frames_is_not_given_to_decord(tmp_path: Path) -> None:
    path = promise(write_clip(tmp_path / "greedy.mp4", N), 2**32 - 16)
    with pytest.raises(VideoError, match=r"its header promises \d+ frames, and 12 are there\); use backend=auto"):
        open_video(path, "decord").pair(3)
    assert numbers_of(open_video(path).pair(3)) == [3, 4]


def test_where_decord_aborts_its_child_is_replaced_and_the_file_not_tried_again(tmp_path: Path) -> None:
    greedy, sound = promise(write_clip(tmp_path / "greedy.mp4", N), 2**32 - 16), write_clip(tmp_path / "a.mp4", N)
    decord = GuardedDecord()
    assert decord.ask(greedy, 3, 5, goes_on=False).why == "decord ends its process (SIGABRT)"
    answer = decord.ask(sound, 3, 5, goes_on=False)
    assert (answer.total, answer.shape, len(answer.frames), answer.why) == (N, (64, 96, 3), 2, "")
    process = decord._process
    assert decord.ask(greedy, 3, 5, goes_on=False).why == "decord ends its process (SIGABRT)"
    assert decord._process is process
    decord.close()


def test_a_hang_ends_in_pyav_with_one_warning(tmp_path: Path, monkeypatch, caplog) -> None:
    path, other = (write_clip(tmp_path / name, N) for name in ("stuck.mp4", "other.mp4"))
    assert numbers_of(open_video(path, "decord").pair(1)) == [1, 2]
    monkeypatch.setattr(guarded, "ANSWER_S", 0.5)
    process = guarded_decord()._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert numbers_of(open_video(path).pair(3)) == [3, 4]
    assert [record.message for record in caplog.records] == [
        f"{path}: backend=decord cannot be used (decord hangs); reading with PyAV from here on"
    ]
    monkeypatch.undo()
    assert numbers_of(open_video(other, "decord").pair(3)) == [3, 4]


def test_a_child_that_something_else_has_killed_is_started_again(tmp_path: Path) -> None:
    source = open_video(write_clip(tmp_path / "clip.mp4", N), "decord")
    assert numbers_of(source.pair(1)) == [1, 2]
    process = guarded_decord()._process
    assert process is not None
    process.kill()
    process.wait()
    assert numbers_of(source.frames(2, 9)) == list(range(2, 9))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="asks the system for processes")
def test_decord_is_not_loaded_where_it_is_asked_and_its_child_ends_with_the_one_that_asks(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", N)
    done = subprocess.run([sys.executable, "-c", ORPHAN, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    child, is_loaded = done.stdout.split()
    assert is_loaded == "False"
    deadline = time.monotonic() + 30
    while os.path.exists(f"/proc/{child}") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{child}")
