"""Pictures for people."""

import numpy as np
import pytest

from facestab.labels import LabelSet
from facestab.video.overlay import colourise, overlay, side_by_side
from tests.video.barcode import draw

LABELS = LabelSet(["background", "skin", "hair"], [[9, 9, 9], [200, 100, 50], [0, 40, 255]])


def _ids(height: int = 64, width: int = 96) -> np.ndarray:
    return np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), (height, width))


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_colours_are_those_of_the_palette(kind) -> None:
    labels_HW = np.arange(256).reshape(8, 32).astype(kind)
    lut = np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint8)
    np.testing.assert_array_equal(colourise(labels_HW, lut), lut[labels_HW])
    np.testing.assert_array_equal(colourise(labels_HW[:, ::2], lut), lut[labels_HW[:, ::2]])


@pytest.mark.parametrize("opacity", [0.0, 0.3, 0.5, 1.0])
def test_classes_are_blended_and_background_and_ignore_stay(opacity: float) -> None:
    frame_HWC, labels_HW = draw(5), _ids()
    before = frame_HWC.copy()
    tinted_HWC = overlay(frame_HWC, labels_HW, LABELS, opacity)
    kept = (labels_HW == 0) | (labels_HW == 255)
    np.testing.assert_array_equal(tinted_HWC[kept], frame_HWC[kept])
    for number in (1, 2):
        here = labels_HW == number
        expected = (1 - opacity) * frame_HWC[here] + opacity * np.array(LABELS.palette[number])
        assert np.abs(tinted_HWC[here] - expected).max() <= 0.5 + 1e-6
    np.testing.assert_array_equal(frame_HWC, before)


def test_overlay_takes_int64_labels_and_views() -> None:
    frame_HWC, labels_HW = draw(5), _ids()
    expected = overlay(np.ascontiguousarray(frame_HWC[:, ::-1]), np.ascontiguousarray(labels_HW[:, ::-1]), LABELS)
    np.testing.assert_array_equal(overlay(frame_HWC[:, ::-1], labels_HW[:, ::-1].astype(np.int64), LABELS), expected)


def test_side_by_side_shows_all_frames_whole() -> None:
    frames = [draw(1), draw(2, 64, 50), draw(3)]
    row_HWC = side_by_side(frames)
    assert row_HWC.shape == (64, 96 + 4 + 50 + 4 + 96, 3)
    for frame_HWC, left in zip(frames, (0, 100, 154), strict=True):
        np.testing.assert_array_equal(row_HWC[:, left : left + frame_HWC.shape[1]], frame_HWC)


def test_captions_stand_above_and_hide_nothing() -> None:
    frames = [draw(1), draw(2)]
    bare_HWC, row_HWC = side_by_side(frames), side_by_side(frames, ["image", "a caption that is far too long for it"])
    strip_px = row_HWC.shape[0] - 64
    assert strip_px > 0
    np.testing.assert_array_equal(row_HWC[strip_px:], bare_HWC)
    left_HWC, right_HWC = row_HWC[:strip_px, :96], row_HWC[:strip_px, 100:]
    assert left_HWC.min() < 100
    assert right_HWC.min() < 100
    assert (row_HWC[:strip_px, 96:100] == 255).all()
    assert not np.array_equal(left_HWC, right_HWC)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: overlay(draw(0), _ids(), LABELS, 1.5), "opacity.*1.5"),
        (lambda: overlay(draw(0), _ids(32, 32), LABELS), "labels_HW"),
        (lambda: colourise(_ids(), np.zeros((3, 3), np.uint8)), "palette_lut"),
        (lambda: side_by_side([]), "frames"),
        (lambda: side_by_side([draw(0), draw(0, 32, 96)]), "frames"),
        (lambda: side_by_side([draw(0)], ["a", "b"]), "captions"),
    ],
)
def test_what_does_not_fit_is_a_value_error(call, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()
