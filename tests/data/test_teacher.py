import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from facestab.data.fused_teacher import FusedTeacher
from facestab.data.teacher import FrameTeacher
from facestab.data.temporal_fusion import TemporalFusion
from facestab.data.vote_teacher import VoteTeacher
from facestab.labels import LabelSet
from facestab.video.flow import DisFlow
from tests.data.toys import LABELS, noisy_video, plain, seen
from tests.tiny import tiny_net


class ByPlace(nn.Module):
    """Class 1 in the left half of the picture and class 2 in the right one, whatever it shows."""

    def forward(self, x_BCHW):
        batch, _, height, width = x_BCHW.shape
        logits_BKHW = torch.zeros(batch, 4, height, width)
        logits_BKHW[:, 1, :, : width // 2] = logits_BKHW[:, 2, :, width // 2 :] = 5
        return logits_BKHW


def test_each_frame_alone_is_what_the_network_says():
    frames = noisy_video(5, 32, 32)
    net = tiny_net().eval()
    with torch.inference_mode():
        expected = net(torch.from_numpy(frames).permute(0, 3, 1, 2)).logits_BKHW.softmax(1)
    probs = seen(FrameTeacher(LABELS), frames, net, batch_size=2)
    assert probs.dtype == torch.float32
    torch.testing.assert_close(probs, expected, atol=1e-5, rtol=1e-4)


def test_a_mirrored_view_has_left_and_right_exchanged_back():
    frames = noisy_video(2)
    net = plain(ByPlace())
    torch.testing.assert_close(
        seen(FrameTeacher(LABELS, flip=True), frames, net), seen(FrameTeacher(LABELS), frames, net)
    )
    # without pairs the two views contradict each other
    unpaired = LabelSet(LABELS.names, LABELS.palette)
    both = seen(FrameTeacher(unpaired, flip=True), frames, net)
    torch.testing.assert_close(both[:, 1], both[:, 2])


def test_mirrored_and_scaled_views_are_averaged():
    frames, net = noisy_video(3, 32, 48), tiny_net(num_classes=4).eval()
    views = []
    for height, width in ((32, 48), (64, 96)):
        scaled = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR) for frame in frames]
        for is_mirrored in (False, True):
            pixels = torch.from_numpy(np.stack(scaled)).permute(0, 3, 1, 2)
            with torch.inference_mode():
                probs = net(pixels.flip(-1) if is_mirrored else pixels).logits_BKHW.softmax(1)
            probs = probs.flip(-1)[:, [0, 2, 1, 3]] if is_mirrored else probs
            views.append(F.interpolate(probs, (32, 48), mode="bilinear"))
    probs = seen(FrameTeacher(LABELS, flip=True, scales=[1.0, 2.0]), frames, net)
    torch.testing.assert_close(probs, torch.stack(views).mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(probs.sum(1), torch.ones(3, 32, 48))


@pytest.mark.parametrize("num_frames", range(1, 12))
@pytest.mark.parametrize(("chunk", "reach"), [(1, 1), (3, 1), (2, 4), (4, 2), (64, 16)])
def test_every_frame_has_one_result_in_order_however_long_the_video_is(num_frames, chunk, reach):
    frames, views = noisy_video(num_frames), FrameTeacher(LABELS)
    # a decay of 0: each frame for itself
    fused = seen(FusedTeacher(views, TemporalFusion(decay=0.0, reach=reach, chunk=chunk)), frames)
    torch.testing.assert_close(fused, seen(views, frames))
    assert len(seen(VoteTeacher(views, radius=reach), frames)) == num_frames


def test_settings_tell_teachers_apart():
    views = FrameTeacher(LABELS)
    fusions: list[dict] = [{}, {"decay": 0.5}, {"reach": 3}, {"photometric_scale": None}]
    fusions += [{"flow": DisFlow()}, {"flow": DisFlow(max_side=80)}]
    mirrored = FrameTeacher(LABELS, flip=True)
    teachers = [
        *(views, mirrored, FrameTeacher(LABELS, scales=[1, 2])),
        FrameTeacher(LabelSet(LABELS.names, LABELS.palette), flip=True),
        *(FusedTeacher(views, TemporalFusion(**settings)) for settings in fusions),
        FusedTeacher(mirrored, TemporalFusion()),
        *(VoteTeacher(views), VoteTeacher(views, radius=3), VoteTeacher(views, flow=DisFlow())),
    ]
    assert len({str(teacher.settings()) for teacher in teachers}) == len(teachers)
    same = FusedTeacher(FrameTeacher(LABELS, scales=[1]), TemporalFusion())
    assert FusedTeacher(views, TemporalFusion()).settings() == same.settings()


@pytest.mark.parametrize("scales", [[], [1.0, 0.0]])
def test_scales_that_cannot_be_are_refused(scales):
    with pytest.raises(ValueError, match="scales: one or more factors above 0"):
        FrameTeacher(LABELS, scales=scales)
