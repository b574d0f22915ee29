"""Checks of the settings that everybody turns, before anything is built."""

import math

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from facestab.errors import SettingError

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
    if config.get("resume", "auto") not in ("auto", "never"):
        raise SettingError(f"resume: auto or never is needed, got {config.resume!r}")
    if config.stage in ("evaluate", "audit"):
        _refuse(config.stage, "trains nothing and", "trainer=", "trainer.")
    if config.stage in ("evaluate", "audit", "export"):
        _refuse(config.stage, "always starts over and", "resume=")
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN and config.trainer.devices != 1:
        raise SettingError(
            f"a sweep runs one device a job, got trainer.devices={config.trainer.devices}: the processes of a "
            "distributed job would each start the whole sweep again; run the points one by one instead"
        )


def _refuse(stage: str, why: str, *prefixes: str) -> None:
    """What belongs to all other stages, so that composition does not refuse it."""
    overrides = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    given = [override for override in overrides if override.lstrip("+").startswith(prefixes)]
    if given:
        raise SettingError(f"stage={stage} {why} has no use for '{given[0]}'; leave it out")
