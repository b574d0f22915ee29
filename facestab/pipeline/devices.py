"""Whether the devices that the `trainer` group asks for are there, before a run begins and clears its folder."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from omegaconf import DictConfig

from facestab.build import resolved
from facestab.errors import SettingError

# on a processor with fewer cores
MAX_PROCESSES = 8


def check_trainer(config: DictConfig) -> None:
    """Refuse devices that are not there, and whatever else Lightning does not take.

    Raises:
        SettingError: naming the setting.
    """
    settings = resolved(config.trainer)
    _check_devices(settings["accelerator"], settings["devices"])
    try:
        Trainer(**settings, logger=False, enable_progress_bar=False, enable_model_summary=False, barebones=False)
    except (MisconfigurationException, ValueError, TypeError, ImportError) as error:
        raise SettingError(f"trainer: {str(error).splitlines()[0]}") from error


def _check_devices(accelerator: Any, devices: Any) -> None:
    num_gpus = torch.cuda.device_count() or int(torch.backends.mps.is_available())
    if accelerator in ("gpu", "cuda", "mps") and not num_gpus:
        raise SettingError(f"trainer.accelerator={accelerator}: no GPU is found here; use trainer=cpu or trainer=auto")
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not num_gpus)
    if not _is_choice(devices, on_cpu):
        remedy = "a whole number of at least 1" if on_cpu else "a number of GPUs, -1 for all, or a list of them"
        raise SettingError(f"trainer.devices must be {remedy}, got {devices}")
    cores = os.cpu_count() or 1
    most = max(cores, MAX_PROCESSES) if on_cpu else num_gpus
    wanted = devices if isinstance(devices, int) else max(int(d) for d in devices) + 1 if devices != "auto" else 1
    if wanted > most:
        held = f"{cores} cores, enough for {most} processes" if on_cpu else f"{num_gpus} GPU{'s' * (num_gpus > 1)}"
        raise SettingError(f"trainer.devices={devices}: there are {held}; ask for fewer")


def _is_choice(devices: Any, on_cpu: bool) -> bool:
    if isinstance(devices, int) and not isinstance(devices, bool):
        return devices >= 1 or (devices == -1 and not on_cpu)
    if on_cpu or not isinstance(devices, Sequence) or isinstance(devices, str):
        return bool(devices == "auto")
    return bool(devices) and all(isinstance(device, int) and device >= 0 for device in devices)
