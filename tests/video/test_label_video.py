"""Label ids come back exactly as they were written."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facestab.errors import VideoError
from facestab.video.label_video import LabelVideo, read_labels
from facestab.video.sink import VideoSink
from tests.video.barcode import draw


def _labels(num_frames: int, height: int, width: int) -> np.ndarray:
    """uint8 (T, H, W) with all ids 0..255 and rough boundaries."""
    labels_THW = np.random.default_rng(0).integers(0, 256, (num_frames, height, width)).astype(np.uint8)
    labels_THW[:, : height // 2] //= 24
    labels_THW.reshape(num_frames, -1)[:, :256] = np.arange(256)
    return labels_THW


@pytest.mark.parametrize("size", [(64, 96), (63, 97), (1, 257), (257, 3), (37, 50)])
def test_a_label_video_keeps_all_ids_at_all_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    labels_THW = _labels(7, *size)
    with VideoSink(tmp_path / "labels.mkv", Fraction(30000, 1001), codec="labels") as sink:
        for labels_HW in labels_THW:
            sink.write(labels_HW)
    np.testing.assert_array_equal(np.stack(list(read_labels(tmp_path / "labels.mkv"))), labels_THW)
    video = LabelVideo(tmp_path / "labels.mkv")
    assert (video.info.num_frames, video.info.height, video.info.width) == (7, *size)
    assert video.info.fps == Fraction(30000, 1001)
    for index in (5, 0, 3):
        np.testing.assert_array_equal(video.pair(index), labels_THW[index : index + 2])
    np.testing.assert_array_equal(np.stack(list(video.frames(2, 4))), labels_THW[2:4])
    with pytest.raises(IndexError):
        video.pair(6)


def test_a_folder_of_grey_and_palette_images_keeps_ids(tmp_path: Path) -> None:
    labels_THW = _labels(3, 20, 30)
    Image.fromarray(labels_THW[0]).save(tmp_path / "1.png")
    palette = Image.fromarray(labels_THW[1])
    palette.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    assert palette.mode == "P"
    palette.save(tmp_path / "2.png")
    Image.fromarray(labels_THW[2].astype(np.uint16)).save(tmp_path / "10.png")
    (tmp_path / "1.jpg").write_bytes(b"a picture for people")
    with LabelVideo(tmp_path, fps=Fraction(12)) as video:
        assert video.info.fps == 12
        np.testing.assert_array_equal(np.stack(list(video.frames())), labels_THW)
        np.testing.assert_array_equal(video.pair(1), labels_THW[1:])


def test_few_bit_images_keep_their_ids(tmp_path: Path) -> None:
    labels_HW = np.random.default_rng(0).integers(0, 2, (9, 13)).astype(np.uint8)
    Image.fromarray(labels_HW.astype(bool)).save(tmp_path / "1.png")
    sixteen = Image.fromarray(labels_HW * 11)
    sixteen.putpalette(bytes(range(48)))
    sixteen.save(tmp_path / "2.png", bits=4)
    one, two = read_labels(tmp_path)
    np.testing.assert_array_equal(one, labels_HW)
    np.testing.assert_array_equal(two, labels_HW * 11)


@pytest.mark.parametrize(
    ("image", "match"),
    [
        (draw(0), r"2.png: .*a label image is grey or has a palette, this one is RGB"),
        (np.full((64, 96), 300, np.uint16), r"2.png: .*ids go from 0 to 255, this one has 300"),
    ],
)
def test_an_image_without_ids_is_named(tmp_path: Path, image: np.ndarray, match: str) -> None:
    Image.fromarray(np.zeros((64, 96), np.uint8)).save(tmp_path / "1.png")
    Image.fromarray(image).save(tmp_path / "2.png")
    with pytest.raises(VideoError, match=match):
        list(read_labels(tmp_path))


def test_a_video_for_viewing_is_no_label_video(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "overlay.mp4", Fraction(25)) as sink:
        sink.write(draw(0))
    with pytest.raises(VideoError, match=r"overlay.mp4: h264 yuv420p does not keep label ids; give FFV1 gray"):
        next(read_labels(tmp_path / "overlay.mp4"))


def test_missing_labels_are_named(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"labels.mkv: no such file"):
        read_labels(tmp_path / "labels.mkv")
    with pytest.raises(VideoError, match="no frames in this folder"):
        read_labels(tmp_path)
