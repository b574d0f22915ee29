"""Finished runs as a report reads them: record, configuration, overrides, and the files of each video."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml  # type: ignore[import-untyped]
from omegaconf import OmegaConf

from facestab.errors import FacestabError
from facestab.labels import IGNORE_ID, LabelSet
from facestab.record import read_record

# Okabe and Ito's colours, which people with any colour vision tell apart; black is the background
_QUALITATIVE = (
    *((0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0)),
    *((204, 121, 167), (153, 153, 153)),
)


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: where it lies.
        name: of the folder; of sweep and job for a job of a sweep.
        sweep: the sweep's name, "" for a run of its own.
        record: metrics.json.
        config: config.yaml, empty when it is missing.
        overrides: what was typed, None when overrides.yaml is missing.
    """

    folder: Path
    name: str
    sweep: str
    record: Mapping[str, Any]
    config: Mapping[str, Any]
    overrides: tuple[str, ...] | None

    @property
    def metrics(self) -> Mapping[str, Mapping[str, float]]:
        """Values by row and key."""
        found: Mapping[str, Mapping[str, float]] = self.record.get("metrics", {})
        return found

    @property
    def videos(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """Values by video, row and key."""
        found: Mapping[str, Mapping[str, Mapping[str, float]]] = self.record.get("videos", {})
        return found

    @property
    def result(self) -> str:
        """The row that is the result; the last one where the record does not say."""
        return str(self.record.get("result", next(iter([*self.metrics][::-1]), "")))

    @property
    def baseline(self) -> str:
        """The row that the result is compared with, "" when there is none."""
        baseline = str(self.record.get("baseline", ""))
        return baseline if baseline != self.result else ""

    @property
    def label_set(self) -> LabelSet:
        """Names and colours of the record, else of config.yaml; ids and qualitative colours where both lack them."""
        node = self.record.get("labels") or self.config.get("labels") or {}
        if node.get("names") and node.get("palette"):
            return LabelSet(node["names"], node["palette"])
        colours = [_QUALITATIVE[0], *_QUALITATIVE[1:] * IGNORE_ID][:IGNORE_ID]
        return LabelSet([str(i) for i in range(IGNORE_ID)], colours)

    def video_file(self, video: str, name: str) -> Path | None:
        """A file of a video, None when it is missing, or when the video's name leads out of the run's folder."""
        videos = self.folder / "videos"
        path = videos / video / name
        return path if path.is_file() and path.resolve().is_relative_to(videos.resolve()) else None


@dataclass(frozen=True)
class Gathered:
    """What was found in the folders that were given.

    Attributes:
        runs: the finished ones, in order, each once.
        unfinished: names of sweep jobs without a record.
    """

    runs: tuple[Run, ...]
    unfinished: tuple[str, ...]


def read_runs(folders: Iterable[Path]) -> Gathered:
    """The runs in folders of runs and of sweeps.

    Raises:
        FacestabError: when a folder holds neither, or a configuration that cannot be read.
    """
    runs: dict[Path, Run] = {}
    unfinished: list[str] = []
    for folder in folders:
        jobs = _jobs(folder)
        if read_record(folder) is not None or not jobs:
            runs.setdefault(folder.resolve(), _read_run(folder, folder.resolve().name))
            continue
        sweep = folder.resolve().name
        for job in jobs:
            if read_record(job) is None:
                unfinished.append(f"{sweep}/{job.name}")
            else:
                runs.setdefault(job.resolve(), _read_run(job, f"{sweep}/{job.name}", sweep))
        if len(unfinished) == len(jobs) and not runs:
            raise FacestabError(f"{folder}: none of the {len(jobs)} jobs of this sweep is finished")
    return Gathered(tuple(runs.values()), tuple(unfinished))


def read_curves(path: Path) -> dict[str, np.ndarray]:
    """The columns of a video's frames.csv but the frame number, float64 (T,) each; nan where a cell is empty.

    Raises:
        FacestabError: when a cell is no number, or a line too short.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        names = [name for name in (lines[0] if lines else {}) if name != "frame"]
        return {name: np.array([float("nan" if line[name] == "" else line[name]) for line in lines]) for name in names}
    except (ValueError, TypeError, csv.Error) as error:
        raise FacestabError(f"{path}: cannot be read ({error}); predict the video again") from error


def _jobs(folder: Path) -> Sequence[Path]:
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if path.is_dir() and path.name.isdigit()), key=_number)


def _number(path: Path) -> int:
    return int(path.name)


def _read_run(folder: Path, name: str, sweep: str = "") -> Run:
    record = read_record(folder)
    if record is None:
        raise FacestabError(f"{folder}: holds no finished run (no metrics.json)")
    config = _read_yaml(folder / "config.yaml")
    overrides = _read_yaml(folder / "overrides.yaml")
    return Run(
        folder,
        name,
        sweep,
        record,
        config if isinstance(config, dict) else {},
        tuple(str(override) for override in overrides) if isinstance(overrides, list) else None,
    )


def _read_yaml(path: Path) -> Any:
    if not path.is_file():
        return None
    try:
        return OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FacestabError(f"{path}: cannot be read as YAML ({str(error).splitlines()[0]})") from error
