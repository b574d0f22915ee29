"""Folders of frames, and finding videos below a folder."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facestab.errors import VideoError
from facestab.video.source import find_videos, open_video
from tests.video.barcode import draw, numbers_of


def _write_frames(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(draw(number)).save(folder / name)
    return folder


def test_frames_come_in_natural_order_with_the_given_rate(tmp_path: Path) -> None:
    folder = _write_frames(tmp_path, ["f1.png", "f2.png", "F9.png", "f10.png", "f11.png", "f100.png"])
    (folder / "notes.txt").write_text("no frame")
    (folder / "._f3.png").write_bytes(b"what some systems leave")
    with open_video(folder, fps=Fraction(24000, 1001)) as source:
        info = source.info
        assert (info.num_frames, info.height, info.width, info.codec) == (6, 64, 96, "frames")
        assert info.fps == Fraction(24000, 1001)
        assert numbers_of(source.frames()) == [0, 1, 2, 3, 4, 5]
        assert numbers_of(source.frames(2, 4)) == [2, 3]
        assert source.pair(2).shape == (2, 64, 96, 3)
        assert numbers_of(source.pair(2)) == [2, 3]
        with pytest.raises(IndexError):
            source.pair(5)


def test_grey_alpha_palette_and_16_bit_images_become_rgb(tmp_path: Path) -> None:
    grey_HW = draw(3)[..., 1]
    rgb_HWC = np.repeat(grey_HW[..., None], 3, axis=-1)
    alpha_HW = np.full_like(grey_HW, 128)
    Image.fromarray(grey_HW).save(tmp_path / "0_grey.png")
    Image.fromarray(np.dstack([rgb_HWC, alpha_HW])).save(tmp_path / "1_rgba.png")
    Image.fromarray(grey_HW).convert("P").save(tmp_path / "2_palette.png")
    Image.fromarray(grey_HW).convert("P").save(tmp_path / "3_see_through.png", transparency=bytes(range(256)))
    Image.fromarray(grey_HW.astype(np.uint16) * 257).save(tmp_path / "4_16_bit.png")
    Image.fromarray(np.dstack([grey_HW, alpha_HW])).save(tmp_path / "5_grey_alpha.png")
    frames = list(open_video(tmp_path).frames())
    assert len(frames) == 6
    for frame_HWC in frames:
        np.testing.assert_array_equal(frame_HWC, rgb_HWC)


def test_an_image_is_a_video_of_one_frame(tmp_path: Path) -> None:
    _write_frames(tmp_path, ["only.png", "other.png"])
    assert numbers_of(open_video(tmp_path / "other.png").frames()) == [1]


def test_the_first_frame_of_another_size_is_named(tmp_path: Path) -> None:
    _write_frames(tmp_path, ["1.png", "2.png", "10.png", "11.png"])
    for name in ("10.png", "11.png"):
        Image.fromarray(draw(0, 66, 98)).save(tmp_path / name)
    with pytest.raises(VideoError, match=r"10.png: this frame is 98x66, the first is 96x64; use one size"):
        open_video(tmp_path).pair(0)


def test_a_broken_frame_is_named(tmp_path: Path) -> None:
    _write_frames(tmp_path, ["1.png", "2.png"])
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VideoError, match=r"2.png: this frame cannot be read"):
        list(open_video(tmp_path).frames())
    (tmp_path / "2.png").write_text("no image")
    with pytest.raises(VideoError, match=r"2.png: this frame cannot be read"):
        _ = open_video(tmp_path).info


def test_bad_settings_are_value_errors(tmp_path: Path) -> None:
    _write_frames(tmp_path, ["1.png"])
    with pytest.raises(ValueError, match="fps"):
        open_video(tmp_path, fps=Fraction(0))
    (tmp_path / "a.mp4").write_text("text")
    with pytest.raises(ValueError, match=r"backend.*'opencv'"):
        open_video(tmp_path / "a.mp4", "opencv")


def test_videos_are_found_at_any_depth_in_natural_order(tmp_path: Path) -> None:
    for name in ("b/clip10.mp4", "b/clip2.MKV", "b/deep/x.webm", ".hidden/x.mp4", "b/.x.mp4", "b/clip3.part.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b/cover.jpg").touch()
    frames = _write_frames(tmp_path / "a/frames", ["1.png", "2.png"])
    _write_frames(frames / "masks", ["1.png", "2.png"])
    (tmp_path / "b/circle").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in find_videos(tmp_path)]
    assert found == ["a/frames", "b/clip2.MKV", "b/clip10.mp4", "b/deep/x.webm"]
    assert find_videos(frames) == [frames]
    assert find_videos(tmp_path / "b/clip10.mp4") == [tmp_path / "b/clip10.mp4"]


def test_finding_nothing_names_the_folder_and_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(VideoError, match=rf"{tmp_path}: no videos in this folder; looked for .*\.mp4 .*\.png"):
        find_videos(tmp_path)
    with pytest.raises(VideoError, match="nowhere: no such file or folder"):
        find_videos(tmp_path / "nowhere")
