"""A batch in pieces, each of which a thread of its own looks at."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from facestab.engines.base import Engine
from facestab.nets.inference import planes

# a thread that had to share its core with other work leaves its next piece to one that did not
_PIECES_PER_THREAD = 2


def num_workers(frames_NHWC: np.ndarray, device: torch.device) -> int:
    """Threads that may look at a batch at the same time: as many as torch has on a processor, but for small batches."""
    return min(torch.get_num_threads(), len(frames_NHWC)) if device.type == "cpu" else 1


class Pieces:
    """Runs an engine on several pieces of each batch at the same time.

    Threads that share the layers of one network wait for each other after every layer, and all of them for whatever
    else wants a core, such as metrics and codecs. With a piece of the batch each they meet once a batch.

    Args:
        run: an engine that several threads may call at once.
        workers: so many threads, which share what torch has between them.
    """

    def __init__(self, run: Engine, workers: int) -> None:
        self._run = run
        self._workers = workers
        self._pool = _pool(workers)

    def __call__(self, frames_NHWC: np.ndarray) -> Tensor:
        """See `Engine`."""
        if len(frames_NHWC) < self._workers:
            # a frame that comes alone has all threads
            return self._run(frames_NHWC)
        whole = _Whole(len(frames_NHWC))
        number = min(len(frames_NHWC), _PIECES_PER_THREAD * self._workers)
        edges = [len(frames_NHWC) * i // number for i in range(number + 1)]
        slices = list(map(slice, edges, edges[1:]))
        list(self._pool.map(lambda part: whole.put(part, self._run(frames_NHWC[part])), slices))
        return whole.logits_NKHW


class _Whole:
    """A batch's logits, where each thread lays those of its piece, class after class as they are wanted next."""

    logits_NKHW: Tensor

    def __init__(self, num_frames: int) -> None:
        self._num_frames = num_frames
        self._lock = threading.Lock()

    def put(self, part: slice, logits_NKHW: Tensor) -> None:
        with self._lock:
            if not hasattr(self, "logits_NKHW"):
                self.logits_NKHW = torch.empty((self._num_frames, *logits_NKHW.shape[1:]))
        planes(logits_NKHW, out=self.logits_NKHW[part])


def in_pieces(run: Engine, workers: int) -> Engine:
    """The engine itself where there is nothing to share."""
    return Pieces(run, workers) if workers > 1 else run


def _pool(workers: int) -> ThreadPoolExecutor:
    number = torch.get_num_threads()
    # none goes on before all are there: else the first might take the work of the second, which is then not started
    started = threading.Barrier(workers + 1)

    def begin() -> None:
        # asked first: a thread's first question gives it the number of the others
        torch.get_num_threads()
        torch.set_num_threads(max(1, number // workers))
        started.wait()

    pool = ThreadPoolExecutor(workers, "facestab-engine", initializer=begin)
    for _ in range(workers):
        pool.submit(int)
    started.wait()
    # torch gives threads that come later what the last one asked for
    torch.set_num_threads(number)
    return pool
