"""Checks of the settings that everybody turns, before anything is built."""

import math

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from facestab.data.folder_name import folder_name
from facestab.errors import SettingError
from facestab.pipeline.devices import check_trainer
from facestab.pipeline.environment import check_environment
from facestab.pipeline.launch import check_launch, launched_processes

# key, smallest value, whether it must be whole
NUMBERS = (
    *(("w", 0, False), ("threshold", 0, False), ("seed", 0, True), ("size", 16, True)),
    *(("image.max_epochs", 1, True), ("temporal.max_epochs", 1, True), ("recurrent.max_epochs", 1, True)),
    *(("image.optimizer.lr", 0, False), ("temporal.optimizer.lr", 0, False), ("recurrent.optimizer.lr", 0, False)),
    *(("data.batch_size", 1, True), ("temporal.pairs.batch_size", 1, True), ("recurrent.windows.batch_size", 1, True)),
    *(("consistency.strength", 0, False), ("consistency.balance", 0, False), ("consistency.adjustment", 0, False)),
    *(("consistency.anchor", 0, False), ("temporal.ramp", 0, False), ("temporal.finetuned_share", 0, False)),
    *(("trainer.accumulate_grad_batches", 1, True), ("inference.batch_size", 1, True), ("inference.overlap", 0, True)),
)
# numpy, torch and the sampler take no larger seed
MAX_SEED = 2**32 - 1
# settings that are the path of a file or folder
PATHS = (
    "paths.runs",
    "paths.cache",
    "ckpt",
    "init",
    "teacher",
    "masks",
    "reference",
    "truth",
    "data.root",
    "video.source",
)
OPTIONAL = ("size", "teacher", "reference", "truth")
_ABSENT = object()


def check_settings(config: DictConfig) -> None:
    """Refuse numbers and paths that cannot be, devices that are not there, and several of them in a sweep.

    Raises:
        SettingError: naming the key and the value.
    """
    _check_numbers(config)
    _check_paths(config)
    check_environment(config)
    if config.get("resume", "auto") not in ("auto", "never"):
        raise SettingError(f"resume: auto or never is needed, got {config.resume!r}")
    if config.stage not in ("evaluate", "audit", "export"):
        check_trainer(config)
    if config.stage in ("evaluate", "audit"):
        _refuse(config.stage, "trains nothing and", "trainer=", "trainer.")
    if config.stage in ("evaluate", "audit", "export"):
        _refuse(config.stage, "always starts over and", "resume=")
    check_launch(config)
    is_sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    if is_sweep and config.trainer.devices != 1 and not launched_processes():
        raise SettingError(
            f"a sweep runs one device a job, got trainer.devices={config.trainer.devices}: the processes of a "
            "distributed job would each start the whole sweep again; run the points one by one instead"
        )


def _check_numbers(config: DictConfig) -> None:
    for key, low, whole in NUMBERS:
        value = OmegaConf.select(config, key, default=_ABSENT)
        if value is _ABSENT or (value is None and key in OPTIONAL):
            continue
        kind = "a whole number" if whole else "a finite number"
        fits = isinstance(value, (int,) if whole else (int, float)) and not isinstance(value, bool)
        if not fits or not math.isfinite(value) or value < low:
            raise SettingError(f"{key} must be {kind} of at least {low}, got {value}")
    if config.get("seed", 0) > MAX_SEED:
        raise SettingError(f"seed must be at most {MAX_SEED}, got {config.seed}")


def _check_paths(config: DictConfig) -> None:
    name = str(config.name)
    if config.name is None or folder_name(name) != name:
        raise SettingError(f"name must be usable as a folder's name, got '{name}'; use paths.runs for another place")
    for key in PATHS:
        # also where a setting that is needed is not given: what uses it says so
        value = OmegaConf.select(config, key, default=_ABSENT)
        if value is _ABSENT:
            continue
        # without frames masks can be measured, too, and a camera has a number
        may_be = (value is None and config.stage == "evaluate") or isinstance(value, int)
        if (key == "video.source" and may_be) or (value is None and key in OPTIONAL):
            continue
        if not isinstance(value, str) or not value.strip():
            raise SettingError(f"{key} must be the path of a file or folder, got '{value}'")
        if "://" in value:
            raise SettingError(f"{key}: {value} is an address; download it and give the path of the file")


def _refuse(stage: str, why: str, *prefixes: str) -> None:
    """What belongs to all other stages, so that composition does not refuse it."""
    overrides = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    given = [override for override in overrides if override.lstrip("+").startswith(prefixes)]
    if given:
        raise SettingError(f"stage={stage} {why} has no use for '{given[0]}'; leave it out")
