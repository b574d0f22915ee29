"""Commands that are killed at a moment of chance and started again, until they end."""

import csv
import json
import multiprocessing
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.forked import start

# what was said, and what holds the paths of a folder
UNSTABLE = {"run.log", "hparams.yaml", "config.yaml", "multirun.yaml"}
# written by every start, before there is anything to lose; kills there are some, but not most
_FIRST = {*UNSTABLE, "overrides.yaml", "run.json", "run.part.json"}
_POLL_S = 0.005
_HANGS_S = 900


@dataclass
class Story:
    """What became of a command.

    Attributes:
        kills: how often it was killed.
        codes: exit codes of the starts that were not killed; the last one is that of the end.
        moments: what had just been written when it was killed, one for each kill.
    """

    kills: int = 0
    codes: list[int] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)


def kill_again_and_again(arguments: list[str], cwd: Path, kills: int, rng: np.random.Generator) -> Story:
    """Run a command to its end, killed up to so many times on the way.

    A kill comes when a number of files, drawn for each start, has changed, and a moment of chance later: what files are
    written is what can go wrong, and so chance does not depend on the speed of the machine. What every start writes
    first counts for nothing, so that not most kills come there.

    Args:
        arguments: of the command.
        cwd: where it runs; `runs` is below.
        kills: at most.
        rng: chance.
    """
    story = Story()
    while True:
        process = start(arguments, cwd)
        changes = int(rng.integers(0, 9)) if story.kills < kills else None
        moment = _watch(process, cwd, changes, float(rng.exponential(0.05)))
        if moment is None:
            story.codes.append(process.exitcode or 0)
            return story
        process.kill()
        process.join()
        story.kills += 1
        story.moments.append(moment)


def _watch(process: multiprocessing.process.BaseProcess, cwd: Path, changes: int | None, delay_s: float) -> str | None:
    """What was written last when it is time for a kill; None when the process has ended."""
    begin, seen, name = time.monotonic(), snapshot(cwd), ""
    while process.is_alive():
        time.sleep(_POLL_S)
        if time.monotonic() - begin > _HANGS_S:
            process.kill()
            raise TimeoutError("the command hangs")
        if changes is None:
            continue
        now = snapshot(cwd)
        new = [path for path, state in now.items() if seen.get(path) != state]
        counted = [path for path in new if os.path.basename(path) not in _FIRST and not path.endswith(".lock")]
        changes -= len(counted)
        name, seen = new[-1] if new else name, now
        if changes <= 0 and name:
            time.sleep(delay_s)
            return name if process.is_alive() else None
    process.join()
    return None


def snapshot(cwd: Path) -> dict[str, tuple[int, int]]:
    """Path, below `cwd`, of every file to its size and time."""
    found = {}
    for folder, _, names in os.walk(cwd / "runs"):
        for name in names:
            path = os.path.join(folder, name)
            try:
                stat = os.stat(path)
            except FileNotFoundError:
                continue
            found[os.path.relpath(path, cwd)] = (stat.st_size, stat.st_mtime_ns)
    return found


def differing(one: Path, two: Path) -> list[str]:
    """Files of two folders that do not say the same, or that one of them lacks; measured times apart."""
    files = [{str(p.relative_to(folder)) for p in folder.rglob("*") if _counts(p)} for folder in (one, two)]
    both = files[0] & files[1]
    return sorted((files[0] ^ files[1]) | {name for name in both if _content(one / name) != _content(two / name)})


def _counts(path: Path) -> bool:
    return path.is_file() and path.name not in UNSTABLE and path.suffix != ".lock"


def _content(path: Path) -> Any:
    if path.suffix == ".csv":
        with path.open() as file:
            return [{k: v for k, v in line.items() if "time/" not in k} for line in csv.DictReader(file)]
    if path.suffix == ".json":
        keep = lambda pairs: {k: v for k, v in pairs if not k.startswith(("time/", "video"))}  # noqa: E731
        return json.loads(path.read_text(), object_pairs_hook=keep)
    if path.suffix == ".ckpt":
        # the paths in it differ from folder to folder
        checkpoint = torch.load(path, weights_only=True)
        parts = [
            checkpoint.get(key) for key in ("state_dict", "optimizer_states", "lr_schedulers", "progress", "loops")
        ]
        return _plain(parts)
    return path.read_bytes()


def _plain(node: Any) -> Any:
    if isinstance(node, torch.Tensor):
        return node.tolist()
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(value) for value in node] if isinstance(node, (list, tuple)) else node
