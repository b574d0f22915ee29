"""The process in which decord reads: it may abort or hang on a damaged file, and takes nothing else with it.

It reads questions from standard input, a line of JSON each: a path, start and stop of a run, and whether the run goes
on behind stop. It answers on standard output with a line of JSON and the bytes of the frames: how many frames decord
counts in the file, how many follow and of what shape, and why these are fewer than asked for.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import decord

READY = b"ready\n"
# decord reads about 1000 frames ahead, 6 GB at 1080p, and asks for whatever a damaged header says
_SHARE_OF_MEMORY, _MOST_MEMORY = 0.5, 2**34
_KEPT_S = 1.0


class _Reader:
    """The file that is read just now, kept for a run that goes on soon."""

    def __init__(self) -> None:
        self._path = ""
        self._reader: Any = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(0, self._close)

    def answer(self, path: str, start: int, stop: int, goes_on: bool) -> Iterator[bytes]:
        """Parts of the answer to a question."""
        self._timer.cancel()
        with self._lock:
            total, frames, why = self._read(path, start, stop)
        if goes_on and not why:
            self._timer = threading.Timer(_KEPT_S, self._close)
            self._timer.start()
        else:
            self._close()
        shape = frames[0].shape if frames else ()
        yield json.dumps({"total": total, "count": len(frames), "shape": shape, "why": why}).encode() + b"\n"
        for frame_HWC in frames:
            yield frame_HWC.tobytes()

    def _read(self, path: str, start: int, stop: int) -> tuple[int, list[Any], str]:
        total, frames = 0, []
        # its own exceptions, RuntimeError, and Python's for paths that are no text
        try:
            if self._reader is None or self._path != path:
                # the old one goes first
                self._reader = None
                self._path, self._reader = path, decord.VideoReader(path, num_threads=1)
            total = len(self._reader)
            for number in range(start, min(stop, total)):
                frames.append(self._reader[number].asnumpy())
        except Exception:
            return total, frames, f"decord fails at frame {start + len(frames)}"
        return total, frames, ""

    def _close(self) -> None:
        """Left open, a reader decodes ahead: 6 GB at 1080p."""
        with self._lock:
            self._reader = None


def serve(parent: int) -> None:
    """Answer until the process that asks ends.

    Args:
        parent: its id.
    """
    # Ctrl-C is for the process that asks
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _limit_memory()
    # what libraries print must not come between the answers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    decord.logging.set_level(decord.logging.QUIET)
    answers.write(READY)
    answers.flush()
    reader = _Reader()
    for line in sys.stdin.buffer:
        for part in reader.answer(**json.loads(line)):
            answers.write(part)
        answers.flush()


def _end_with(parent: int) -> None:
    """End with the process that asks, in the middle of a question that decord never answers as well."""
    while os.getppid() == parent:
        time.sleep(_KEPT_S)
    os._exit(1)


def _limit_memory() -> None:
    # not every system can
    with suppress(ImportError, ValueError, OSError):
        import resource

        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        limit, (_, hard) = min(int(_SHARE_OF_MEMORY * machine), _MOST_MEMORY), resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
