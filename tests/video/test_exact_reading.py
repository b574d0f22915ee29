"""Every reader gives the frame that was asked for, whatever the file."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from facestab.errors import VideoError
from facestab.video.index import build_index
from facestab.video.source import open_video
from tests.clips import carphone
from tests.video.barcode import draw, number_of, numbers_of, write_clip

N = 60
B_FRAMES = {"g": "12", "bf": "3"}
OPEN_GOP = {"x264-params": "keyint=12:min-keyint=12:open-gop=1:bframes=3:b-adapt=0:scenecut=0"}
GAPS = [i + 5 * (i // 10) for i in range(N)]

# name: how it is written, whether decord may read it
CLIPS = {
    "closed_gop.mp4": ({"options": {"g": "12", "bf": "0"}}, True),
    "b_frames.mp4": ({"options": B_FRAMES}, True),
    "b_frames.mkv": ({"options": B_FRAMES}, True),
    "ntsc.mp4": ({"options": B_FRAMES, "fps": Fraction(30000, 1001)}, True),
    "starts_late.mp4": ({"options": B_FRAMES, "ticks": [i + 50 for i in range(N)]}, True),
    "fragmented.mp4": ({"options": B_FRAMES, "container_options": {"movflags": "frag_keyframe+empty_moov"}}, True),
    "variable_rate.mp4": ({"options": B_FRAMES, "ticks": GAPS}, True),
    "variable_rate.mkv": ({"options": B_FRAMES, "ticks": GAPS}, True),
    "odd_size.mkv": ({"codec": "ffv1", "size": (65, 97), "pix_fmt": "bgr0"}, True),
    "vp8.webm": ({"codec": "libvpx", "options": {"g": "12"}}, True),
    "open_gop.mp4": ({"options": OPEN_GOP}, False),
    "open_gop.mkv": ({"options": OPEN_GOP}, False),
    "hevc.mp4": ({"codec": "libx265", "options": {"x265-params": "keyint=12:log-level=none"}}, False),
    "mpeg4_b.avi": ({"codec": "mpeg4", "options": {"bf": "2", "g": "12"}}, False),
    "h264_b.avi": ({"options": B_FRAMES}, False),
    "transport.ts": ({"options": B_FRAMES}, False),
    "program.mpg": ({"codec": "mpeg2video", "options": {"bf": "2", "g": "12"}}, False),
    "animated.gif": ({"codec": "gif", "pix_fmt": "rgb8"}, False),
}


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("clips")

    def make(name: str) -> Path:
        path = folder / name
        return path if path.exists() else write_clip(path, N, **CLIPS[name][0])

    return make


@pytest.mark.parametrize("backend", ["auto", "pyav"])
@pytest.mark.parametrize("name", CLIPS)
def test_every_frame_comes_once_in_order_and_every_pair_is_right(clip, name: str, backend: str) -> None:
    source = open_video(clip(name), backend)
    assert source.info.num_frames == N
    assert numbers_of(source.frames()) == list(range(N))
    for index in np.random.default_rng(0).permutation(N - 1):
        assert numbers_of(source.pair(int(index))) == [index, index + 1]


@pytest.mark.parametrize("name", [name for name, (_, decord) in CLIPS.items() if decord])
def test_decord_and_pyav_give_the_same_pixels_where_the_guard_passes(clip, name: str) -> None:
    by_decord, by_pyav = open_video(clip(name), "decord"), open_video(clip(name), "pyav")
    for a, b in zip(by_decord.frames(), by_pyav.frames(), strict=True):
        np.testing.assert_array_equal(a, b)
    for index in (0, 10, 11, 12, N - 2):
        np.testing.assert_array_equal(by_decord.pair(index), by_pyav.pair(index))


@pytest.mark.parametrize("name", [name for name, (_, decord) in CLIPS.items() if not decord])
def test_decord_is_refused_where_it_gives_wrong_frames(clip, name: str) -> None:
    source = open_video(clip(name), "decord")
    for read in (lambda: list(source.frames()), lambda: source.pair(3)):
        with pytest.raises(VideoError, match=rf"{name}: backend=decord cannot be used .*use backend=auto") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_the_guard_says_why_about_open_gops(clip) -> None:
    assert build_index(clip("closed_gop.mp4")).decord_objection() is None
    assert "open GOP" in (build_index(clip("open_gop.mp4")).decord_objection() or "")


@pytest.mark.parametrize("backend", ["auto", "pyav", "decord"])
def test_a_run_starts_and_stops_where_it_is_told(clip, backend: str) -> None:
    source = open_video(clip("b_frames.mp4"), backend)
    assert numbers_of(source.frames(17, 29)) == list(range(17, 29))
    assert numbers_of(source.frames(55)) == [55, 56, 57, 58, 59]
    assert numbers_of(source.frames(58, 1000)) == [58, 59]
    assert list(source.frames(N)) == []


@pytest.mark.parametrize("index", [-1, N - 1, N])
def test_a_pair_outside_is_an_index_error(clip, index: int) -> None:
    with pytest.raises(IndexError, match="closed_gop"):
        open_video(clip("closed_gop.mp4")).pair(index)


def test_the_rate_is_exact_and_measured_where_it_varies(clip) -> None:
    assert open_video(clip("ntsc.mp4")).info.fps == Fraction(30000, 1001)
    # 59 steps in the (59 + 25) / 25 s that the gaps make of it, though the header says 25
    assert open_video(clip("variable_rate.mkv")).info.fps == Fraction(59 * 25, 59 + 25)


@pytest.mark.parametrize("backend", ["auto", "pyav", "decord"])
def test_one_frame_is_a_video(tmp_path: Path, backend: str) -> None:
    source = open_video(write_clip(tmp_path / "one.mp4", 1), backend)
    assert source.info.num_frames == 1
    assert numbers_of(source.frames()) == [0]


@pytest.mark.parametrize(("turns", "matrix"), [(1, (0, -1, 1, 0)), (2, (-1, 0, 0, -1)), (3, (0, 1, -1, 0))])
def test_a_rotated_file_is_shown_upright_by_both_backends(tmp_path: Path, turns: int, matrix: tuple[int, ...]) -> None:
    path = write_clip(tmp_path / "rotated.mp4", 12, options={"crf": "10"})
    data = bytearray(path.read_bytes())
    a, b, c, d = (value * 65536 for value in matrix)
    # version 0 of the track header has its 36 bytes of matrix after 40 bytes and the tag
    start = data.index(b"tkhd") + 4 + 40
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    for backend in ("pyav", "decord"):
        source = open_video(path, backend)
        assert (source.info.height, source.info.width) == ((96, 64) if turns % 2 else (64, 96))
        for number, frame_HWC in enumerate(source.frames()):
            upright = np.rot90(draw(number), turns).astype(int)
            assert np.abs(frame_HWC - upright).mean() < 4
    np.testing.assert_array_equal(open_video(path, "pyav").pair(4), open_video(path, "decord").pair(4))


def _copy_packets(source: Path, target: Path, change: Callable[[int, av.Packet], av.Packet | None]) -> Path:
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        packets = [packet for packet in reader.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            changed = change(number, packet)
            if changed is not None:
                changed.stream = stream
                writer.mux(changed)
    return target


def test_a_copy_that_was_cut_at_an_open_gop_starts_at_its_keyframe(clip, tmp_path: Path) -> None:
    """Three packets after the cut need frames before it: nothing decodes them, and decord shows others instead."""
    keys_seen = 0

    def from_third_key(_: int, packet: av.Packet) -> av.Packet | None:
        nonlocal keys_seen
        keys_seen += packet.is_keyframe
        return packet if keys_seen >= 3 else None

    source = open_video(_copy_packets(clip("open_gop.mkv"), tmp_path / "cut.mkv", from_third_key))
    assert numbers_of(source.frames()) == list(range(24, N))
    assert numbers_of(source.pair(0)) == [24, 25]
    assert numbers_of(source.pair(20)) == [44, 45]


def test_frames_that_an_edit_list_hides_are_not_counted(clip) -> None:
    path = clip("b_frames.mp4")
    data = bytearray(path.read_bytes())
    start = data.index(b"elst") + 16
    ticks = 12800 // 25
    data[start : start + 4] = struct.pack(">i", struct.unpack(">i", data[start : start + 4])[0] + 17 * ticks)
    edited = path.with_name("edited.mp4")
    edited.write_bytes(data)
    source = open_video(edited)
    assert numbers_of(source.frames()) == list(range(17, N))
    assert numbers_of(source.pair(10)) == [27, 28]


def test_a_vp8_packet_that_is_never_shown_is_no_frame(clip, tmp_path: Path, caplog) -> None:
    def hide_sixth(number: int, packet: av.Packet) -> av.Packet:
        if number != 6:
            return packet
        data = bytearray(bytes(packet))
        data[0] &= ~0x10
        hidden = av.Packet(bytes(data))
        hidden.pts, hidden.dts, hidden.time_base = packet.pts, packet.dts, packet.time_base
        return hidden

    source = open_video(_copy_packets(clip("vp8.webm"), tmp_path / "hidden.webm", hide_sixth))
    assert numbers_of(source.frames()) == [number for number in range(N) if number != 6]
    assert numbers_of(source.pair(5)) == [5, 7]
    # decord counts it, and would shift all numbers behind it
    assert "decord counts 60 frames instead of 59" in caplog.text


def test_the_real_clip_reads_the_same_by_all_backends() -> None:
    sources = [open_video(carphone(), backend) for backend in ("auto", "pyav", "decord")]
    info = sources[0].info
    assert (info.num_frames, info.height, info.width, info.fps) == (120, 144, 176, Fraction(30000, 1001))
    all_frames = [np.stack(list(source.frames())) for source in sources]
    assert all_frames[0].shape == (120, 144, 176, 3)
    np.testing.assert_array_equal(all_frames[0], all_frames[1])
    np.testing.assert_array_equal(all_frames[0], all_frames[2])
    for index in (0, 1, 59, 118):
        for source in sources:
            np.testing.assert_array_equal(source.pair(index), all_frames[0][index : index + 2])


def test_the_barcode_tells_all_numbers_apart() -> None:
    assert [number_of(draw(number)) for number in range(0, 4096, 37)] == list(range(0, 4096, 37))
