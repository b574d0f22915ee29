"""sweep.csv: one row a job."""

import csv
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from facestab.record import read_record

TABLE_NAME = "sweep.csv"
SETTINGS = ("w", "threshold", "seed")


def write_sweep(folder: Path) -> Path:
    """Gather the jobs below a sweep's folder; jobs without a record are listed as not finished."""
    rows = [_row(job) for job in sorted((p for p in folder.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    part = folder / "sweep.part.csv"
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return part.replace(folder / TABLE_NAME)


def _typed(path: Path) -> list[str]:
    """What was typed, as it was typed: what it refers to may be a secret of the environment."""
    overrides = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return [str(override) for override in overrides] if isinstance(overrides, list) else []


def _row(job: Path) -> dict[str, Any]:
    record = read_record(job)
    overrides = job / "overrides.yaml"
    settings = " ".join(_typed(overrides)) if overrides.exists() else ""
    row: dict[str, Any] = {"job": job.name, "state": "finished" if record else "not finished", "overrides": settings}
    if record is None:
        return row
    row |= {key: record[key] for key in SETTINGS if key in record}
    row |= {"init": record["init"]} if "init" in record else {}
    return row | {f"{name}/{key}": value for name, keys in record["metrics"].items() for key, value in keys.items()}
