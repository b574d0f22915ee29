"""What the benches share: works that take turns in one run: a ratio holds when the machine's speed drifts."""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from facestab.build import conf_dir
from facestab.data.synthetic import Clip, Conditions, identity_seed

_LIBRARIES = ("torch", "lightning", "onnxruntime", "openvino", "av", "opencv-python-headless")


RESULTS = Path(__file__).with_name("results.json")


def arguments(doc: str | None, rounds: int) -> argparse.Namespace:
    """The command line of a bench."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--output", type=Path, default=RESULTS)
    return parser.parse_args()


def configuration(*overrides: str) -> DictConfig:
    """The configuration that a command with these overrides would have."""
    OmegaConf.register_new_resolver("len", len, replace=True)
    os.environ.setdefault("FACESTAB_NAME", "bench")
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return compose("config", overrides=list(overrides))


def clip(size: int, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames (T, H, W, 3) and true labels (T, H, W) of a synthetic clip, uint8."""
    world = Clip(identity_seed("train", 0), 0, num_frames=num_frames, size=size, conditions=Conditions.video())
    frames = [world.frame(t) for t in range(num_frames)]
    return np.stack(frames), np.stack([world.labels(t) for t in range(num_frames)])


def seconds_per_unit(work: Callable[[], int]) -> float:
    """Wall time of a call, by the number of units that it says it did."""
    start = time.perf_counter()
    count = work()
    return (time.perf_counter() - start) / count


def take_turns(works: Mapping[str, Callable[[], int]], rounds: int, warm: bool = False) -> list[dict[str, float]]:
    """Seconds per unit of every work in every round, after one that does not count unless all are warm."""
    if not warm:
        for work in works.values():
            work()
    return [{name: seconds_per_unit(work) for name, work in works.items()} for _ in range(rounds)]


def ratios(rounds: Iterable[Mapping[str, float]], slow: str, quick: str) -> list[float]:
    """How many times as long the first work takes as the second, in every round."""
    return [one[slow] / one[quick] for one in rounds]


def spread(values: Iterable[float], digits: int = 2) -> str:
    """Median and range."""
    known = list(values)
    return f"{statistics.median(known):.{digits}f} [{min(known):.{digits}f}, {max(known):.{digits}f}]"


def machine() -> dict[str, Any]:
    """The processor, what of it there is, and the libraries that use it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    found = {"processor": names[0] if names else platform.machine(), "cores": os.cpu_count()}
    found |= {"threads": torch.get_num_threads(), "gpu": torch.cuda.is_available() and torch.cuda.get_device_name()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def write(output: Path, bench: str, results: Mapping[str, Any]) -> None:
    """Write what a bench found beside what it was found on, and leave what others found as it is."""
    known = json.loads(output.read_text()) if output.exists() else {}
    known[bench] = {"machine": machine(), **results}
    part = output.with_suffix(".part.json")
    part.write_text(json.dumps(known, indent=1) + "\n")
    part.replace(output)
