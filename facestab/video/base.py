"""What all sources of frames share."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

from facestab.types import VideoInfo
from facestab.video.timing import Timing

_Source = TypeVar("_Source", bound="Source")


class Source(ABC):
    """A context manager with an `info`."""

    @property
    @abstractmethod
    def info(self) -> VideoInfo:
        """Rate, number of frames, size and codec."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what the source holds."""

    def timing(self) -> Timing:
        """When the frames are shown, and what is heard."""
        return Timing(self.info.fps)

    def check_pair(self, index: int) -> None:
        """Raise IndexError unless frames index and index + 1 exist."""
        if not 0 <= index < self.info.num_frames - 1:
            raise IndexError(f"{self.info.path}: there is no pair {index} in {self.info.num_frames} frames")

    def __enter__(self: _Source) -> _Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
