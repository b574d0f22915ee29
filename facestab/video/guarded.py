"""decord in a child process, which may die or hang without harm."""

import atexit
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

# a run of 4K frames far from a keyframe takes a few seconds
ANSWER_S = 15.0
_START_S = 60.0
_PIPE_BYTES = 1 << 20
_START = "import sys; sys.path[:] = {path!r}; from facestab.video.decord_child import serve; serve({parent})"


class Answer(NamedTuple):
    """What decord gives of a run of frames.

    Attributes:
        total: frames that it counts in the file; 0 when it did not come so far.
        shape: of each frame.
        frames: bytes of each.
        why: why there are fewer than asked for, "" when all is well.
    """

    total: int
    shape: tuple[int, ...]
    frames: list[bytearray]
    why: str


class GuardedDecord:
    """The child. It is started at the first question, and again after it has died.

    Attributes:
        deadly: files on which it died or hung, by path, size and time of change, and how; they are not tried again.
    """

    def __init__(self) -> None:
        self.deadly: dict[tuple[Path, int, int], str] = {}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, path: Path, start: int, stop: int, goes_on: bool) -> Answer:
        """Frames start .. stop - 1 of a file.

        Args:
            path: the file.
            start: first frame.
            stop: one past the last.
            goes_on: whether the next question is most likely about the frames from `stop` on.
        """
        about = path.stat()
        key = path, about.st_size, about.st_mtime_ns
        if key in self.deadly:
            return Answer(0, (), [], self.deadly[key])
        question = {"path": os.path.abspath(path), "start": start, "stop": stop, "goes_on": goes_on}
        with self._lock:
            process = self._started()
            late = threading.Event()
            try:
                with _limited(process, ANSWER_S, late):
                    return _exchange(process, json.dumps(question).encode() + b"\n")
            except (OSError, EOFError, ValueError):
                self.deadly[key] = "decord hangs" if late.is_set() else f"decord ends its process{_how(process)}"
                self._end()
                return Answer(0, (), [], self.deadly[key])

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        code = _START.format(path=sys.path, parent=os.getpid())
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pipesize=_PIPE_BYTES,
        )
        assert self._process.stdout is not None
        with _limited(self._process, _START_S, threading.Event()):
            # its end shows at the question
            self._process.stdout.readline()
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@contextmanager
def _limited(process: "subprocess.Popen[bytes]", seconds: float, late: threading.Event) -> Iterator[None]:
    """Kill the process when the block takes longer, so that what waits for it fails; `late` says so."""

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _exchange(process: "subprocess.Popen[bytes]", question: bytes) -> Answer:
    """Raises OSError, EOFError or ValueError when the process ends in between."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(question)
    process.stdin.flush()
    head = json.loads(process.stdout.readline())
    shape, frames = tuple(head["shape"]), []
    for _ in range(head["count"]):
        frames.append(bytearray(math.prod(shape)))
        if process.stdout.readinto(frames[-1]) < len(frames[-1]):  # type: ignore[attr-defined]
            raise EOFError
    return Answer(head["total"], shape, frames, head["why"])


def _how(process: "subprocess.Popen[bytes]") -> str:
    code = process.wait()
    return f" ({signal.Signals(-code).name})" if code < 0 else ""


# by process: a fork inherits its parent's child, and must neither use nor end it
_GUARDED: dict[int, GuardedDecord] = {}


def guarded_decord() -> GuardedDecord:
    """The one of this process, which ends with it."""
    own = os.getpid()
    if own not in _GUARDED:
        _GUARDED[own] = GuardedDecord()
        atexit.register(_close_own, own)
    return _GUARDED[own]


def _close_own(owner: int) -> None:
    if os.getpid() == owner:
        _GUARDED[owner].close()
