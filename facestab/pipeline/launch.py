"""Processes that torchrun or srun has started, instead of Lightning."""

import os
from collections.abc import Sequence

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from omegaconf import DictConfig

from facestab.errors import SettingError

# what one process does
ALONE = ("evaluate", "audit", "export")


def launched_processes() -> int:
    """How many processes of this run somebody else has started; 0 when Lightning may start them."""
    if TorchElasticEnvironment.detect():
        return int(os.environ["WORLD_SIZE"])
    return int(os.environ["SLURM_NTASKS"]) if SLURMEnvironment.detect() else 0


def check_named(arguments: Sequence[str]) -> None:
    """Refuse several processes that would name their folder by the time at which each of them was started.

    Raises:
        SettingError: when there are several and nobody gave a name.
    """
    number = launched_processes()
    if number > 1 and not any(argument.startswith("name=") for argument in arguments):
        raise SettingError(f"{number} processes must agree on a folder, and each has its own clock; add name=...")


def check_launch(config: DictConfig) -> None:
    """Refuse processes that would not work together.

    Raises:
        SettingError: when there are more or fewer than the trainer wants, or the stage has use for one alone.
    """
    number = launched_processes()
    if number > 1 and config.stage in ALONE:
        raise SettingError(f"stage={config.stage} runs in one process, and {number} were started")
    devices, nodes = config.trainer.devices, config.trainer.num_nodes
    if number and isinstance(devices, int) and devices > 0 and devices * nodes != number:
        raise SettingError(
            f"trainer.devices={devices} and trainer.num_nodes={nodes} make {devices * nodes} processes, and torchrun "
            f"or srun has started {number}; give the number of each machine's processes, and that of machines"
        )
