"""When work on a device began and ended."""

import time
from typing import Protocol

import torch


class Mark(Protocol):
    """A moment in the order of a device's work."""

    def seconds_since(self, earlier: "Mark") -> float:
        """How long after an earlier mark of the same clock; waits until the device has come to this one."""
        ...


class _Now:
    def __init__(self) -> None:
        self._seconds = time.perf_counter()

    def seconds_since(self, earlier: Mark) -> float:
        assert isinstance(earlier, _Now)
        return self._seconds - earlier._seconds


class _Event:
    def __init__(self, device: torch.device) -> None:
        self._event = torch.cuda.Event(enable_timing=True)
        self._event.record(torch.cuda.current_stream(device))

    def seconds_since(self, earlier: Mark) -> float:
        assert isinstance(earlier, _Event)
        self._event.synchronize()
        milliseconds: float = earlier._event.elapsed_time(self._event)
        return milliseconds / 1000


def mark(device: torch.device) -> Mark:
    """The end of all work that the device was given so far; a GPU may come to it later, and is not waited for."""
    return _Event(device) if device.type == "cuda" else _Now()
