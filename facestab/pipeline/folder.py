"""A run's folder: who may write into it, and whether its work is done."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facestab.build import resolved
from facestab.errors import FacestabError
from facestab.evaluation.tables import CLASSES_NAME, VIDEOS_NAME
from facestab.pipeline.environment import without_environment
from facestab.pipeline.unfinished import RUN_NAME, Unfinished, read_unfinished, run_lock, write_unfinished
from facestab.record import RECORD_NAME, UNFINISHED_NAME, read_record, write_record

log = logging.getLogger(__name__)
WEIGHTS_NAME = "weights.safetensors"
# what a run writes; removed when it starts over, first of all the record that says it is finished, and what says that
# it can be gone on with
PRODUCTS = (
    *(
        RECORD_NAME,
        f"{UNFINISHED_NAME}/{RUN_NAME}",
        UNFINISHED_NAME,
        VIDEOS_NAME,
        CLASSES_NAME,
        "checkpoints",
        "videos",
    ),
    *(WEIGHTS_NAME, "metrics.csv", "hparams.yaml", "run.log", "wandb"),
)
# settings that change where, how fast and in which colours, not what
INCIDENTAL = {"num_workers", "root", "cache", "backend", "accelerator", "strategy", "enable_progress_bar", "palette"}
# groups and settings that have no part in any result
NO_PART = ("name", "paths", "logger", "resume", "compile", "gradient_checkpointing")
# raised when the same configuration gives another result than before
RECIPE = 1


def is_main_process() -> bool:
    """Whether this is the process that reports, locks and writes records.

    torchrun says RANK, Lightning's own launcher LOCAL_RANK and, on several machines, NODE_RANK, srun SLURM_PROCID.
    """
    said = os.environ
    if "RANK" in said:
        return int(said["RANK"]) == 0
    if "LOCAL_RANK" in said:
        return int(said["LOCAL_RANK"]) == int(said.get("NODE_RANK", "0")) == 0
    return int(said.get("SLURM_PROCID", said.get("NODE_RANK", "0"))) == 0


def fingerprint(parts: dict[str, Any]) -> str:
    """16 hex digits that change with every setting that changes the result.

    Args:
        parts: resolved settings.
    """
    text = json.dumps({"recipe": RECIPE, **_essential(parts)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def settings_of_videos(config: DictConfig) -> dict[str, Any]:
    """What changes the result of a run that trains nothing: how many processes share out the videos does not."""
    settings = {key: value for key, value in resolved(config).items() if key not in NO_PART}
    alone = {key: value for key, value in settings["trainer"].items() if key not in ("devices", "num_nodes")}
    return {**settings, "trainer": alone}


def _essential(node: Any) -> Any:
    if isinstance(node, dict):
        # a root is incidental only for what facestab makes itself; a user's data set is its root
        made = str(node.get("_target_", "")).startswith(("facestab.data.synthetic", "facestab.data.pseudo"))
        skipped = INCIDENTAL if made else INCIDENTAL - {"root"}
        return {key: _essential(value) for key, value in node.items() if key not in skipped}
    if isinstance(node, list):
        return [_essential(value) for value in node]
    return node


def is_finished(folder: Path, digest: str) -> bool:
    """Whether the folder holds the finished run with this fingerprint.

    Raises:
        FacestabError: when it holds another finished run.
    """
    record = read_record(folder)
    if record is None:
        return False
    if record.get("fingerprint") != digest:
        raise FacestabError(f"{folder}: holds a finished run with other settings; choose another name with name=...")
    close_run(folder)
    return True


def open_run(folder: Path, config: DictConfig, overrides: Iterable[str], digest: str | None = None) -> None:
    """Make the folder ready for a run, and write down its configuration.

    A run with the same fingerprint that did not come to its end is gone on with: what it left stays. Everything else
    starts from the beginning. Only the main process does: its helpers start later, when there is something to lose.

    Args:
        folder: of the run.
        config: of the run; `resume: never` starts over.
        overrides: what the user typed.
        digest: the fingerprint of a run that can be gone on with.

    Raises:
        FacestabError: when the folder holds an unfinished run with other settings.
    """
    if not is_main_process():
        return
    begun = read_unfinished(folder) if digest and config.get("resume", "auto") == "auto" else None
    if begun is not None and begun.fingerprint != digest:
        remedy = "choose another name with name=..., or give it up with resume=never"
        raise FacestabError(f"{folder}: holds an unfinished run with other settings; {remedy}")
    if begun is not None:
        log.info("going on with %s", folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in PRODUCTS:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(without_environment(config))))
    (folder / "overrides.yaml").write_text(OmegaConf.to_yaml(list(overrides)))
    if digest:
        write_unfinished(folder, Unfinished(digest, list(overrides), os.getcwd()))


def close_run(folder: Path, record: Mapping[str, Any] | None = None) -> None:
    """Write the record, which says that the run is finished, and forget what was kept to go on with it.

    A run that was killed between the two has its record; it is closed when it is found.
    """
    if record is not None:
        write_record(folder, record)
    shutil.rmtree(folder / UNFINISHED_NAME, ignore_errors=True)


def find_run(runs: Path, digest: str) -> Path | None:
    """A finished run with this fingerprint and its weights, among the folders of `runs`."""
    for path in sorted(runs.glob(f"*/{RECORD_NAME}")):
        record = read_record(path.parent)
        if record is not None and record.get("fingerprint") == digest and (path.parent / WEIGHTS_NAME).is_file():
            return path.parent
    return None


def find_or_train(runs: Path, digest: str, title: str, train: Callable[[Path], None]) -> Path:
    """The folder of a finished run with this fingerprint, trained first when there is none.

    Processes that ask for the same run at the same time train it once: the others wait.

    Args:
        runs: where such runs lie.
        digest: the fingerprint.
        title: what it is, for the log.
        train: makes the run in the folder that it is given.
    """
    folder = runs / f"auto-{digest}"
    # only the main process waits: its own helpers are started inside the training, while it holds the lock
    if not is_main_process():
        return _find_or_train(runs, digest, title, train, folder)
    with run_lock(folder):
        return _find_or_train(runs, digest, title, train, folder)


def _find_or_train(runs: Path, digest: str, title: str, train: Callable[[Path], None], folder: Path) -> Path:
    found = find_run(runs, digest)
    if found is not None:
        close_run(found)
        log.info("%s: %s", title, found)
        return found
    log.info("no %s with these settings in %s: training one", title, runs)
    train(folder)
    return folder
