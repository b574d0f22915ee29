import cv2
import numpy as np
import pytest
import torch

from facestab.video.crop import Region, Square, around, crop, paste

SMOOTH = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.float32), (0, 0), 3)
FRAME = (255 * (SMOOTH - SMOOTH.min()) / np.ptp(SMOOTH)).astype(np.uint8)


def sampled(x, y):
    """The frame's values between its pixels, by hand."""
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    a, b = x - x0, y - y0
    value = lambda r, c: FRAME[min(max(r, 0), 119), min(max(c, 0), 159)].astype(float)  # noqa: E731
    upper = (1 - a) * value(y0, x0) + a * value(y0, x0 + 1)
    return (1 - b) * upper + b * ((1 - a) * value(y0 + 1, x0) + a * value(y0 + 1, x0 + 1))


def test_a_square_on_whole_pixels_is_a_slice():
    # 40 pixels from 60 to 99: their middle is 79.5
    np.testing.assert_array_equal(crop(FRAME, Square(79.5, 49.5, 40), 40), FRAME[30:70, 60:100])


def test_a_reduction_by_a_whole_factor_is_the_mean_of_blocks():
    blocks = cv2.resize(FRAME[20:100, 40:120], (20, 20), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(crop(FRAME, Square(79.5, 59.5, 80), 20), blocks)


def test_places_between_pixels_are_interpolated():
    square, size = Square(70.3, 51.8, 33.0), 48
    found = crop(FRAME, square, size)
    for row, column in ((0, 0), (10, 31), (47, 20), (23, 24)):
        x, y = square.to_frame(size) @ [column, row, 1]
        # OpenCV knows places to 1/32 of a pixel
        np.testing.assert_allclose(found[row, column], sampled(x, y), atol=2)


def test_a_square_over_the_edge_repeats_it():
    found = crop(FRAME, Square(9.5, 9.5, 40), 40)
    np.testing.assert_array_equal(found[10:, 10:], FRAME[:30, :30])
    np.testing.assert_array_equal(found[:10, 10:], np.repeat(FRAME[:1, :30], 10, 0))


def test_moving_by_less_than_a_pixel_moves_the_picture_by_as_much():
    first = crop(FRAME, Square(79.5, 49.5, 40), 40).astype(float)
    moved = crop(FRAME, Square(79.75, 49.5, 40), 40).astype(float)
    expected = 0.75 * first[:, :-1] + 0.25 * first[:, 1:]
    assert np.abs(moved[:, :-1] - expected).max() <= 1


def ramp(square, size):
    """Logits (1, 3, size, size) that are a straight line in the places of the frame."""
    matrix = square.to_frame(size)
    x, y = (matrix[i, i] * np.arange(size) + matrix[i, 2] for i in (0, 1))
    planes = [
        np.zeros((size, size)),
        np.broadcast_to(x / 50, (size, size)),
        np.broadcast_to(y[:, None] / 50, (size, size)),
    ]
    return torch.from_numpy(np.stack(planes)).float()[None]


def plane(height, width):
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return torch.from_numpy(np.stack([np.zeros((height, width)), x / 50, y / 50])).float().log_softmax(0)


@pytest.mark.parametrize("size", [20, 50, 90])
def test_what_is_laid_back_lies_where_it_was_taken(size):
    square = Square(80.3, 60.8, 51.0)
    whole = paste(ramp(square, size), [square], 120, 160)
    margin = int(np.ceil(51 / size))
    left, top, right, bottom = (int(v) for v in (55 + margin, 36 + margin, 105 - margin, 86 - margin))
    inside = np.s_[:, top:bottom, left:right]
    torch.testing.assert_close(whole[inside], plane(120, 160)[inside], atol=0.002, rtol=0)
    outside = torch.ones(120, 160, dtype=torch.bool)
    outside[35:87, 54:107] = False
    assert (whole[0][outside] == 0).all()
    assert (whole[1:, outside] <= -20).all()


def test_every_pixel_belongs_to_the_square_whose_centre_is_nearer():
    squares = [Square(30.0, 30.0, 40.0), Square(60.0, 30.0, 40.0)]
    logits = torch.zeros(2, 3, 8, 8)
    logits[0, 1], logits[1, 2] = 9, 9
    labels = paste(logits, squares, 64, 96).argmax(0)
    assert set(labels[30, 11:45].tolist()) == {1}
    assert set(labels[30, 46:80].tolist()) == {2}
    assert set(labels[30, :9].tolist()) == set(labels[30, 82:].tolist()) == {0}


def test_a_square_beyond_the_frame_changes_nothing():
    logits = torch.ones(1, 3, 8, 8)
    assert (paste(logits, [Square(-90.0, 10.0, 20.0)], 40, 40).argmax(0) == 0).all()


@pytest.mark.parametrize("numbers", [(0, 0, 0), (0, 0, -1), (float("nan"), 0, 1), (0, float("inf"), 1)])
def test_a_square_that_cannot_be_is_refused(numbers):
    with pytest.raises(ValueError, match="finite centre and a side above 0"):
        Square(*numbers)


def test_a_region_holds_the_squares_of_all_frames_as_far_as_they_lie_in_the_frame():
    region = around([[Square(20, 30, 10)], [Square(60, 2, 20), Square(22, 28, 4)]], 50, 80)
    assert region == Region(15, 0, 71, 36)
    assert region.size == (36, 56)
    picture = np.arange(50 * 80).reshape(50, 80)
    np.testing.assert_array_equal(region.of(picture), picture[0:36, 15:71])
    assert region.moved(Square(20, 30, 10)) == Square(5, 30, 10)


@pytest.mark.parametrize("squares", [[], [[Square(5, 5, 4)], []], [[Square(500, 500, 4)]]])
def test_a_region_is_the_whole_frame_where_a_frame_has_no_square_in_it(squares):
    assert around(squares, 50, 80) == Region(0, 0, 80, 50)


def test_what_is_laid_into_a_region_is_what_is_laid_into_the_frame():
    squares = [Square(20.3, 30.6, 17.5), Square(44.1, 25.2, 12.0)]
    logits = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    region = around([squares], 60, 90)
    whole = paste(logits, squares, 60, 90)
    part = paste(logits, [region.moved(square) for square in squares], *region.size)
    torch.testing.assert_close(part, whole[:, region.top : region.bottom, region.left : region.right])
    outside = torch.ones(60, 90, dtype=torch.bool)
    outside[region.top : region.bottom, region.left : region.right] = False
    assert (whole.argmax(0)[outside] == 0).all()
