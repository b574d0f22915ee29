import numpy as np
import pytest

from facestab.data.synthetic.clip import Clip
from facestab.data.synthetic.conditions import Conditions
from facestab.video.cuts import find_cuts
from facestab.video.source import open_video
from tests.clips import carphone


@pytest.fixture(scope="module")
def clips():
    """Frames of four persons, a second each, in the conditions of a cheap webcam."""
    made = []
    for seed in range(4):
        clip = Clip(seed, seed, num_frames=25, size=64, fps=25, conditions=Conditions.video())
        made.append([clip.frame(t) for t in range(25)])
    return made


def test_cuts_are_found_between_persons_and_nowhere_else(clips):
    for frames in clips:
        assert find_cuts(frames) == ()
    lengths = (25, 7, 18, 25)
    joined = [frame for frames, length in zip(clips, lengths, strict=True) for frame in frames[:length]]
    assert find_cuts(joined) == (25, 32, 50)


def test_a_real_talking_head_has_no_cut_and_two_halves_have_one(clips):
    frames = list(open_video(carphone()).frames())
    assert find_cuts(frames) == ()
    import cv2

    person = [cv2.resize(frame, (176, 144)) for frame in clips[0]]
    assert find_cuts([*frames[:40], *person, *frames[40:]]) == (40, 65)


def test_there_is_none_in_a_still_in_noise_or_in_nothing():
    still = np.full((32, 32, 3), 90, np.uint8)
    assert find_cuts([still] * 10) == ()
    noise = [np.random.default_rng(t).integers(0, 256, (32, 32, 3)).astype(np.uint8) for t in range(20)]
    assert find_cuts(noise) == ()
    assert find_cuts([]) == ()
    assert find_cuts([still]) == ()
