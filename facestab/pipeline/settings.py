"""Checks of the settings that everybody turns, before anything is built."""

import math

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from facestab.errors import SettingError
from facestab.pipeline.launch import check_launch, launched_processes

# key, smallest value, whether it must be whole
NUMBERS = (("w", 0, False), ("threshold", 0, False), ("seed", 0, True), ("size", 16, True))


def check_settings(config: DictConfig) -> None:
    """Refuse numbers that cannot be, and several devices in a sweep.

    Raises:
        SettingError: naming the key and the value.
    """
    for key, low, whole in NUMBERS:
        value = config.get(key)
        if value is None:
            continue
        kind = "a whole number" if whole else "a finite number"
        fits = isinstance(value, (int,) if whole else (int, float)) and not isinstance(value, bool)
        if not fits or not math.isfinite(value) or value < low:
            raise SettingError(f"{key} must be {kind} of at least {low}, got {value}")
    if config.stage in ("evaluate", "audit"):
        _refuse_trainer(config.stage)
    check_launch(config)
    is_sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    if is_sweep and config.trainer.devices != 1 and not launched_processes():
        raise SettingError(
            f"a sweep runs one device a job, got trainer.devices={config.trainer.devices}: the processes of a "
            "distributed job would each start the whole sweep again; run the points one by one instead"
        )


def _refuse_trainer(stage: str) -> None:
    """The trainer group belongs to all other stages, so that composition does not refuse it."""
    overrides = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    given = [override for override in overrides if override.lstrip("+").startswith(("trainer=", "trainer."))]
    if given:
        raise SettingError(f"stage={stage} trains nothing and has no use for '{given[0]}'; leave it out")
