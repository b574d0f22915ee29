"""What experiments/fuzz has found, each with the smallest damage that shows it."""

import io
import json
import logging
import struct
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
import torch

from facestab.data.manifest import read_manifest
from facestab.data.stills.celeba_lists import split_of_originals
from facestab.engines.onnx_net import load_any
from facestab.errors import FacestabError, VideoError, WeightsError
from facestab.nets.weights import CARD_KEY, ModelCard, load_model, save_weights
from facestab.record import read_record
from facestab.report.runs import read_curves
from facestab.video.sink import VideoSink
from facestab.video.source import open_video
from tests import tiny
from tests.tiny import mistake, tiny_net
from tests.video.barcode import draw, numbers_of, write_clip

LABELS = {"names": ["bg", "a", "b"], "palette": [[0, 0, 0], [1, 1, 1], [2, 2, 2]], "pairs": []}
NET = {**tiny.NET, "num_classes": 3}
DEEP = "[" * 5000


def replaced(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


def write_talk(path: Path, codec: str = "aac", num_frames: int = 12) -> Path:
    """Numbered frames and a tone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "6", "bf": "0"})
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        sound = container.add_stream(codec, rate=48000)
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.float32), format="fltp", layout="mono")
            tone.sample_rate, tone.pts, tone.time_base = 48000, number * 1920, Fraction(1, 48000)
            container.mux(sound.encode(tone))
        container.mux([*stream.encode(), *sound.encode()])
    return path


def copied(path: Path) -> dict[str, int]:
    """Write a file's frames with its sound; kind of a track to the number of its packets."""
    target = path.with_name("copy.mp4")
    with VideoSink(target, Fraction(25), audio=path) as sink:
        for frame_HWC in open_video(path).frames():
            sink.write(frame_HWC)
    with av.open(str(target)) as container:
        return {stream.type: stream.frames for stream in container.streams}


def test_a_track_of_an_unknown_codec_is_named(tmp_path: Path) -> None:
    path = replaced(write_clip(tmp_path / "clip.mp4", 12), b"avc1", b"zzzz")
    with pytest.raises(VideoError, match=r"clip\.mp4: .*codec"):
        _ = open_video(path).info


def test_a_time_that_is_hours_away_is_named(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", 4, ticks=[0, 1, 2, 25 * 3600 * 7])
    with pytest.raises(VideoError, match=r"clip\.mkv: the time of frame 3 is damaged; mend the file: "):
        _ = open_video(path).info


def test_an_hour_between_two_frames_is_a_rate_above_nothing(tmp_path: Path) -> None:
    info = open_video(write_clip(tmp_path / "clip.mkv", 2, ticks=[0, 25 * 3600])).info
    assert info.fps == Fraction(1, 1001)


def test_a_header_that_says_one_frame_a_week_does_not_give_the_rate(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 1)
    data = bytearray(path.read_bytes())
    # after the tag: version and flags, number of entries, count and duration of the first
    struct.pack_into(">I", data, data.index(b"stts") + 16, 2**31 - 1)
    path.write_bytes(data)
    assert open_video(path).info.fps >= Fraction(1, 6 * 3600)
    assert numbers_of(open_video(path).frames()) == [0]


def test_damaged_sound_is_left_out_and_the_pictures_are_written(tmp_path: Path, caplog) -> None:
    assert copied(write_talk(tmp_path / "whole.mp4"))["audio"] > 0
    assert copied(replaced(write_talk(tmp_path / "codec.mkv", "libopus"), b"A_OPUS", b"A_ZZZZ")) == {"video": 12}
    with caplog.at_level(logging.WARNING):
        # an element that nobody knows in place of what says how to decode
        path = replaced(write_talk(tmp_path / "head.mkv", "libopus"), b"\x63\xa2\x93OpusHead", b"\x63\xa3\x93OpusHead")
        assert copied(path) == {"video": 12}
    assert f"{path}: its sound is damaged and left out" in caplog.text


def test_sound_that_goes_back_in_time_is_copied_without_the_way_back(tmp_path: Path) -> None:
    path = write_talk(tmp_path / "twice.mkv", "libopus")
    once = copied(path)
    data = path.read_bytes()
    # all clusters once more, and then what follows them
    path.write_bytes(data + data[data.index(bytes.fromhex("1f43b675")) :])
    assert copied(path)["audio"] == once["audio"]


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {**LABELS, "names": ["bg", "a", "x/y"]}},
        {"labels": {**LABELS, "palette": [[0, 0, 0], [1, 1, 1], [2, 2, float("inf")]]}},
        {"labels": [1]},
        {"net": [1]},
        {"size": "48"},
        {"net": {**NET, "num_classes": 2**31 - 1}},
        {"net": {**NET, "nonsense": 1}},
        {"net": {**NET, "encoder": "tu-nonsense"}},
    ],
)
def test_a_damaged_card_is_named_and_asks_for_no_memory(tmp_path: Path, change) -> None:
    path = tmp_path / "net.safetensors"
    save_weights(
        path,
        tiny_net(num_classes=3),
        ModelCard(**{"stage": "image", "net": NET, "labels": LABELS, "size": 48} | change),
    )
    with pytest.raises(WeightsError, match=r"net\.safetensors: "):
        load_model(path)


def test_a_card_that_nests_without_end_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    header = json.dumps({"__metadata__": {CARD_KEY: DEEP}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(WeightsError, match=r"net\.safetensors: not a readable"):
        load_model(path)
    tensor = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [tensor],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    for card in (DEEP, "no JSON", "[1]"):
        onnx.helper.set_model_props(model, {CARD_KEY: card})
        onnx.save(model, str(tmp_path / "net.onnx"))
        with pytest.raises(WeightsError, match=r"net\.onnx: "):
            load_any(tmp_path / "net.onnx")


def test_a_checkpoint_whose_tensors_are_described_wrongly_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.ckpt"
    torch.save({"state_dict": {"net.a": torch.zeros(3)}}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, body in members.items():
            # the text "a" in the place of a kind of storage
            archive.writestr(name, body.replace(b"ctorch\nFloatStorage\n", b"X\x01\x00\x00\x00a"))
    path.write_bytes(written.getvalue())
    with pytest.raises(WeightsError, match=r"net\.ckpt: not a readable checkpoint"):
        load_model(path)


@pytest.mark.parametrize("text", [b"names: [a, b\n", b"\xff\xfe\x00", b"names: " + DEEP.encode(), b"a: &a [*b]\n"])
def test_a_label_file_that_is_no_yaml_ends_in_one_line(tmp_path: Path, text: bytes, capsys, monkeypatch) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "own.yaml").write_bytes(text)
    search = f"hydra.searchpath=[file://{tmp_path}]"
    mistake("stage=evaluate", "labels=own", "masks=none", search, cwd=tmp_path, capsys=capsys, monkeypatch=monkeypatch)


def test_texts_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_bytes(b'{"schema": 1, "stage": "\xff"}')
    assert read_record(tmp_path) is None
    (tmp_path / "metrics.json").write_text(DEEP)
    assert read_record(tmp_path) is None
    (tmp_path / "frames.csv").write_bytes(b"frame,flicker/aba\n0,\xff\n")
    with pytest.raises(FacestabError, match=r"frames\.csv: cannot be read"):
        read_curves(tmp_path / "frames.csv")
    (tmp_path / "videos.json").write_text(DEEP)
    with pytest.raises(FacestabError, match=r"videos\.json: is no JSON"):
        read_manifest(tmp_path / "videos.json")
    (tmp_path / "CelebA-HQ-to-CelebA-mapping.txt").write_bytes(b"0 0 0.jpg \xff\n")
    with pytest.raises(FacestabError, match=r"mapping\.txt: is no text"):
        split_of_originals(tmp_path)
