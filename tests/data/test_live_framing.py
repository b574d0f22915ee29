"""The square of a stream's face: still while the face is, gone when it is gone, and nobody else's."""

import numpy as np
import pytest

from facestab.data.framing import Framer
from facestab.data.live_framing import LiveFramer
from facestab.video.faces import Face

FRAME = np.zeros((100, 200, 3), np.uint8)


class Script:
    """Gives the faces that are written down for each frame."""

    def __init__(self, faces):
        self.faces = faces
        self.asked = []

    def __call__(self, frame_HWC, index):
        self.asked.append(index)
        return self.faces[index]

    def settings(self):
        return {}


def face(x, y=50.5, side=40, score=1.0):
    return Face(x - side / 2 + 0.5, y - side / 2, x + side / 2 + 0.5, y + side / 2, score)


def squares(faces, **settings):
    detector = Script(faces)
    framer = LiveFramer(Framer(detector, scale=2.0, hold_s=0.4, **settings), fps=10)
    return [framer(FRAME) for _ in faces], detector


def test_noise_within_the_tolerance_does_not_move_the_square():
    generator = np.random.default_rng(0)
    found, _ = squares([[face(100 + noise)] for noise in generator.uniform(-1, 1, 50)])
    assert np.std([one.x for one in found[10:]]) < 1e-6
    assert found[20].x == pytest.approx(100, abs=1.5)
    assert found[20].side == pytest.approx(80, rel=0.02)


def test_a_face_that_moves_is_followed_from_behind():
    found, _ = squares([[face(50 + t)] for t in range(80)])
    places = [one.x for one in found]
    assert places == sorted(places)
    # the tolerance of 4 pixels, half a window of the median, and the filter's own lag
    assert all(50 + t - 16 < x <= 50 + t for t, x in enumerate(places))


def test_a_lost_face_holds_for_a_while_and_then_the_whole_frame_counts():
    found, _ = squares([*[[face(100)]] * 5, *[[]] * 10, [face(30)]])
    # the last was seen in frame 4, and holds for four more
    assert [one is None for one in found] == [False] * 9 + [True] * 6 + [False]
    assert found[8].x == pytest.approx(100)
    # one that comes later is framed where it is, without the way from there to here
    assert found[15].x == pytest.approx(30)


def test_a_larger_face_that_comes_later_is_not_followed():
    found, _ = squares([[face(100)], *[[face(100), face(160, side=60)]] * 9])
    assert all(one.x == pytest.approx(100) for one in found)


def test_of_several_the_largest_certain_one_is_followed():
    found, _ = squares([[face(40), face(100, side=50), face(160, side=90, score=0.2)]] * 3)
    assert all(one.x == pytest.approx(100) for one in found)


def test_the_detector_looks_at_every_nth_frame():
    found, detector = squares([[face(100)] for _ in range(12)], every=5)
    assert detector.asked == [0, 5, 10]
    assert all(one is not None for one in found)
