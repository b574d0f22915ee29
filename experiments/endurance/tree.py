"""What a command and all processes that it starts hold, sampled from /proc while it runs. Linux only."""

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """What the tree held at one time.

    Attributes:
        seconds: since the command was started.
        progress: share of the work that was done, 0..1.
        resident: bytes of memory, pages of mapped files included.
        own: bytes of memory without mapped files: how much of a library is resident is the system's choice.
        handles: open files, sockets and pipes.
        threads: of all processes.
        processes: how many there are.
        cpu_seconds: processor time of those that live, and of their children that have ended.
    """

    seconds: float
    progress: float
    resident: int
    own: int
    handles: int
    threads: int
    processes: int
    cpu_seconds: float


def watch(
    command: Sequence[str], folder: Path, progress: Callable[[], float], interval: float = 0.5
) -> tuple[list[Sample], str]:
    """Run a command to its end.

    Args:
        command: with its arguments.
        folder: where it runs.
        progress: counts the units of work that are done.
        interval: seconds between two samples.

    Returns:
        The samples, their progress a share of the last one, and what the command printed.

    Raises:
        RuntimeError: when it fails; with the end of what it printed.
    """
    start, samples = time.perf_counter(), []
    said = folder / f"{command[-1].partition('=')[2]}.log"
    with said.open("w") as stream:
        process = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=subprocess.STDOUT)
        while process.poll() is None:
            sample = _sample(process.pid, time.perf_counter() - start, progress())
            samples += [sample] if sample is not None else []
            time.sleep(interval)
    if process.returncode:
        raise RuntimeError(said.read_text()[-2000:])
    most = max(sample.progress for sample in samples) or 1
    return [Sample(**{**vars(sample), "progress": sample.progress / most}) for sample in samples], said.read_text()


def _sample(root: int, seconds: float, progress: float) -> Sample | None:
    found = [one for pid in _tree(root) if (one := _held(pid)) is not None]
    if not found:
        return None
    resident, own, handles, threads, cpu = (sum(column) for column in zip(*found, strict=True))
    return Sample(seconds, progress, int(resident), int(own), int(handles), int(threads), len(found), cpu)


def _tree(root: int) -> Iterable[int]:
    """A process and its descendants."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        try:
            for task in (PROC / str(pid) / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            continue


def _held(pid: int) -> tuple[int, int, int, int, float] | None:
    """Resident and own bytes, handles, threads, processor seconds; None for one that has just ended."""
    home = PROC / str(pid)
    try:
        status = dict(line.split(":", 1) for line in (home / "status").read_text().splitlines())
        own = 1024 * (int(status["RssAnon"].split()[0]) + int(status["RssShmem"].split()[0]))
        resident = PAGE * int((home / "statm").read_text().split()[1])
        # the name in brackets may hold spaces; of what follows the 12th to 15th are times
        times = (home / "stat").read_text().rpartition(")")[2].split()[11:15]
        handles = len(os.listdir(home / "fd"))
        return resident, own, handles, int(status["Threads"]), sum(map(int, times)) / TICKS
    except (OSError, KeyError):
        return None
