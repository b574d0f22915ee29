"""`stage=predict video.source=PIPE`: one frame in, one out, counted and timed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest

from facestab.errors import VideoError
from facestab.nets.weights import ModelCard, save_weights
from facestab.record import read_record
from facestab.video.label_video import read_labels
from facestab.video.live_sink import LiveSink
from facestab.video.source import open_video
from tests.clips import carphone
from tests.tiny import NET, mistake, succeed, tiny_net

pytestmark = pytest.mark.slow
NUM_FRAMES = 30


@pytest.fixture
def home(tmp_path, face11):
    save_weights(tmp_path / "net.safetensors", tiny_net(), ModelCard("image", NET, face11.to_dict(), 48))
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.ts"
    with open_video(carphone()) as source, LiveSink(str(path), Fraction(25)) as sink:
        for frame in source.frames(0, NUM_FRAMES):
            sink.write(frame)
    return path


def send(pipe, data):
    def write():
        # whoever reads may have had enough
        with suppress(BrokenPipeError):
            pipe.write_bytes(data)

    threading.Thread(target=write, daemon=True).start()


COMMAND = ("stage=predict", "ckpt=net.safetensors", "video.source=pipe", "name=live")


def test_every_frame_is_labelled_when_the_sender_waits(home, clip):
    send(home / "pipe", clip.read_bytes())
    said = succeed(*COMMAND, "stream.drop=false", "stream.output=live.ts", cwd=home)
    assert f"stream: {NUM_FRAMES} frames in, {NUM_FRAMES} labelled, 0 dropped; latency p50" in said
    run = home / "runs" / "predict" / "live"
    record = read_record(run)
    stream = record["stream"]
    assert (stream["arrived"], stream["labelled"], stream["dropped"]) == (NUM_FRAMES, NUM_FRAMES, 0)
    assert 0 < stream["latency_p50_ms"] <= stream["latency_p95_ms"]
    assert record["metrics"]["image"]["flicker/aba"] >= 0
    assert open_video(home / "live.ts").info.num_frames == NUM_FRAMES
    labels = list(read_labels(run / "videos" / "pipe" / "labels.mkv"))
    # the same as those of the file
    succeed(*COMMAND[:2], f"video.source={clip}", "name=file", "smoother=none", "flow=none", cwd=home)
    expected = list(read_labels(home / "runs" / "predict" / "file" / "videos" / "clip" / "labels.mkv"))
    assert (np.stack(labels) != np.stack(expected)).mean() < 1e-3


def test_a_face_in_a_stream_is_framed(home, clip):
    send(home / "pipe", clip.read_bytes())
    given = ["detector=lbp", "detector.every=5", "stream.drop=false", "inference.write=[json,labels]"]
    succeed(*COMMAND, *given, cwd=home)
    folder = home / "runs" / "predict" / "live" / "videos" / "pipe"
    frames = json.loads((folder / "frames.json").read_text())["frames"]
    assert len(frames) == len(list(read_labels(folder / "labels.mkv"))) == NUM_FRAMES
    squares = [one["squares"][0] for one in frames]
    # the man's face is right of the middle of 176 x 144 pixels, and about half as high
    assert all(60 < one["x"] < 120 and 40 < one["y"] < 100 and 60 < one["side"] < 180 for one in squares)


def test_ctrl_c_ends_a_stream_and_keeps_what_has_come(home, clip):
    wanted = threading.Event()

    def film():
        number = 0
        with suppress(VideoError), open_video(clip) as source, LiveSink(str(home / "pipe"), Fraction(25)) as sink:
            frames = list(source.frames())
            while not wanted.is_set():
                sink.write(frames[number % NUM_FRAMES])
                number += 1
                time.sleep(0.02)

    sender = threading.Thread(target=film, daemon=True)
    sender.start()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "facestab.run", *COMMAND]
    with subprocess.Popen(command, cwd=home, env=environment, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stderr:
            if "Ctrl-C ends it" in line:
                break
        time.sleep(3)
        running.send_signal(signal.SIGINT)
        wanted.set()
        rest = running.stderr.read()
        assert running.wait(60) == 0, rest
    sender.join(20)
    run = home / "runs" / "predict" / "live"
    stream = read_record(run)["stream"]
    assert stream["labelled"] > 1
    assert stream["arrived"] == stream["labelled"] + stream["dropped"]
    source = open_video(run / "videos" / "pipe" / "labels.mkv")
    assert source.info.num_frames == stream["labelled"]
    assert "Traceback" not in rest


def test_a_stream_ends_after_the_seconds_that_are_wanted(home, clip):
    send(home / "pipe", clip.read_bytes() * 200)
    succeed(*COMMAND, "stream.seconds=1", "stream.drop=false", "inference.write=[]", cwd=home)
    stream = read_record(home / "runs" / "predict" / "live")["stream"]
    assert 1 <= stream["seconds"] < 30
    assert stream["labelled"] < 200 * NUM_FRAMES


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["video.source=63"], "63: no camera can be opened here"),
        (["video.source=pipe", "stream.seconds=0"], "stream.seconds must be above 0, or null, got 0"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(home, capsys, monkeypatch, settings, message):
    said = mistake(*COMMAND[:2], "name=x", *settings, cwd=home, capsys=capsys, monkeypatch=monkeypatch)
    assert message in said
    assert not (home / "runs" / "predict" / "x").exists()
