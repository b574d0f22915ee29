import pytest
import torch
from torch.nn import functional as F

from facestab.data.teacher import FrameTeacher
from facestab.data.vote_teacher import VoteTeacher
from tests.data.toys import LABELS, Shift, noisy_video, seen, view_of_a_moving_camera


def test_a_vote_is_that_of_the_frames_around():
    frames = noisy_video(6)
    views = FrameTeacher(LABELS)
    labels = seen(views, frames).argmax(1)
    shares = seen(VoteTeacher(views, radius=2), frames)
    for t in range(6):
        around = F.one_hot(labels[max(0, t - 2) : t + 3], 4).float().mean(0).movedim(-1, 0)
        torch.testing.assert_close(shares[t], around, atol=1e-3, rtol=0)


def test_with_motion_a_mistake_of_one_frame_is_outvoted():
    frames, labels_THW = view_of_a_moving_camera()
    views = FrameTeacher(LABELS)
    assert torch.equal(seen(VoteTeacher(views, flow=Shift(1)), frames).argmax(1), labels_THW)
    assert (seen(VoteTeacher(views), frames).argmax(1)[2] != labels_THW[2]).float().mean() > 0.2


def test_what_the_flow_says_is_hidden_has_no_vote():
    frames, _ = view_of_a_moving_camera()
    views = FrameTeacher(LABELS)
    voted = seen(VoteTeacher(views, flow=Shift(1, visible=False)), frames)
    assert torch.equal(voted.argmax(1), seen(views, frames).argmax(1))


def test_a_radius_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="radius: at least 1"):
        VoteTeacher(FrameTeacher(LABELS), radius=0)
