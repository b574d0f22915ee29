"""`python -m facestab.run stage=...`: compose, check, build, run. The only Hydra entry."""

import hashlib
import logging
import os
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
from PIL import Image
from yaml import YAMLError  # type: ignore[import-untyped]

from facestab.build import conf_dir
from facestab.errors import FacestabError, SettingError
from facestab.peers import PEERS
from facestab.pipeline.audit import run_audit
from facestab.pipeline.command import readable
from facestab.pipeline.environment import NAME_VARIABLE
from facestab.pipeline.evaluate import run_evaluate
from facestab.pipeline.explain import explain
from facestab.pipeline.export import run_export
from facestab.pipeline.folder import is_main_process
from facestab.pipeline.image import run_image
from facestab.pipeline.label import run_label
from facestab.pipeline.launch import check_named
from facestab.pipeline.predict import run_predict
from facestab.pipeline.settings import check_settings
from facestab.pipeline.stop import Stopped, stop_on_signals
from facestab.pipeline.sweep import write_sweep
from facestab.pipeline.temporal import run_temporal
from facestab.pipeline.unfinished import alone_in, find_unfinished, read_unfinished
from facestab.pipeline.warned_once import WarnedOnce

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
# those that go on where they were killed
RESUMED = ("image", "temporal", "predict", "label")
# what composing a configuration raises; text that is no UTF-8, and nesting without an end
_MISTAKES = (
    *(FacestabError, HydraException, OmegaConfBaseException, OSError, YAMLError, UnicodeDecodeError),
    RecursionError,
)
_warned = WarnedOnce()
_failures: list[str] = []
_stopped: list[Path] = []
_default = ""
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
        with PEERS, alone_in(folder) if config.stage in RESUMED and is_main_process() else nullcontext():
            STAGES[config.stage](config, folder, list(job.overrides.task))
    except Stopped:
        _stopped.append(folder)
        remove_if_empty(folder)
        raise
    except Exception as error:
        text = explain(error)
        if text is None:
            raise
        _failures.append(f"facestab: error: {text}")
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
        handler.addFilter(_warned)
        root.addHandler(handler)
    # a sweep's next job
    _warned.forget()
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # what Lightning advises for large machines is noise on small ones
    warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*log_every_n_steps.*")
    warnings.filterwarnings("ignore", message=".*Experiment logs directory.*")
    # a large photograph is no attack; what is larger than that is refused
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


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


# here, where the processes that a launcher starts come by, too
OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)


def is_search_wanted(name: str, resume: str) -> bool:
    """Whether the name says nothing but when the command was started."""
    return resume == "auto" and name == _default and is_main_process()


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
        try:
            check_named(sys.argv[1:])
        except SettingError as error:
            sys.exit(f"facestab: error: {error}")
        # children of a distributed run inherit it, so that all processes agree on the folder
        _default = os.environ[NAME_VARIABLE] = default_name(sys.argv[1:], datetime.now())
    _pids.append(os.getpid())
    # Hydra would print its own, longer error and end the process
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    entry = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(run_stage)
    _failures.clear()
    try:
        sys.argv[1:] = readable(sys.argv[1:])
        with stop_on_signals():
            entry()
    except _MISTAKES as error:
        sys.exit(f"facestab: error: {explain(error)}")
    except Stopped as stopped:
        sys.exit(last_words(stopped))
    sys.exit(1 if _failures else 0)


if __name__ == "__main__":
    # under its own name: launchers that send jobs elsewhere send what lies in __main__ with all that it refers to
    from facestab.run import main as run_main

    run_main()
