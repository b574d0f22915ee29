"""metrics.csv: everything that training logs, one row a step."""

import csv
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only

FILE_NAME = "metrics.csv"
# between two writings, and so many times what one takes: Lightning saves after every row
_LEAST_WAIT_S = 2.0
_WAIT_PER_COST = 100


class MetricsFile(CSVLogger):
    """A CSVLogger that can be taken up again, and whose file is whole at any time.

    All rows stay in memory, and checkpoints hold them: Lightning's own writer forgets what it has written, and throws
    away the file of a run that goes on.

    Args:
        save_dir: folder of metrics.csv and hparams.yaml.

    Attributes:
        rows: one dictionary for each row of the file.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir, name="", version="")
        self.rows: list[dict[str, Any]] = []
        self._next_save = 0.0

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Add a row."""
        self.rows.append(make_row(metrics, len(self.rows) if step is None else step))

    @rank_zero_only
    def save(self) -> None:
        """Write the file, unless it was written a moment ago."""
        if time.monotonic() >= self._next_save:
            self._write()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the file."""
        self._write()

    def _write(self) -> None:
        if not self.rows:
            return
        start = time.monotonic()
        columns = sorted({key for row in self.rows for key in row})
        part = Path(self.save_dir) / "metrics.part.csv"
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
        part.replace(Path(self.save_dir) / FILE_NAME)
        end = time.monotonic()
        self._next_save = end + max(_LEAST_WAIT_S, _WAIT_PER_COST * (end - start))


def make_row(metrics: Mapping[str, Any], step: int) -> dict[str, Any]:
    """Numbers by column."""
    values = {key: value.item() if isinstance(value, torch.Tensor) else value for key, value in metrics.items()}
    return {**values, "step": step}
