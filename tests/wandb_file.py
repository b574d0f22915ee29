"""Reads what an offline Weights & Biases run has written, to check it without a server."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

HEADER = b":W&B"
HEADER_BYTES = 7
BLOCK_BYTES = 32 * 1024
# of a chunk: 4 bytes of checksum, 2 of length, 1 that says which part of a record it is
CHUNK_BYTES = 7
WHOLE, LAST = 1, 4
_PATIENCE_S = 30


@dataclass
class OfflineRun:
    """What one run has logged: every value ever, and its configuration."""

    job_type: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    values: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def known(self) -> set[str]:
        """Every key that a panel may ask for."""
        return {*self.config, *self.values}


def read_offline_run(folder: Path) -> OfflineRun:
    """The only offline run below a run's folder, when it has ended."""
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    run = OfflineRun()
    for record in _ended(path):
        if record.WhichOneof("record_type") == "run":
            run.job_type = record.run.job_type or run.job_type
            _take(run.config, record.run.config.update)
        _take(run.config, record.config.update)
        logged: dict[str, Any] = {}
        _take(logged, [*record.history.item, *record.summary.update])
        for key, value in logged.items():
            run.values.setdefault(key, []).append(value)
    return run


def _ended(path: Path) -> list[Any]:
    """All records; another process writes them, and may be a moment behind."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        records = [Record.FromString(data) for data in _records(path.read_bytes())]
        if records and records[-1].WhichOneof("record_type") == "exit":
            return records
        assert time.monotonic() < end, f"{path}: the run has not ended"
        time.sleep(0.05)


def _take(values: dict[str, Any], items: Any) -> None:
    for item in items:
        # what a dict or a video holds comes as one item each
        key, *inner = item.nested_key or [item.key]
        value = json.loads(item.value_json)
        if inner:
            values.setdefault(key, {})["/".join(inner)] = value
        else:
            values[key] = value


def _records(data: bytes) -> Iterator[bytes]:
    """The records of LevelDB's log format, whose blocks hold whole chunks only."""
    assert data.startswith(HEADER)
    position, parts = HEADER_BYTES, b""
    while position + CHUNK_BYTES <= len(data):
        room = BLOCK_BYTES - position % BLOCK_BYTES
        if room < CHUNK_BYTES:
            position += room
            continue
        length = int.from_bytes(data[position + 4 : position + 6], "little")
        part = data[position + 6]
        position += CHUNK_BYTES
        parts += data[position : position + length]
        position += length
        if part in (WHOLE, LAST):
            yield parts
            parts = b""
