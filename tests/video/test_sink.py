"""Videos are written whole or not at all, and read back as what they promise to be."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from facestab.errors import VideoError
from facestab.video.sink import VideoSink
from facestab.video.source import open_video
from tests.video.barcode import draw, numbers_of


def _write(path: Path, frames, fps: Fraction = Fraction(25), **settings) -> Path:
    with VideoSink(path, fps, **settings) as sink:
        for frame in frames:
            sink.write(frame)
    return path


def _boxes(path: Path) -> list[bytes]:
    data, names, position = path.read_bytes(), [], 0
    while position < len(data):
        names.append(data[position + 4 : position + 8])
        position += int.from_bytes(data[position : position + 4], "big")
    return names


def test_the_viewing_video_plays_in_browsers(tmp_path: Path) -> None:
    path = _write(tmp_path / "new/folder/view.mp4", [draw(n) for n in range(30)])
    names = _boxes(path)
    assert names.index(b"moov") < names.index(b"mdat")
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.profile) == ("h264", "yuv420p", "High")
    assert numbers_of(open_video(path).frames()) == list(range(30))
    assert numbers_of(open_video(path, "decord").frames()) == list(range(30))


def test_odd_sizes_are_padded_by_their_edges_and_never_scaled(tmp_path: Path) -> None:
    frames = [draw(n, 65, 97) for n in range(10)]
    for number, frame_HWC in enumerate(open_video(_write(tmp_path / "odd.mp4", frames)).frames()):
        assert frame_HWC.shape == (66, 98, 3)
        padded = np.pad(frames[number], ((0, 1), (0, 1), (0, 0)), mode="edge").astype(int)
        assert np.abs(frame_HWC - padded).mean() < 4


def test_colours_survive_the_viewing_video(tmp_path: Path) -> None:
    """Flat colours: a wrong matrix or range would be off by 10 and more."""
    colours = np.random.default_rng(0).integers(0, 256, (12, 3)).astype(np.uint8)
    frames = [np.broadcast_to(colour, (32, 32, 3)) for colour in colours]
    path = _write(tmp_path / "flat.mp4", frames)
    for backend in ("pyav", "decord"):
        read = np.stack([f[16, 16] for f in open_video(path, backend).frames()])
        assert np.abs(read.astype(int) - colours).max() <= 4


@pytest.mark.parametrize("fps", ["25", "30000/1001", "24000/1001", "60", "12", "15/2", "1475/84", "2997/100"])
@pytest.mark.parametrize("codec", ["h264", "labels", "ffv1_rgb"])
def test_the_rate_is_kept_exactly(tmp_path: Path, codec: str, fps: str) -> None:
    frames = [draw(n)[..., 0] if codec == "labels" else draw(n) for n in range(9)]
    path = tmp_path / ("a.mp4" if codec == "h264" else "a.mkv")
    assert open_video(_write(path, frames, Fraction(fps), codec=codec)).info.fps == Fraction(fps)


@pytest.mark.parametrize("size", [(64, 96), (65, 97)])
def test_lossless_rgb_is_lossless(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = [np.random.default_rng(n).integers(0, 256, (*size, 3)).astype(np.uint8) for n in range(5)]
    path = _write(tmp_path / "exact.mkv", frames, codec="ffv1_rgb")
    for backend in ("pyav", "decord"):
        np.testing.assert_array_equal(np.stack(list(open_video(path, backend).frames())), np.stack(frames))


@pytest.mark.parametrize("codec", ["labels", "ffv1_rgb"])
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, codec: str) -> None:
    frames = [draw(n)[..., 0] if codec == "labels" else draw(n) for n in range(20)]
    suffix = ".mp4" if codec == "h264" else ".mkv"
    one, two = (_write(tmp_path / f"{name}{suffix}", frames, codec=codec).read_bytes() for name in ("one", "two"))
    assert one == two


def test_views_and_reversed_frames_are_written_as_they_look(tmp_path: Path) -> None:
    labels_HW = np.arange(64 * 96, dtype=np.int64).reshape(64, 96).astype(np.uint8)
    path = _write(tmp_path / "a.mkv", [labels_HW[:, ::-1], labels_HW.T[:64, :64].repeat(2, 1)[:, :96]], codec="labels")
    first, _ = (frame[..., 0] for frame in open_video(path).frames())
    np.testing.assert_array_equal(first, labels_HW[:, ::-1])


@pytest.mark.parametrize("num_frames", [0, 1, 60])
def test_nothing_is_left_after_an_exception(tmp_path: Path, num_frames: int) -> None:
    def write_and_fail() -> None:
        with VideoSink(tmp_path / "a.mp4", Fraction(25)) as sink:
            for number in range(num_frames):
                sink.write(draw(number))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("older")
    with VideoSink(path, Fraction(25)):
        pass
    assert path.read_text() == "older"
    with VideoSink(path, Fraction(25)) as sink:
        for number in range(60):
            sink.write(draw(number))
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "a.part.mp4"]
        assert path.read_text() == "older"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert numbers_of(open_video(path).frames()) == list(range(60))


def test_a_frame_of_another_size_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"a.mp4: frame 2 is 98x66, the first is 96x64; use one size"):
        _write(tmp_path / "a.mp4", [draw(0), draw(1), draw(2, 66, 98)])
    # 95 wide is padded to 96, and yet another size
    with pytest.raises(VideoError, match="frame 1 is 95x64"):
        _write(tmp_path / "a.mp4", [draw(0), draw(1)[:, :95]])
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VideoError, match=r"a.mp4: cannot be written"):
        _write(tmp_path / "file/a.mp4", [draw(0)])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("a.mp4", Fraction(25), "vp9"), "codec.*'vp9'"),
        (("a.mp4", Fraction(0), "h264"), "fps"),
        (("a.mp4", 29.97, "h264"), r"fps.*Fraction\(30000, 1001\).*29.97"),
        (("a.avi", Fraction(25), "h264"), "path.*a.avi"),
        (("a.mp4", Fraction(25), "labels"), "path: labels is written to .mkv"),
    ],
)
def test_bad_settings_are_value_errors(arguments, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        VideoSink(*arguments[:2], codec=arguments[2])


@pytest.mark.parametrize(
    ("codec", "frame"),
    [
        ("h264", np.zeros((8, 8, 3), np.float32)),
        ("h264", np.zeros((8, 8), np.uint8)),
        ("ffv1_rgb", np.zeros((8, 8, 4), np.uint8)),
        ("labels", np.zeros((8, 8), np.int64)),
        ("labels", np.zeros((8, 8, 3), np.uint8)),
    ],
)
def test_frames_of_another_kind_are_value_errors(tmp_path: Path, codec: str, frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match="frame: uint8"):
        _write(tmp_path / ("a.mp4" if codec == "h264" else "a.mkv"), [frame], codec=codec)
    assert list(tmp_path.iterdir()) == []
