"""One warning for one thing, however many parts of a run come upon it."""

import logging


class WarnedOnce(logging.Filter):
    """Lets every warning through once: a video that is left out is met by training, by labelling and by prediction."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is news."""
        if record.levelno != logging.WARNING:
            return True
        text = record.getMessage()
        is_new = text not in self._seen
        self._seen.add(text)
        return is_new

    def forget(self) -> None:
        """Another run begins."""
        self._seen.clear()
