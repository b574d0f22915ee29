"""metrics.json, the record of a run: its keys, its shape, reading and writing."""

import json
import math
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

SCHEMA = 1
RECORD_NAME = "metrics.json"

# rows, in the order of every table
TRUTH, FROZEN, IMAGE, STABILIZED = "truth", "frozen", "image", "stabilized"

ACCURACY_KEYS = ("val/miou", "val/f1")
CLASS_KEY = "val/iou/"
FLICKER_KEYS = ("flicker/aba", "flicker/switch")
CONSISTENCY_KEYS = ("tc/masked", "tc/coverage")
TIME_KEYS = ("time/ms_per_frame", "time/frames_per_second")
# what differences and their intervals are given for
QUALITY_KEYS = (*ACCURACY_KEYS, *FLICKER_KEYS, "tc/masked")
VIDEO_KEYS = (*ACCURACY_KEYS, *FLICKER_KEYS, *CONSISTENCY_KEYS, *TIME_KEYS)
TRAIN_KEYS = (
    "train/loss",
    "train/loss_step",
    "train/feature_distance",
    "train/cross_entropy",
    "train/cross_entropy_1",
    "train/cross_entropy_2",
    "train/feature_mean_abs",
    "train/feature_std",
    "train/feature_distance_relative",
    "train/gradient_ratio",
)
VAL_KEYS = (
    "val/loss",
    "val/feature_distance",
    "val/cross_entropy",
    "val/cross_entropy_1",
    "val/cross_entropy_2",
    *ACCURACY_KEYS,
)
PACKAGES = ("facestab", "torch", "lightning", "segmentation-models-pytorch", "albumentations", "av", "decord")

Metrics = Mapping[str, Mapping[str, float]]


def is_known_key(key: str) -> bool:
    """Whether a logged key is one of those that dashboards and reports may ask for.

    A key of a video metric may stand behind a row's name: `stabilized/flicker/aba`.
    """
    plain = {*VIDEO_KEYS, *TRAIN_KEYS, *VAL_KEYS}
    bare = key.partition("/")[2]
    return key in plain or key.startswith(CLASS_KEY) or bare in VIDEO_KEYS or bare.startswith(CLASS_KEY)


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
    except (FileNotFoundError, json.JSONDecodeError):
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
