"""`python -m facestab.run stage=...`: compose, check, build, run. The only Hydra entry."""

import hashlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from facestab.build import conf_dir
from facestab.errors import FacestabError, SettingError
from facestab.peers import PEERS
from facestab.pipeline.audit import run_audit
from facestab.pipeline.evaluate import run_evaluate
from facestab.pipeline.export import run_export
from facestab.pipeline.folder import is_main_process
from facestab.pipeline.image import run_image
from facestab.pipeline.label import run_label
from facestab.pipeline.launch import check_named
from facestab.pipeline.predict import run_predict
from facestab.pipeline.settings import check_settings
from facestab.pipeline.sweep import write_sweep
from facestab.pipeline.temporal import run_temporal

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
_failures: list[str] = []
# of the process that was typed; jobs may run in others
_pids: list[int] = []


def run_stage(config: DictConfig) -> None:
    """Check the settings and run the stage. A problem that the user can mend becomes one line."""
    job = HydraConfig.get()
    folder = Path(job.runtime.output_dir)
    start_logging()
    if job.mode == RunMode.MULTIRUN:
        log.info("job %s: %s", job.job.num, " ".join(job.overrides.task))
    try:
        check_settings(config)
        with PEERS:
            STAGES[config.stage](config, folder, list(job.overrides.task))
    except (FacestabError, OSError, OmegaConfBaseException) as error:
        text = explain(error) if isinstance(error, OmegaConfBaseException) else without_traceback(str(error))
        _failures.append(f"facestab: error: {' '.join(text.split())}")
        print(_failures[-1], file=sys.stderr)
        remove_if_empty(folder)
        if os.getpid() not in _pids:
            # a launcher runs the job elsewhere, and must know
            raise FacestabError(text) from None
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
    swept = sorted(a for a in arguments if not a.startswith(("-", "hydra.", "name=", "logger")))
    return f"sweep-{hashlib.sha256(' '.join(swept).encode()).hexdigest()[:10]}"


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


def main() -> None:
    """The command line. Exit code 1 when a run could not be done."""
    # children of a distributed run inherit it, so that all processes agree on the folder
    if NAME_VARIABLE not in os.environ:
        try:
            check_named(sys.argv[1:])
        except SettingError as error:
            sys.exit(f"facestab: error: {error}")
        os.environ[NAME_VARIABLE] = default_name(sys.argv[1:], datetime.now())
    _pids.append(os.getpid())
    # Hydra would print its own, longer error and end the process
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    entry = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(run_stage)
    try:
        entry()
    except (HydraException, OmegaConfBaseException, FacestabError) as error:
        sys.exit(f"facestab: error: {explain(error)}")
    sys.exit(1 if _failures else 0)


if __name__ == "__main__":
    # under its own name: launchers that send jobs elsewhere send what lies in __main__ with all that it refers to
    from facestab.run import main as run_main

    run_main()
