"""Where rendered pictures lie, and how they get there in parallel."""

import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
from filelock import FileLock
from torch.utils.data import DataLoader, Dataset

from facestab.progress import progress_bars


@cache
def world_hash() -> str:
    """12 hex digits that change with the code of the synthetic world, so that no picture of an older one is reused."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def cache_folder(root: str, **settings: Any) -> Path:
    """The folder for pictures of this world with these settings."""
    text = json.dumps({"world": world_hash(), **settings}, sort_keys=True)
    return Path(root) / hashlib.sha256(text.encode()).hexdigest()[:16]


class _Calls(Dataset[Any]):
    def __init__(self, function: Callable[[Any], Any], arguments: list[Any]) -> None:
        self.function = function
        self.arguments = arguments

    def __len__(self) -> int:
        return len(self.arguments)

    def __getitem__(self, index: int) -> Any:
        # OpenCV's own threads would fight with the other workers
        cv2.setNumThreads(0)
        return self.function(self.arguments[index])


def render_all(function: Callable[[Any], Any], arguments: list[Any], title: str, unit: str) -> list[Any]:
    """`function` of every argument, in order, on all cores."""
    # what the machine lends to this process, where the system can say so
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    num_workers = min(cores, len(arguments))
    loader = DataLoader(_Calls(function, arguments), batch_size=None, num_workers=num_workers if num_workers > 1 else 0)
    results = []
    with progress_bars() as bars:
        task = bars.add_task(title, total=len(arguments), unit=unit)
        for result in loader:
            results.append(result)
            bars.advance(task)
    return results


def cache_lock(folder: Path) -> FileLock:
    """Held while a folder is filled, so that processes do not render the same pictures."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.parent / f".{folder.name}.lock")
