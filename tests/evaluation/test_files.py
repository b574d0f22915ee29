"""The files of a video, read back with other libraries where there are any."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from facestab.errors import SettingError
from facestab.evaluation.files import KINDS, FileChoice, VideoFiles
from facestab.video.label_video import read_labels
from facestab.video.source import open_video
from facestab.video.timing import Timing

T, H, W = 10, 33, 45


@pytest.fixture(scope="module")
def clip():
    """Smooth frames, and labels in which a bar moves."""
    rows, columns = np.mgrid[:H, :W]
    frames = np.stack([np.stack([rows * 5, columns * 4, rows * 0 + 10 * t], -1) for t in range(T)]).astype(np.uint8)
    labels = np.stack([(columns // 12 + (rows > t + 10)) % 11 for t in range(T)]).astype(np.uint8)
    return frames, labels


@pytest.fixture
def write(tmp_path, face11, clip):
    def write(kinds, timing=Timing(Fraction(25)), squares=None, step=4, **choice):  # noqa: B008
        frames, labels = clip
        with VideoFiles(tmp_path, timing, face11, FileChoice(kinds, **choice), "image", None) as files:
            for start in range(0, T, step):
                part = slice(start, start + step)
                files.write(frames[part], {"image": labels[part]}, squares and squares[part])
        return tmp_path

    return write


def test_only_what_is_asked_for_is_written(write):
    folder = write(["overlay", "json"])
    assert sorted(path.name for path in folder.iterdir()) == ["frames.csv", "frames.json", "overlay.mp4"]


def test_all_kinds_have_a_frame_for_every_frame(write, clip):
    folder = write(list(KINDS))
    np.testing.assert_array_equal(np.stack(list(read_labels(folder / "labels.mkv"))), clip[1])
    for name in ("overlay.mp4", "compare.mp4", "cutout.webm"):
        with open_video(folder / name) as source:
            assert len(list(source.frames())) == T
    assert not list(folder.glob("*part*")) + list(folder.glob(".*"))


def test_a_palette_folder_holds_the_ids_and_shows_the_colours(write, clip, face11):
    folder = write(["palette"]) / "palette"
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == [f"{t:06d}.png" for t in range(T)]
    for path, labels in zip(files, clip[1], strict=True):
        with Image.open(path) as image:
            assert image.mode == "P"
            np.testing.assert_array_equal(np.asarray(image), labels)
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), face11.palette_lut[labels])


def alpha_of(path):
    """What a decoder that knows of it sees: FFmpeg's own VP9 decoder leaves alpha out."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        codec = av.CodecContext.create("libvpx-vp9", "r")
        planes = [frame.to_ndarray(format="rgba")[..., 3] for p in container.demux(stream) for frame in codec.decode(p)]
    return np.stack(planes)[:, :H, :W]


@pytest.mark.parametrize("classes", [[], ["skin", "left_brow"]])
def test_a_cutout_is_opaque_where_its_classes_are(write, clip, face11, classes):
    alpha = alpha_of(write(["cutout"], cutout=classes) / "cutout.webm")
    ids = [face11.names.index(name) for name in classes] or list(range(1, 11))
    inside = np.isin(clip[1], ids)
    assert alpha.shape == (T, H, W)
    assert ((alpha > 127) == inside).mean() > 0.97


def test_small_pictures_keep_size_and_time(write):
    folder = write(["gif", "webp"], timing=Timing(Fraction(30)), small_width=30, small_fps=12)
    for name in ("overlay.gif", "overlay.webp"):
        with Image.open(folder / name) as image:
            assert image.size == (30, 22)
            # 10 frames at 30 a second, 12 of which are shown: every 2.5th
            assert image.n_frames == 4
            shown = []
            for number in range(image.n_frames):
                image.seek(number)
                image.load()
                shown.append(image.info["duration"])
            assert image.info.get("loop") == 0
        # each until the next one's time, to a hundredth of a second
        np.testing.assert_allclose(np.cumsum(shown)[:-1], 1000 / 12 * np.arange(1, 4), atol=5.1)


def test_a_gif_has_one_palette_and_the_colours_of_the_overlay(write, clip):
    folder = write(["gif", "overlay"], timing=Timing(Fraction(10)))
    with Image.open(folder / "overlay.gif") as image:
        image.seek(0)
        first = np.asarray(image.convert("RGB")).astype(int)
    with open_video(folder / "overlay.mp4") as source:
        expected = next(source.frames()).astype(int)[:H, :W]
    assert np.abs(first - expected).mean() < 8


def test_frames_json_says_when_where_and_how_much(write, clip, face11):
    squares = [[(1.0, 2.0, 3.0)] if t != 5 else [] for t in range(T)]
    times = tuple(Fraction(t * t, 100) for t in range(T))
    about = json.loads((write(["json"], Timing(Fraction(25), times), squares) / "frames.json").read_text())
    assert [frame["seconds"] for frame in about["frames"]] == pytest.approx([float(t) for t in times])
    assert about["frames"][0]["squares"] == [{"x": 1.0, "y": 2.0, "side": 3.0}]
    assert about["frames"][5]["squares"] == []
    for frame, labels in zip(about["frames"], clip[1], strict=True):
        assert frame["pixels"] == {face11.names[id]: int((labels == id).sum()) for id in np.unique(labels)}
    plain = json.loads((write(["json"]) / "frames.json").read_text())
    assert "squares" not in plain["frames"][0]
    assert plain["frames"][3]["seconds"] == pytest.approx(0.12)


def test_times_that_vary_are_kept(write):
    times = tuple(Fraction(t) for t in (0, *np.cumsum([1, 2, 1, 5, 1, 1, 3, 1, 1]).tolist()))
    times = tuple(time / 25 for time in times)
    folder = write(["overlay", "labels"], Timing(Fraction(15), times))
    for name in ("overlay.mp4", "labels.mkv"):
        with open_video(folder / name) as source:
            assert source.info.num_frames == T
            found = source.timing().times
        np.testing.assert_allclose([float(t) for t in found], [float(t) for t in times], atol=0.001)


@pytest.fixture
def spoken(tmp_path):
    """A second of video with a tone, as a camera records it."""
    path = tmp_path / "spoken.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=T)
        video.width, video.height, video.pix_fmt = 48, 34, "yuv420p"
        audio = container.add_stream("aac", rate=16000)
        for t in range(T):
            picture = av.VideoFrame.from_ndarray(np.full((34, 48, 3), 20 * t, np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        tone = (0.3 * np.sin(np.arange(16000) * 0.2)).astype(np.float32)[None]
        for start in range(0, 16000, 1024):
            part = av.AudioFrame.from_ndarray(tone[:, start : start + 1024], format="fltp", layout="mono")
            part.sample_rate, part.pts = 16000, start
            container.mux(audio.encode(part))
        container.mux(video.encode())
        container.mux(audio.encode())
    return path


def sound(path):
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        return [(bytes(p), float(p.pts * p.time_base)) for p in container.demux(container.streams.audio[0]) if p.size]


def test_the_sound_is_copied_with_its_times(write, spoken):
    with open_video(spoken) as source:
        timing = source.timing()
    assert timing.times == ()
    folder = write(["overlay", "labels"], timing)
    before, after = sound(spoken), sound(folder / "overlay.mp4")
    assert [data for data, _ in after] == [data for data, _ in before]
    np.testing.assert_allclose([time for _, time in after], [time for _, time in before], atol=0.002)
    assert sound(folder / "labels.mkv") is None
    with open_video(folder / "overlay.mp4") as source:
        assert source.info.num_frames == T


def test_a_video_without_sound_gives_one_without(write, spoken, tmp_path):
    silent = write(["overlay"]) / "overlay.mp4"
    assert sound(silent) is None
    again = write(["overlay"], Timing(Fraction(25), audio=silent)) / "overlay.mp4"
    assert sound(again) is None


def test_an_error_leaves_nothing_behind(tmp_path, face11, clip):
    frames, labels = clip

    def fail():
        with VideoFiles(tmp_path, Timing(Fraction(25)), face11, FileChoice(list(KINDS)), "image", None) as files:
            files.write(frames[:3], {"image": labels[:3]})
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": ["movie"]}, "'movie' is none of labels, palette"),
        ({"kinds": [], "small_width": 8}, r"small_width is at least 16"),
        ({"kinds": [], "small_fps": 99}, r"small_fps above 0 and up to 50"),
    ],
)
def test_choices_that_cannot_be_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        FileChoice(**settings)


def test_a_cutout_of_an_unknown_class_is_refused(face11):
    with pytest.raises(SettingError, match=r"inference\.cutout: no class is called beard, only background"):
        FileChoice(["cutout"], ["beard"]).cutout_lut(face11)
