"""A run that has begun and has not come to its end: what it is, which folder it has, and whether anybody is at it."""

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from facestab.errors import FacestabError
from facestab.record import RECORD_NAME, UNFINISHED_NAME

log = logging.getLogger(__name__)
RUN_NAME = "run.json"
# loader processes of a killed run hold its lock until they notice, which takes torch 5 seconds
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Unfinished:
    """What an unfinished run is.

    Attributes:
        fingerprint: of its settings.
        overrides: what the user typed.
        cwd: the folder in which it was typed.
    """

    fingerprint: str
    overrides: list[str]
    cwd: str


def write_unfinished(folder: Path, run: Unfinished) -> None:
    """Say that a run begins in a folder."""
    path = folder / UNFINISHED_NAME / RUN_NAME
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part.json")
    part.write_text(json.dumps(asdict(run)))
    part.replace(path)


def read_unfinished(folder: Path) -> Unfinished | None:
    """The unfinished run of a folder, None when there is none."""
    try:
        return Unfinished(**json.loads((folder / UNFINISHED_NAME / RUN_NAME).read_text()))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, TypeError):
        return None


def run_lock(folder: Path) -> FileLock:
    """A lock between processes, beside the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.parent / f".{folder.name}.lock")


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other commands out of the folder of a run.

    Raises:
        FacestabError: when another process is at it.
    """
    try:
        with run_lock(folder).acquire(timeout=_PATIENCE_S):
            yield
    except Timeout:
        remedy = "wait for it, or choose another name with name=..."
        raise FacestabError(f"{folder}: another process is at work there; {remedy}") from None


def find_unfinished(runs: Path, overrides: Sequence[str]) -> Path | None:
    """The newest unfinished run among the folders of `runs` that the same command began here, and nobody is at.

    Args:
        runs: where runs lie.
        overrides: what the user typed.
    """
    found = []
    for path in runs.glob(f"*/{UNFINISHED_NAME}/{RUN_NAME}"):
        folder = path.parents[1]
        run = read_unfinished(folder)
        is_same = run is not None and _typed(run.overrides) == _typed(overrides) and run.cwd == os.getcwd()
        if is_same and not (folder / RECORD_NAME).exists() and not _is_busy(folder):
            found.append((path.stat().st_mtime, folder))
    return max(found)[1] if found else None


def _typed(overrides: Sequence[str]) -> list[str]:
    return sorted(override for override in overrides if not override.startswith("resume="))


def _is_busy(folder: Path) -> bool:
    try:
        with run_lock(folder).acquire(timeout=_PATIENCE_S / 2):
            return False
    except Timeout:
        return True
