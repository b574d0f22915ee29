"""One batch after the other, and how many the device is given before one is handed out."""

from contextlib import nullcontext

import pytest
import torch

from facestab.data.synthetic.sets import SyntheticVideos
from facestab.engines.eager import TorchKind
from facestab.engines.upload import Upload
from facestab.stages.clock import mark
from facestab.stages.prediction import first_frames, stream_video
from tests.tiny import tiny_net

CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(scope="module")
def item(face11, tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    videos = SyntheticVideos(str(root), face11, size=48, num_frames=7, num_train=1, num_val=1, num_test=1)
    videos.prepare()
    return videos.split("test")[0]


def predict(item, engine, device=CPU, **settings):
    return stream_video({"image": engine}, item, size=48, batch_size=2, device=device, **settings)


def network(item, device=CPU):
    return TorchKind().make(tiny_net().eval().to(device), first_frames(item, 48, 2), device, nullcontext)


@pytest.mark.parametrize("in_flight", [0, 1, 2, 9])
def test_batches_are_begun_ahead_and_come_in_order(item, in_flight):
    engine, begun, at = network(item), [], []

    def counted(frames_NHWC):
        begun.append(len(frames_NHWC))
        return engine(frames_NHWC)

    steps = []
    for step in predict(item, counted, in_flight=in_flight):
        at.append(len(begun))
        steps.append(step)
    # 7 frames in batches of 2
    assert at == [min(4, 1 + k + in_flight) for k in range(4)]
    for step, plain in zip(steps, predict(item, engine), strict=True):
        assert (step.frames_NHWC == plain.frames_NHWC).all()
        assert torch.equal(step.logits["image"], plain.logits["image"])
        assert step.seconds["image"] > 0


def test_marks_say_how_much_later_one_is():
    before = mark(CPU)
    after = mark(CPU)
    assert after.seconds_since(before) > 0
    assert before.seconds_since(after) == -after.seconds_since(before)


@needs_cuda
def test_frames_come_to_a_gpu_as_they_were():
    device = torch.device("cuda")
    upload = Upload(device)
    batches = [torch.randint(0, 256, (4, 256, 256, 3), dtype=torch.uint8) for _ in range(20)]
    for batch, there in zip(batches, [upload(batch.numpy()) + 0 for batch in batches], strict=True):
        assert torch.equal(there.cpu(), batch)


@needs_cuda
def test_a_gpu_gives_the_processors_logits_and_a_time(item):
    device = torch.device("cuda")
    for step, plain in zip(predict(item, network(item, device), device), predict(item, network(item)), strict=True):
        torch.testing.assert_close(step.logits["image"].cpu(), plain.logits["image"], atol=1e-2, rtol=1e-2)
        assert 0 < step.seconds["image"] < 60
