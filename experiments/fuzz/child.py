"""A process that takes one input after the other, so that 10,000 of them need few process starts, and may die."""

import faulthandler
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

Job = Callable[[str, Path], "Outcome"]
# a child gives back what libraries leave behind
_LIFE = 250
_GIB = 2**30


class Outcome(NamedTuple):
    """What became of one input.

    Attributes:
        verdict: "read", "refused", "traceback", "crash", "hang" or "memory".
        text: the line that refuses it, or the traceback.
        peak: most memory that came on top while it was read, in bytes.
        seconds: that it took.
    """

    verdict: str
    text: str = ""
    peak: int = 0
    seconds: float = 0.0


class Child:
    """Does a job in a forked process, under limits.

    Args:
        job: takes a kind and a path.
        log: file for what the child writes to standard error, with the stacks of all threads where it dies.
        seconds: a longer job is a hang.
        memory: bytes on top of what the child has at its start; a job that needs more is ended. Twice that is the
            limit of the address space, so that a single huge allocation fails inside the child.
    """

    def __init__(self, job: Job, log: Path, seconds: float, memory: int) -> None:
        self.job = job
        self.log = log
        self.seconds = seconds
        self.memory = memory
        self._process: multiprocessing.process.BaseProcess | None = None
        self._jobs = 0

    def do(self, kind: str, path: Path) -> Outcome:
        """The outcome of one job, whatever it does."""
        if self._process is None or self._jobs >= _LIFE:
            self.close()
            self._start()
        self._jobs += 1
        self._connection.send((kind, path))
        start = time.monotonic()
        while not self._connection.poll(0.02 if time.monotonic() < start + 0.5 else 0.2):
            seconds, grown = time.monotonic() - start, _resident(self._process.pid) - self._resident
            if seconds > self.seconds:
                return self._end("hang", grown, seconds)
            if grown > self.memory:
                return self._end("memory", grown, seconds)
        try:
            outcome = self._connection.recv()
        except EOFError:
            return self._end("crash", 0, time.monotonic() - start)
        return outcome._replace(seconds=time.monotonic() - start)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._connection.close()
            self._process.join(5)
            self._process.kill()
            self._process.join()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        self._connection, there = context.Pipe()
        arguments = (self.job, there, self._connection, self.log, self.memory)
        self._process = context.Process(target=_live, args=arguments, daemon=True)
        self._process.start()
        there.close()
        self._resident = _resident(self._process.pid)
        self._jobs = 0

    def _end(self, verdict: str, peak: int, seconds: float) -> Outcome:
        """Why a child died, or had to."""
        if verdict == "crash":
            self._process.join()
        elif self._process.is_alive():
            # the stacks of its threads go to the log
            os.kill(self._process.pid, signal.SIGUSR1)
            time.sleep(0.3)
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        self._process = None
        self._connection.close()
        how = f"{signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
        return Outcome(verdict, f"{how}\n{self.log.read_text(errors='replace')[-6000:]}", peak, seconds)


def _live(job: Job, connection: Connection, other: Connection, log: Path, memory: int) -> None:
    other.close()
    written = log.open("w", buffering=1)
    os.dup2(written.fileno(), 2)
    os.dup2(written.fileno(), 1)
    faulthandler.enable(written)
    faulthandler.register(signal.SIGUSR1, written)
    limit = _status("VmSize") + 2 * memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            kind, path = connection.recv()
        except EOFError:
            os._exit(0)
        written.truncate(0)
        before = _reset_peak()
        outcome = job(kind, path)
        connection.send(outcome._replace(peak=max(0, _status("VmHWM") - before)))


def _reset_peak() -> int:
    """Resident bytes; the kernel counts the peak from here on."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        # it has just died
        return 0
