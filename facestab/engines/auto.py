"""The fastest engine of those that are installed and give the same labels."""

import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from facestab.engines.base import Engine, EngineKind, Precision
from facestab.engines.eager import TorchKind
from facestab.engines.onnx_net import OnnxNet
from facestab.errors import FacestabError
from facestab.nets.segnet import SegNet
from facestab.nets.weights import weights_hash

log = logging.getLogger(__name__)
_RUNTIMES = ("torch", "onnxruntime", "openvino")
_ROUNDS = 3


class Measured(NamedTuple):
    """What an engine did with some frames.

    Attributes:
        seconds: of the fastest of a few calls.
        agreement: share of the pixels whose label is that of torch in float32.
    """

    seconds: float
    agreement: float


class AutoKind:
    """Measures all kinds on the first frames that come, keeps what it found on disk, and says what it took.

    Args:
        kinds: to choose from, by name; those whose runtime is not installed are left out.
        cache: folder for what was found.
        agreement: share of the pixels whose label must be that of torch in float32.

    Raises:
        ValueError: when agreement is outside 0..1.
    """

    name = "auto"

    def __init__(self, kinds: Sequence[EngineKind], cache: str, agreement: float = 0.999) -> None:
        if not 0 <= agreement <= 1:
            raise ValueError(f"engine.agreement is a share of the pixels from 0 to 1, got {agreement}")
        self.kinds = {kind.name: kind for kind in kinds}
        self.cache = Path(cache) / "engines"
        self.agreement = agreement

    def make(self, net: SegNet, frames_NHWC: np.ndarray, device: torch.device, precision: Precision) -> Engine:
        """See `EngineKind`."""
        about = [_identity(net), list(frames_NHWC.shape), str(device), sorted(self.kinds), self.agreement, _machine()]
        digest = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]
        self.cache.mkdir(parents=True, exist_ok=True)
        path = self.cache / f"choice-{digest}.json"
        with FileLock(path.with_suffix(".lock")):
            found = _read(path)
            if found is None:
                found = self._measure(net, frames_NHWC, device, precision)
                part = path.with_suffix(".part")
                part.write_text(json.dumps({name: one._asdict() for name, one in found.items()}))
                part.replace(path)
        name = self._fastest(found)
        ratios = ", ".join(
            f"{other} {found[TorchKind().name].seconds / one.seconds:.1f} ({100 * one.agreement:.2f}%)"
            for other, one in found.items()
        )
        log.info("engine: %s; frames a second in units of torch's, and share of equal labels: %s", name, ratios)
        return self.kinds[name].make(net, frames_NHWC, device, precision)

    def _fastest(self, found: dict[str, Measured]) -> str:
        able = [name for name in self.kinds if name in found and found[name].agreement >= self.agreement]
        if not able:
            raise FacestabError("engine=auto: none of the engines runs this network; engine=torch says why")
        return min(able, key=lambda name: found[name].seconds)

    def _measure(
        self, net: SegNet, frames_NHWC: np.ndarray, device: torch.device, precision: Precision
    ) -> dict[str, Measured]:
        reference = TorchKind().make(net, frames_NHWC, device, nullcontext)
        expected_NHW = _labels(reference(frames_NHWC))
        engines: dict[str, Engine] = {}
        for name, kind in self.kinds.items():
            try:
                engines[name] = kind.make(net, frames_NHWC, device, precision)
            except FacestabError as error:
                log.info("engine: %s is left out: %s", name, error)
        agreement = {
            name: float((_labels(engine(frames_NHWC)) == expected_NHW).mean()) for name, engine in engines.items()
        }
        times: dict[str, list[float]] = {name: [] for name in engines}
        # in turn, so that another process slows all of them down
        for _ in range(_ROUNDS):
            for name, engine in engines.items():
                start = time.perf_counter()
                engine(frames_NHWC).cpu()
                times[name].append(time.perf_counter() - start)
        return {name: Measured(min(times[name]), agreement[name]) for name in engines}


def _labels(logits_NKHW: Tensor) -> np.ndarray:
    return logits_NKHW.max(1).indices.cpu().numpy()


def _identity(net: SegNet) -> str:
    if isinstance(net, OnnxNet):
        return hashlib.sha256(net.path.read_bytes()).hexdigest()
    return weights_hash(net)


def _machine() -> list[object]:
    return [
        platform.machine(),
        platform.processor(),
        os.cpu_count(),
        torch.get_num_threads(),
        *map(_version, _RUNTIMES),
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _read(path: Path) -> dict[str, Measured] | None:
    try:
        return {name: Measured(**one) for name, one in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        # not there, or not whole
        return None
