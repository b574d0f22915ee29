import numpy as np
import pytest
import torch

from facestab.data.fused_teacher import DenoisedTeacher, FusedTeacher
from facestab.data.teacher import FrameTeacher
from facestab.data.temporal_fusion import TemporalFusion
from tests.data.toys import LABELS, Shift, grey, noisy_video, seen, view_of_a_moving_camera


@pytest.mark.parametrize("photometric_scale", [None, 12.0])
def test_chunks_change_a_long_video_by_less_than_a_thousandth(photometric_scale):
    frames, views = noisy_video(50), FrameTeacher(LABELS)
    settings = {"decay": 0.7, "photometric_scale": photometric_scale}
    whole = seen(FusedTeacher(views, TemporalFusion(chunk=100, **settings)), frames)
    chunks = seen(FusedTeacher(views, TemporalFusion(chunk=7, reach=20, **settings)), frames)
    torch.testing.assert_close(chunks, whole, atol=1e-3, rtol=0)
    # and by no more than is promised where less is looked at
    near = seen(FusedTeacher(views, TemporalFusion(chunk=7, reach=4, **settings)), frames)
    assert (near - whole).abs().max() < 0.7**5


def test_without_motion_frames_are_averaged_by_their_distance():
    frames, views = noisy_video(5), FrameTeacher(LABELS)
    probs = seen(views, frames)
    fused = seen(FusedTeacher(views, TemporalFusion(decay=0.5, photometric_scale=None)), frames)
    weights = torch.tensor([0.5 ** abs(2 - s) for s in range(5)]).view(5, 1, 1, 1)
    torch.testing.assert_close(fused[2], (weights * probs).sum(0) / weights.sum())


def test_a_cut_is_not_averaged_over():
    frames = grey(np.concatenate([np.zeros((3, 8, 8)), np.tile([0, 3], (3, 8, 4))]))
    views = FrameTeacher(LABELS)
    fused = seen(FusedTeacher(views, TemporalFusion(photometric_scale=12.0)), frames)
    torch.testing.assert_close(fused, seen(views, frames), atol=1e-3, rtol=0)
    believed = seen(FusedTeacher(views, TemporalFusion(photometric_scale=None)), frames)
    assert (believed - fused).abs().max() > 0.1


def test_the_picture_is_compared_along_the_motion():
    frames, _ = view_of_a_moving_camera()
    frames = frames[[0, 1, 3, 4]]
    views = FrameTeacher(LABELS)
    apart = FusedTeacher(views, TemporalFusion(photometric_scale=12.0, flow=Shift(1)))
    along, believed = (
        seen(teacher, frames[:2]) for teacher in (apart, FusedTeacher(views, TemporalFusion(flow=Shift(1))))
    )
    torch.testing.assert_close(along, believed)
    unweighted = seen(FusedTeacher(views, TemporalFusion(photometric_scale=None, flow=Shift(1))), frames[:2])
    # the gain of what has left the picture is not known, which is all that differs
    torch.testing.assert_close(along[:, :, 4:-4, 4:-4], unweighted[:, :, 4:-4, 4:-4], atol=0.02, rtol=0)


def test_with_motion_a_mistake_of_one_frame_is_mended_by_the_others():
    frames, labels_THW = view_of_a_moving_camera()
    views = FrameTeacher(LABELS)
    followed = seen(FusedTeacher(views, TemporalFusion(photometric_scale=None, flow=Shift(1))), frames).argmax(1)
    assert torch.equal(followed, labels_THW)
    unmoved = seen(FusedTeacher(views, TemporalFusion(photometric_scale=None)), frames).argmax(1)
    assert (unmoved[2] != labels_THW[2]).float().mean() > 0.2


def test_what_the_flow_says_is_hidden_has_no_weight():
    frames, _ = view_of_a_moving_camera()
    views = FrameTeacher(LABELS)
    fused = seen(FusedTeacher(views, TemporalFusion(photometric_scale=None, flow=Shift(1, visible=False))), frames)
    torch.testing.assert_close(fused, seen(views, frames))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decay": 1.0}, "decay: 0 <= decay < 1"),
        ({"reach": 0}, "reach, chunk: at least 1"),
        ({"chunk": 0}, "reach, chunk: at least 1"),
        ({"photometric_scale": 0.0}, "photometric_scale: above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FusedTeacher(FrameTeacher(LABELS), TemporalFusion(**settings))


def test_the_network_of_a_denoised_teacher_sees_the_mean_of_the_frames():
    frames, views = noisy_video(5), FrameTeacher(LABELS)
    fusion = TemporalFusion(decay=0.5, photometric_scale=None)
    weights = np.array([0.5 ** abs(2 - s) for s in range(5)])
    mean_HWC = (weights[:, None, None, None] * np.stack(frames)).sum(0) / weights.sum()
    expected = seen(views, [mean_HWC.round().astype(np.uint8)])[0]
    torch.testing.assert_close(seen(DenoisedTeacher(views, fusion), frames)[2], expected)


def test_a_teacher_is_known_by_all_of_its_settings():
    views = FrameTeacher(LABELS)
    a, b = (TemporalFusion(decay=decay) for decay in (0.5, 0.7))
    teachers = [views, FusedTeacher(views, a), FusedTeacher(views, b), DenoisedTeacher(views, a)]
    teachers.append(FusedTeacher(DenoisedTeacher(views, a), a))
    assert len({str(teacher.settings()) for teacher in teachers}) == len(teachers)
