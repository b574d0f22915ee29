"""stage=export: a finished network for other runtimes, and proof that it says the same there."""

import json
import logging
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from rich.table import Table

from facestab.data.synthetic import Clip, Conditions, identity_seed
from facestab.engines.base import Engine, EngineKind
from facestab.engines.eager import TorchKind
from facestab.engines.graph import write_onnx
from facestab.engines.onnx_net import OnnxNet
from facestab.engines.ort import OnnxRuntimeKind
from facestab.engines.vino import OpenVinoKind
from facestab.errors import FacestabError
from facestab.functional.flicker import aba_mask
from facestab.nets.inference import argmax_labels, frame_batches
from facestab.nets.weights import load_model, save_weights
from facestab.pipeline.folder import is_main_process, open_run
from facestab.table import print_table

log = logging.getLogger(__name__)
NUM_FRAMES, BATCH = 24, 8
# share of the pixels whose labels must agree with torch's in float32, and how far ABA flicker may be apart
AGREEMENT, ABA_APART = 0.999, 0.0005
CPU = torch.device("cpu")


def run_export(config: DictConfig, folder: Path, overrides: list[str]) -> None:
    """Write model.safetensors, model.onnx and parity.json.

    Raises:
        FacestabError: when the ONNX file does not say what the network says.
    """
    net, card = load_model(Path(config.ckpt), config.allow_targets)
    net.eval()
    size = config.size or card.size
    open_run(folder, config, overrides)
    if not is_main_process():
        return
    save_weights(folder / "model.safetensors", net, card)
    write_onnx(net, folder / "model.onnx", size, card)
    frames_NHWC = synthetic_frames(size)
    exported = OnnxNet(folder / "model.onnx")
    kinds: list[EngineKind] = [
        OnnxRuntimeKind(config.paths.cache),
        *(OpenVinoKind(config.paths.cache, precision) for precision in ("float32", "bfloat16")),
    ]
    engines = {"torch": TorchKind().make(net, frames_NHWC[:BATCH], CPU, nullcontext)}
    for kind in kinds:
        try:
            engines[kind.name] = kind.make(exported, frames_NHWC[:BATCH], CPU, nullcontext)
        except FacestabError as error:
            log.info("parity: %s is left out: %s", kind.name, error)
    found = parity(engines, frames_NHWC)
    (folder / "parity.json").write_text(json.dumps({"size": size, "frames": NUM_FRAMES, "engines": found}, indent=1))
    _print(found)
    worst = found["onnxruntime"]
    if worst["agreement"] < AGREEMENT or worst["aba_apart"] > ABA_APART:
        raise FacestabError(
            f"{folder / 'model.onnx'}: says otherwise than the network on {100 * (1 - worst['agreement']):.2f}% of the "
            "pixels of a synthetic clip; do not use it"
        )
    print(f"exported: {folder / 'model.onnx'}, {folder / 'model.safetensors'}")


def synthetic_frames(size: int) -> np.ndarray:
    """A clip of the synthetic world, uint8 (T, size, size, 3)."""
    world = Clip(identity_seed("test", 0), 0, num_frames=NUM_FRAMES, size=size, conditions=Conditions.video())
    return np.stack([world.frame(t) for t in range(NUM_FRAMES)])


def parity(engines: Mapping[str, Engine], frames_NHWC: np.ndarray) -> dict[str, dict[str, float]]:
    """How close engines come to the first of them, by name.

    Returns:
        `agreement`, the share of equal labels, and `aba_apart`, the difference of the shares of pixels that flip away
        and back.
    """
    labels = {
        name: np.concatenate([argmax_labels(engine(batch)) for batch in frame_batches(frames_NHWC, BATCH)])
        for name, engine in engines.items()
    }
    expected_NHW = next(iter(labels.values()))
    flicker = {name: aba_mask(torch.from_numpy(ids))[0].float().mean().item() for name, ids in labels.items()}
    reference = next(iter(flicker.values()))
    return {
        name: {"agreement": float((ids == expected_NHW).mean()), "aba_apart": abs(flicker[name] - reference)}
        for name, ids in labels.items()
    }


def _print(found: Mapping[str, Mapping[str, float]]) -> None:
    table = Table()
    for heading in ("engine", "equal labels [%]", "ABA apart [% of pixels]"):
        table.add_column(heading, justify="left" if heading == "engine" else "right")
    for name, values in found.items():
        table.add_row(name, f"{100 * values['agreement']:.3f}", f"{100 * values['aba_apart']:.4f}")
    print_table(table)
