"""SIGTERM and Ctrl-C: the command ends within seconds, and what it has written so far is whole."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(SystemExit):
    """A signal asked the command to end. Nothing but the command line may catch it.

    Args:
        number: of the signal.

    Attributes:
        code: 143 for SIGTERM and 130 for Ctrl-C, as shells give it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """In the block SIGTERM and Ctrl-C raise `Stopped` in the main thread; the second one ends the process at once."""
    main, received = os.getpid(), []

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != main:
            # a loader's worker: Ctrl-C reaches it too, and the main process ends it
            if number == signal.SIGTERM:
                os._exit(128 + number)
            return
        received.append(number)
        if len(received) > 1:
            os._exit(128 + number)
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StopAtOnce(Callback):
    """Takes SIGTERM back from Lightning, whose handler waits for the end of a batch, and of a whole prediction.

    In a distributed run it would also wait for processes that wait for this one. Here the helpers that this process has
    started get the signal first.
    """

    def __init__(self) -> None:
        # of `stop_on_signals`, or whatever the program that uses facestab wants
        self._handler: Any = signal.getsignal(signal.SIGTERM)

    def _take_back(self, trainer: Trainer) -> None:
        launcher = trainer.strategy.launcher

        def stop(number: int, frame: FrameType | None) -> None:
            if isinstance(launcher, _SubprocessScriptLauncher):
                launcher.kill(signal.Signals(number))
            self._handler(number, frame)

        if callable(self._handler):
            signal.signal(signal.SIGTERM, stop)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """After Lightning has set its handler."""
        self._take_back(trainer)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """After Lightning has set its handler."""
        self._take_back(trainer)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """After Lightning has set its handler."""
        self._take_back(trainer)
