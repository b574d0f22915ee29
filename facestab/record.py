"""metrics.json, the record of a run: its shape, reading and writing. Its keys stand in `facestab.keys`."""

import json
import math
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

SCHEMA = 1
RECORD_NAME = "metrics.json"
# in a run's folder as long as it is not finished: what is needed to go on, beside the checkpoints
UNFINISHED_NAME = "unfinished"
PACKAGES = ("facestab", "torch", "lightning", "segmentation-models-pytorch", "albumentations", "av", "decord")

Metrics = Mapping[str, Mapping[str, float]]


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape the numbers."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write metrics.json, whole or not at all. Values that are not finite are left out: absent means no value."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "metrics.part.json"
    part.write_text(json.dumps(_finite({"schema": SCHEMA, **record, "versions": versions()}), indent=1) + "\n")
    part.replace(folder / RECORD_NAME)


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of a finished run, None while there is none."""
    try:
        record = json.loads((folder / RECORD_NAME).read_text())
    # text that is no UTF-8 is a ValueError, nesting without an end a RecursionError
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.get("schema") == SCHEMA else None


def _finite(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {
            str(key): _finite(value)
            for key, value in node.items()
            if not (isinstance(value, float) and not math.isfinite(value))
        }
    if isinstance(node, (list, tuple)):
        return [_finite(value) for value in node]
    return node
