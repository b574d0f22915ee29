"""Independent work on all cores, with a progress bar."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from facestab.errors import FacestabError
from facestab.progress import progress_bars

# with fewer calls a worker costs more than it saves
_FEW = 4


class _Calls(Dataset[Any]):
    def __init__(self, function: Callable[[Any], Any], arguments: Sequence[Any]) -> None:
        self.function = function
        self.arguments = arguments

    def __len__(self) -> int:
        return len(self.arguments)

    def __getitem__(self, index: int) -> Any:
        # OpenCV's own threads would fight with the other workers
        cv2.setNumThreads(0)
        try:
            return self.function(self.arguments[index])
        except FacestabError as error:
            # raised by a loader's worker it would arrive with the worker's traceback in its message
            return error


def each(function: Callable[[Any], Any], arguments: Sequence[Any], title: str, unit: str) -> Iterator[Any]:
    """`function` of every argument, in order, as they come, on all cores.

    Args:
        function: can be sent to another process.
        arguments: one for each call.
        title: of the progress bar.
        unit: that it counts.

    Raises:
        FacestabError: the first that a call raises.
    """
    # what the machine lends to this process, where the system can say so
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    num_workers = min(cores, len(arguments) // _FEW)
    loader = DataLoader(
        _Calls(function, arguments),
        batch_size=None,
        num_workers=num_workers if num_workers > 1 else 0,
        # a training must draw the same numbers whether something had to be rendered first or not
        generator=torch.Generator(),
    )
    with progress_bars() as bars:
        task = bars.add_task(title, total=len(arguments), unit=unit)
        for result in loader:
            if isinstance(result, FacestabError):
                raise result
            yield result
            bars.advance(task)


def run_all(function: Callable[[Any], Any], arguments: Sequence[Any], title: str, unit: str) -> list[Any]:
    """As `each`, all results at once."""
    return list(each(function, arguments, title, unit))
