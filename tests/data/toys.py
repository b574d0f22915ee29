"""Networks whose answer is known, and videos for them, for the tests of teachers."""

from contextlib import nullcontext

import numpy as np
import torch
from torch import nn

from facestab.data.teacher import Place
from facestab.engines.eager import TorchKind
from facestab.labels import LabelSet
from facestab.nets.segnet import SegNet
from facestab.video.flow import Correspondence
from tests.functional.toys import panorama

LABELS = LabelSet(["background", "left", "right", "middle"], [[k, k, k] for k in range(4)], pairs=[[1, 2]])


class ByGrey(nn.Module):
    """Class k where the picture is 60 k grey levels bright, with a certainty of about nine tenths."""

    def forward(self, x_BCHW):
        return -((255 * x_BCHW.mean(1, keepdim=True) / 60 - torch.arange(4.0).view(1, 4, 1, 1)) ** 2) * 3


def plain(module):
    return SegNet(module, mean=(0, 0, 0), std=(1, 1, 1)).eval()


def grey(labels_THW):
    """Frames uint8 (T, H, W, 3) that `ByGrey` reads as these labels."""
    return np.repeat((60 * np.asarray(labels_THW))[..., None], 3, axis=-1).astype(np.uint8)


def seen(teacher, frames, net=None, batch_size=4):
    net = plain(ByGrey()) if net is None else net
    engine = TorchKind().make(net, np.asarray(frames[:1]), torch.device("cpu"), nullcontext)
    return torch.stack(list(teacher.probabilities(engine, iter(frames), Place("video"), batch_size)))


def noisy_video(num_frames, height=6, width=8, seed=0):
    """Frames that differ everywhere, all the time."""
    return np.random.default_rng(seed).integers(0, 200, (num_frames, height, width, 3), dtype=np.uint8)


class Shift:
    """The motion of a camera that moves `step` pixels to the right a frame; all is visible."""

    def __init__(self, step, visible=True):
        self.name = "shift"
        self.step = step
        self.visible = visible

    def correspondence(self, frame_a, frame_b):
        assert frame_a.video == frame_b.video == "video"
        flow_HW2 = np.zeros((*frame_a.pixels_HWC.shape[:2], 2), np.float32)
        flow_HW2[..., 0] = self.step * (frame_b.index - frame_a.index)
        return Correspondence(flow_HW2, np.full(flow_HW2.shape[:2], self.visible))


def view_of_a_moving_camera():
    """Frames of a world that moves a pixel to the right a frame, one of them wrong in the middle; its true labels."""
    labels_THW = panorama(5, step_x=1, step_y=0)[0].numpy()
    wrong = labels_THW.copy()
    wrong[2, 5:9, 8:12] = (wrong[2, 5:9, 8:12] + 1) % 4
    return grey(wrong), torch.from_numpy(labels_THW)
