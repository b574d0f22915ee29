"""What every smoother promises."""

import numpy as np
import pytest
import torch

from facestab.baselines.background import Background
from facestab.baselines.blend import UncertaintyBlend
from facestab.baselines.conv_gru import ConvGruHead
from facestab.baselines.ema import Ema
from facestab.baselines.flow_ema import FlowEma
from facestab.baselines.frozen import FrozenFirst
from facestab.baselines.recurrent import Recurrent
from facestab.baselines.vote import TemporalVote
from facestab.video.flow import DisFlow
from tests.baselines.videos import run, video


def random_head():
    torch.manual_seed(0)
    head = ConvGruHead(num_classes=4, hidden=3)
    torch.nn.init.normal_(head.residual.weight, std=0.3)
    return head


SMOOTHERS = {
    "background": Background,
    "frozen": FrozenFirst,
    "ema": lambda: Ema(0.8),
    "blend": lambda: UncertaintyBlend(0.9),
    "flow_ema": lambda: FlowEma(0.8, DisFlow("fast")),
    "vote": lambda: TemporalVote(2, DisFlow("fast")),
    "recurrent": lambda: Recurrent(random_head()),
}


@pytest.fixture(params=SMOOTHERS)
def make(request):
    return SMOOTHERS[request.param]


@pytest.mark.parametrize("frame_size", [None, (31, 40), (12, 13)])
def test_every_frame_comes_back_once_as_a_distribution_at_the_size_of_the_probabilities(make, frame_size):
    frames, probs = video(frame_size=frame_size)
    made = run(make(), frames, probs)
    assert made.shape == probs.shape
    assert made.dtype == torch.float32
    assert (made >= 0).all()
    torch.testing.assert_close(made.sum(1), torch.ones_like(made[:, 0]))


@pytest.mark.parametrize("sizes", [[1] * 7, [3, 4], [2, 0, 5], [0, 7], [6, 1, 0]])
def test_the_split_into_batches_does_not_matter(make, sizes):
    frames, probs = video()
    assert torch.equal(run(make(), frames, probs, sizes), run(make(), frames, probs))


@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_short_videos_come_back_whole(make, num_frames):
    frames, probs = video(num_frames)
    assert run(make(), frames, probs).shape == probs.shape


def test_a_batch_without_frames_gives_none(make):
    frames, probs = video()
    made = make()(frames[:0], probs[:0])
    assert made.shape == (0, *probs.shape[1:])


def test_a_video_without_frames_leaves_nothing_to_finish(make):
    assert make().finish() is None


def test_reset_starts_another_video_afresh(make):
    smoother = make()
    smoother(*video(seed=0))
    smoother.reset()
    assert torch.equal(run(smoother, *video(seed=1)), run(make(), *video(seed=1)))


def test_finish_ends_the_video(make):
    smoother = make()
    run(smoother, *video(seed=0))
    assert torch.equal(run(smoother, *video(seed=1)), run(make(), *video(seed=1)))


def test_the_inputs_are_left_as_they_were(make):
    frames, probs = video()
    before = probs.clone(), [frame.pixels_HWC.copy() for frame in frames]
    run(make(), frames, probs, [3, 4])
    assert torch.equal(probs, before[0])
    assert all(np.array_equal(frame.pixels_HWC, old) for frame, old in zip(frames, before[1], strict=True))


def test_writing_into_the_inputs_or_the_result_does_not_reach_later_frames(make):
    frames, probs = video()
    expected = run(make(), frames, probs)
    smoother = make()
    given = [part.clone() for part in probs.split([2, 3, 2])]
    made = []
    for part, start in zip(given, (0, 2, 5), strict=True):
        result = smoother(frames[start : start + len(part)], part)
        made.append(result.clone())
        result.fill_(99)
        part.fill_(99)
    rest = smoother.finish()
    assert torch.equal(torch.cat([*made, *([] if rest is None else [rest])]), expected)


def test_half_precision_comes_back_in_single(make):
    frames, probs = video()
    assert torch.equal(run(make(), frames, probs.half()), run(make(), frames, probs.half().float()))


def test_results_of_inference_mode_are_taken(make):
    frames, probs = video()
    expected = run(make(), frames, probs)
    with torch.inference_mode():
        locked = probs.clone()
    assert torch.equal(run(make(), frames, locked, [3, 4]), expected)


def test_only_what_looks_at_frames_needs_them(make):
    frames, probs = video()
    if make().needs_frames:
        with pytest.raises(ValueError, match="zip"):
            make()([], probs)
    else:
        assert torch.equal(make()([], probs), make()(frames, probs))


def test_only_the_constant_ones_spare_the_network():
    spared = {name for name, make in SMOOTHERS.items() if not make().every_frame}
    assert spared == {"background", "frozen"}
