"""`python -m facestab.run stage=...`: compose, check, build, run. The only Hydra entry."""

import hashlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from facestab.build import conf_dir
from facestab.errors import FacestabError
from facestab.pipeline.audit import run_audit
from facestab.pipeline.evaluate import run_evaluate
from facestab.pipeline.export import run_export
from facestab.pipeline.folder import is_main_process
from facestab.pipeline.image import run_image
from facestab.pipeline.label import run_label
from facestab.pipeline.predict import run_predict
from facestab.pipeline.settings import check_settings
from facestab.pipeline.stop import Stopped, stop_on_signals
from facestab.pipeline.sweep import write_sweep
from facestab.pipeline.temporal import run_temporal
from facestab.pipeline.unfinished import alone_in, find_unfinished, read_unfinished

log = logging.getLogger("facestab")

STAGES: dict[str, Callable[[DictConfig, Path, list[str]], None]] = {
    "image": run_image,
    "temporal": run_temporal,
    "predict": run_predict,
    "evaluate": run_evaluate,
    "audit": run_audit,
    "label": run_label,
    "export": run_export,
}
NAME_VARIABLE = "FACESTAB_NAME"
# those that go on where they were killed
RESUMED = ("image", "temporal", "predict", "label")
_failures: list[str] = []
_stopped: list[Path] = []
_default = ""


def run_stage(config: DictConfig) -> None:
    """Check the settings and run the stage. A problem that the user can mend becomes one line."""
    job = HydraConfig.get()
    folder = Path(job.runtime.output_dir)
    start_logging()
    if job.mode == RunMode.MULTIRUN:
        log.info("job %s: %s", job.job.num, " ".join(job.overrides.task))
    try:
        check_settings(config)
        with alone_in(folder) if config.stage in RESUMED and is_main_process() else nullcontext():
            STAGES[config.stage](config, folder, list(job.overrides.task))
    except Stopped:
        _stopped.append(folder)
        remove_if_empty(folder)
        raise
    except (FacestabError, OSError, OmegaConfBaseException) as error:
        text = explain(error) if isinstance(error, OmegaConfBaseException) else without_traceback(str(error))
        _failures.append(f"facestab: error: {' '.join(text.split())}")
        print(_failures[-1], file=sys.stderr)
        remove_if_empty(folder)
    finally:
        if job.mode == RunMode.MULTIRUN and Path(job.sweep.dir).is_dir():
            log.info("sweep: %s", write_sweep(Path(job.sweep.dir)))


def start_logging() -> None:
    """Plain lines on standard error; only from the main process."""
    root = logging.getLogger()
    root.setLevel(logging.INFO if is_main_process() else logging.ERROR)
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        root.addHandler(handler)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # what Lightning advises for large machines is noise on small ones
    warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*log_every_n_steps.*")
    warnings.filterwarnings("ignore", message=".*Experiment logs directory.*")


def remove_if_empty(folder: Path) -> None:
    """Hydra makes the folder before the run knows that it cannot run."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def default_name(arguments: list[str], now: datetime) -> str:
    """The time for a single run; for a sweep what is swept, so that the same command finds what it has done."""
    if not {"-m", "--multirun"} & set(arguments):
        return now.strftime("%Y-%m-%d_%H-%M-%S")
    swept = sorted(a for a in arguments if not a.startswith(("-", "hydra.", "name=", "logger", "resume=")))
    return f"sweep-{hashlib.sha256(' '.join(swept).encode()).hexdigest()[:10]}"


def run_folder(runs: str, name: str, resume: str) -> str:
    """The folder of a single run: where the same command was killed, or a new one.

    Args:
        runs: where runs of the stage lie.
        name: that was typed, or the default.
        resume: the setting.
    """
    if is_search_wanted(name, resume):
        found = find_unfinished(Path(runs), [a for a in sys.argv[1:] if not a.startswith(("-", "hydra."))])
        if found is not None:
            # the setting `name` takes it from there, and so do children of a distributed run
            os.environ[NAME_VARIABLE] = found.name
            return str(found)
    return f"{runs}/{name}"


def is_search_wanted(name: str, resume: str) -> bool:
    """Whether the name says nothing but when the command was started."""
    return resume == "auto" and name == _default and is_main_process()


def without_traceback(message: str) -> str:
    """The message itself: an error of a loader's worker arrives with the worker's traceback around it."""
    if not message.startswith("Caught "):
        return message
    lines = message.splitlines()
    raised = [i for i, line in enumerate(lines) if line.startswith("facestab.errors.")]
    return "\n".join(lines[raised[-1] :]).partition(": ")[2] if raised else message


def explain(error: Exception) -> str:
    """One line of Hydra's or OmegaConf's several, with what to do about it."""
    text = " ".join(str(error).split())
    unknown = re.match(r"Could not override '([^']+)'", text)
    if unknown:
        return f"this stage has no setting '{unknown[1]}'; add --cfg job to the command to see those it has"
    return text


def last_words(stopped: Stopped) -> int:
    """Say that the command was stopped and how to go on; its exit code."""
    if is_main_process():
        left = next((folder for folder in _stopped if read_unfinished(folder) is not None), None)
        again = "start the same command again to go on" + ("" if left is None else f", in {left}")
        print(f"facestab: stopped by {stopped.name}; {again}", file=sys.stderr)
    return int(stopped.code or 1)


def main() -> None:
    """The command line. Exit code 1 when a run could not be done."""
    global _default
    if NAME_VARIABLE not in os.environ:
        # children of a distributed run inherit it, so that all processes agree on the folder
        _default = os.environ[NAME_VARIABLE] = default_name(sys.argv[1:], datetime.now())
    # Hydra would print its own, longer error and end the process
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    OmegaConf.register_new_resolver("len", len, replace=True)
    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
    entry = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(run_stage)
    try:
        with stop_on_signals():
            entry()
    except (HydraException, OmegaConfBaseException) as error:
        sys.exit(f"facestab: error: {explain(error)}")
    except Stopped as stopped:
        sys.exit(last_words(stopped))
    sys.exit(1 if _failures else 0)


if __name__ == "__main__":
    main()
