"""Work of several kinds at the same time: threads that are a few items ahead of, or behind, the one that waits."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

# how soon a thread that waits for room notices that nobody wants its items any more
_PATIENCE_S = 0.05


class _End:
    """What comes after the last item: nothing, or the error that stopped the thread."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """The same items in the same order, made by a thread of their own while the caller works on earlier ones.

    An error of `items` is raised when its turn comes. A caller that stops early closes `items`; where the items are
    made decides where they are closed.

    Args:
        items: is iterated, and closed when it is a generator, in that thread alone.
        depth: items that may be ready and wait, while one more is being made; 0 for no thread at all.

    Raises:
        ValueError: when depth is below 0.
    """
    if depth < 0:
        raise ValueError(f"depth must be at least 0, got {depth}")
    return _ahead(items, depth) if depth else _in_step(items)


def _in_step(items: Iterable[T]) -> Generator[T, None, None]:
    yield from items


def _ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    ready: Queue[T | _End] = Queue(depth)
    stop = threading.Event()
    thread = threading.Thread(target=_make, args=(items, ready, stop), name="facestab-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        thread.join()


def _make(items: Iterable[T], ready: "Queue[T | _End]", stop: threading.Event) -> None:
    iterator: Iterator[T] = iter(items)
    end = _End()
    try:
        for item in iterator:
            if not _put(ready, item, stop):
                break
    except BaseException as error:
        end = _End(error)
    try:
        if isinstance(iterator, Generator):
            iterator.close()
    except BaseException as error:
        end = _End(end.error or error)
    _put(ready, end, stop)


def _put(ready: "Queue[T | _End]", item: T | _End, stop: threading.Event) -> bool:
    """Whether the item found room before it was no longer wanted."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=_PATIENCE_S)
        except Full:
            continue
        return True
    return False


class Behind(Generic[T]):
    """Calls a function in a thread of its own, in the order of its arguments, while the caller goes on.

    Used in a `with` block. Its end waits for all calls; when the block ends with an error, calls that have not begun
    are dropped. An error of a call is raised by the next `put`, or by the end of the block, and no later call is made.

    Args:
        function: is called with one argument.
        depth: arguments that may wait, while one more is at work; 0 for no thread at all.

    Raises:
        ValueError: when depth is below 0.
    """

    def __init__(self, function: Callable[[T], None], depth: int) -> None:
        if depth < 0:
            raise ValueError(f"depth must be at least 0, got {depth}")
        self._function = function
        self._waiting: Queue[T | _End] = Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="facestab-behind", daemon=True) if depth else None

    def __enter__(self) -> "Behind[T]":
        if self._thread is not None:
            self._thread.start()
        return self

    def put(self, argument: T) -> None:
        """Have the function called; waits while too many arguments do."""
        if self._thread is None:
            self._function(argument)
            return
        self._raise()
        self._waiting.put(argument)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is None:
            return
        if kind is not None:
            self._drop()
        self._waiting.put(_End())
        self._thread.join()
        if kind is None:
            self._raise()

    def _work(self) -> None:
        while not isinstance(argument := self._waiting.get(), _End):
            # after an error the queue is still emptied: whoever waits for room must not wait for ever
            if self._error is None:
                try:
                    self._function(argument)
                except BaseException as error:
                    self._error = error

    def _drop(self) -> None:
        try:
            while True:
                self._waiting.get_nowait()
        except Empty:
            pass

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
