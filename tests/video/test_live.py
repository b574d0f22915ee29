"""Streams: the newest frame for whoever is slow, every frame for whoever makes the sender wait."""

import os
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from facestab.errors import VideoError
from facestab.video.live import LastTime, LiveSource, Newest, is_live
from facestab.video.live_sink import LiveSink
from facestab.video.sink import VideoSink
from facestab.video.source import open_video
from tests.video.barcode import draw, number_of

SECONDS = 20


def frame(number):
    return np.full((2, 2, 3), number, np.uint8)


class Sender:
    """Sends a frame when it is told to."""

    def __init__(self):
        self.sent = 0
        self._wanted = threading.Semaphore(0)
        self._end = False

    def send(self, newest, count=1):
        for _ in range(count):
            arrived = newest.num_arrived
            self._wanted.release()
            end = time.monotonic() + SECONDS
            while newest.num_arrived == arrived:
                assert time.monotonic() < end
                time.sleep(0.001)

    def end(self):
        self._end = True
        self._wanted.release()

    def __iter__(self):
        while True:
            assert self._wanted.acquire(timeout=SECONDS)
            if self._end:
                return
            yield frame(self.sent)
            self.sent += 1


def test_whoever_is_slow_gets_the_newest_frame_and_the_others_are_counted():
    sender = Sender()
    newest = Newest(iter(sender))
    frames = iter(newest)
    taken = []
    reader = threading.Thread(target=lambda: taken.extend(f.pixels_HWC[0, 0, 0] for f in [next(frames)]))
    reader.start()
    sender.send(newest)
    reader.join(SECONDS)
    sender.send(newest, 4)
    assert taken == [0]
    assert next(frames).pixels_HWC[0, 0, 0] == 4
    assert (newest.num_arrived, newest.num_dropped) == (5, 3)
    sender.end()
    assert next(frames, None) is None


def test_a_sender_that_has_to_wait_loses_nothing():
    newest = Newest((frame(number) for number in range(50)), drop=False)
    assert [f.pixels_HWC[0, 0, 0] for f in newest] == list(range(50))
    assert (newest.num_arrived, newest.num_dropped) == (50, 0)


def test_frames_know_when_they_arrived():
    before = time.perf_counter()
    times = [f.arrived for f in Newest((frame(number) for number in range(5)), drop=False)]
    assert times == sorted(times)
    assert before <= times[0] <= times[-1] <= time.perf_counter()


@pytest.mark.parametrize("drop", [True, False])
def test_after_stop_nothing_comes_and_what_is_not_wanted_does_not_count(drop):
    newest = Newest((frame(number % 200) for number in range(10**9)), drop)
    frames = iter(newest)
    next(frames)
    newest.stop()
    assert next(frames, None) is None
    assert newest.num_arrived - newest.num_dropped == 1


def test_counting_anew_keeps_the_frame_in_hand_and_the_one_that_waits():
    sender = Sender()
    newest = Newest(iter(sender))
    frames = iter(newest)
    threading.Thread(target=sender.send, args=(newest,)).start()
    next(frames)
    sender.send(newest, 3)
    newest.count_from_here()
    assert (newest.num_arrived, newest.num_dropped) == (2, 0)
    newest.stop()
    sender.end()


def test_an_error_of_the_source_is_raised():
    def broken():
        yield frame(0)
        raise VideoError("camera 0: unplugged")

    frames = iter(Newest(broken(), drop=False))
    next(frames)
    with pytest.raises(VideoError, match="unplugged"):
        next(frames)


def test_numbers_pipes_and_devices_are_live_and_files_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "clip.mp4").touch()
    assert [is_live(source) for source in (0, "1", "pipe", "/dev/null")] == [True] * 4
    assert not any(is_live(source) for source in ("clip.mp4", tmp_path, "missing.mp4", None))
    # a folder of this name is what is meant
    (tmp_path / "0").mkdir()
    assert not is_live(0)


def test_a_camera_that_is_not_there_is_named():
    with pytest.raises(VideoError, match=r"^63: no camera can be opened here"):
        next(LiveSource(63).frames())


def sent(path, data):
    thread = threading.Thread(target=lambda: path.write_bytes(data), daemon=True)
    thread.start()
    return thread


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_frames_come_out_of_a_pipe_in_order(tmp_path, pipe):
    with LiveSink(str(tmp_path / "clip.ts"), Fraction(25)) as sink:
        for number in range(30):
            sink.write(draw(number))
    thread = sent(pipe, (tmp_path / "clip.ts").read_bytes())
    assert [number_of(one) for one in LiveSource(pipe).frames()] == list(range(30))
    thread.join(SECONDS)


@pytest.mark.parametrize(
    ("data", "message"), [(b"no video at all" * 99, "no video comes out of this pipe"), (b"", "no video")]
)
def test_a_pipe_without_a_video_is_named(pipe, data, message):
    sent(pipe, data)
    with pytest.raises(VideoError, match=message):
        list(LiveSource(pipe).frames())


def test_a_stream_that_changes_its_size_ends_there(tmp_path, pipe, caplog):
    source = LiveSource(pipe)
    source._piped = lambda: iter([frame(0), frame(1), np.zeros((4, 4, 3), np.uint8), frame(3)])
    assert [one[0, 0, 0] for one in source.frames()] == [0, 1]
    assert "frames are no longer 2x2 but 4x4" in caplog.text


def test_a_file_is_written_with_the_times_of_a_stream(tmp_path):
    times = LastTime()
    seconds = [Fraction(0), Fraction(1, 10), Fraction(4, 10), Fraction(45, 100)]
    with VideoSink(tmp_path / "clip.mkv", Fraction(25), codec="ffv1_rgb", times=times) as sink:
        for number, at in enumerate(seconds):
            times.add(at)
            sink.write(draw(number))
    with pytest.raises(IndexError, match="only the last"):
        times[0]
    found = open_video(tmp_path / "clip.mkv").timing().times
    assert [float(at) for at in found] == pytest.approx([float(at) for at in seconds], abs=1e-3)


def test_what_is_sent_can_be_watched_before_the_end(tmp_path, pipe):
    seen, enough = [], threading.Event()

    def watch():
        for one in LiveSource(pipe).frames():
            seen.append(number_of(one))
            enough.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    number = 0
    with LiveSink(str(pipe), Fraction(25)) as sink:
        while not enough.is_set() and number < 250:
            sink.write(draw(number))
            number += 1
            time.sleep(0.02)
    assert enough.is_set()
    assert number < 250
    watcher.join(SECONDS)
    assert seen == list(range(number))


def test_a_reader_who_leaves_ends_what_is_sent_and_no_more(pipe, caplog):
    def watch():
        with pipe.open("rb") as stream:
            stream.read(1)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with LiveSink(str(pipe), Fraction(25)) as sink:
        sink.write(draw(0))
        watcher.join(SECONDS)
        for number in range(1, 200):
            sink.write(draw(number))
    assert caplog.text.count("nobody reads it any more") == 1


def test_an_output_that_cannot_be_written_is_named(tmp_path):
    sink = LiveSink(str(tmp_path / "missing" / "out.ts"), Fraction(25))
    with pytest.raises(VideoError, match=r"out\.ts: the stream cannot be written"):
        sink.write(draw(0))
