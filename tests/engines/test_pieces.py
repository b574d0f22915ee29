"""A batch in pieces gives what the whole batch gives, and leaves torch's threads as they were."""

import threading

import numpy as np
import pytest
import torch

from facestab.engines.base import Engine
from facestab.engines.eager import TorchKind
from facestab.engines.ort import OnnxRuntimeKind
from facestab.engines.pieces import Pieces, in_pieces, num_workers
from tests.engines.test_engines import CPU, frames, make
from tests.tiny import tiny_net


@pytest.fixture
def two_threads():
    number = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(number)


@pytest.mark.parametrize("kind", [lambda _: TorchKind(), OnnxRuntimeKind])
def test_every_frame_has_its_own_answer_whatever_the_number_of_frames(two_threads, kind, tmp_path):
    net = tiny_net(3).eval().to(memory_format=torch.channels_last)
    engine = make(kind(str(tmp_path)), net, frames(8))
    assert isinstance(engine, Pieces)
    for count in (8, 7, 3, 2, 1):
        given = frames(count, seed=count)
        with torch.inference_mode():
            expected = net(torch.from_numpy(given).permute(0, 3, 1, 2)).logits_BKHW
        found = engine(given)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected.contiguous(), atol=1e-3, rtol=1e-3)
        assert found.is_contiguous() or count == 1


class Watched(Engine):
    """Says which threads called it with how many frames, and how many threads torch had there."""

    def __init__(self):
        self.calls = []

    def __call__(self, frames_NHWC):
        self.calls.append((threading.get_ident(), len(frames_NHWC), torch.get_num_threads()))
        if (frames_NHWC == 255).all():
            raise RuntimeError("a white frame")
        return torch.from_numpy(frames_NHWC).permute(0, 3, 1, 2).float()


def test_each_thread_has_its_share_of_the_cores_and_the_caller_keeps_all(two_threads):
    run = Watched()
    engine = in_pieces(run, num_workers(frames(8), CPU))
    engine(frames(8))
    assert torch.get_num_threads() == 2
    assert sum(count for _, count, _ in run.calls) == 8
    assert {share for _, _, share in run.calls} == {1}
    assert threading.get_ident() not in {thread for thread, _, _ in run.calls}
    run.calls.clear()
    # fewer frames than threads: nobody else could use the cores
    engine(frames(1))
    assert run.calls == [(threading.get_ident(), 1, 2)]


def test_where_nothing_can_be_shared_the_engine_stays_what_it_is(two_threads):
    run = Watched()
    assert in_pieces(run, num_workers(frames(1), CPU)) is run
    assert num_workers(frames(8), torch.device("cuda")) == 1


def test_an_error_in_one_piece_is_raised_and_the_next_batch_is_looked_at(two_threads):
    engine = in_pieces(Watched(), 2)
    given = frames(8)
    broken = given.copy()
    broken[5:] = 255
    with pytest.raises(RuntimeError, match="a white frame"):
        engine(broken)
    expected = torch.from_numpy(np.moveaxis(given, 3, 1).astype(np.float32))
    assert torch.equal(engine(given), expected)
