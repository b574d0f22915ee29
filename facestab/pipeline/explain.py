"""What goes wrong through no fault of the program, in one line: what it is, and what to do."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

import cv2
import torch
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from facestab.errors import FacestabError

# how torch, OpenCV, NumPy and CUDA say it; what a loader's process raises comes as text only
_NO_MEMORY = ("can't allocate memory", "Insufficient memory", "Unable to allocate", "out of memory", "bad allocation")


def explain(error: BaseException) -> str | None:
    """One line for the user, or None for what is a bug and deserves its traceback.

    Args:
        error: what a run or the composition of its settings raised.
    """
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return _of_settings(error)
    if isinstance(error, (FacestabError, YAMLError, UnicodeDecodeError, RecursionError)):
        return _flat(without_traceback(str(error)))
    if is_out_of_memory(error):
        return _of_memory(str(error))
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, MisconfigurationException):
        return _flat(f"trainer: {error}")
    if isinstance(error, RuntimeError) and re.search(r"DataLoader worker .*killed by signal", str(error)):
        return "a loader's process was killed, mostly for want of memory; use fewer data.num_workers or a smaller batch"
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was asked for that is not there, by whichever library."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, (RuntimeError, cv2.error)) and any(text in str(error) for text in _NO_MEMORY)


def without_traceback(message: str) -> str:
    """The message itself: an error of a loader's worker arrives with the worker's traceback around it."""
    if not message.startswith("Caught "):
        return message
    lines = message.splitlines()
    raised = [i for i, line in enumerate(lines) if line.startswith("facestab.errors.")]
    return "\n".join(lines[raised[-1] :]).partition(": ")[2] if raised else message


def _flat(text: str) -> str:
    return " ".join(text.split())


def _of_memory(text: str) -> str:
    amount = re.search(r"allocate (\d+ bytes|[\d.]+ [KMGTP]iB)", text)
    wanted = f", {amount[1]} were wanted at once" if amount else ""
    return f"out of memory{wanted}; use a smaller size or batch_size, or fewer processes"


def _of_system(error: OSError) -> str:
    if error.filename is None or error.strerror is None:
        return _flat(without_traceback(str(error)))
    return f"{error.filename}: {error.strerror.lower()}; check the path, and what you may read and write there"


def _of_settings(error: Exception) -> str:
    """One line of Hydra's or OmegaConf's several."""
    text = _flat(str(error))
    if isinstance(error, OverrideParseException):
        return f"{error.override}: cannot be read as a setting{quoting(error.override)}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        return f"there is no {group}={name.removesuffix('.yaml')}{_choose(name, error.options or ())}"
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is needed: add {error.full_key}=... to the command"
    ambiguous = re.match(r"Ambiguous value for argument '(.*?)' 1\. ", text)
    if ambiguous:
        return f"{ambiguous[1]}: several values need -m, a list needs [ ]{quoting(ambiguous[1])}"
    needed = re.match(r"You must specify '([^']+)', .*Available options: (.*)", text)
    if needed:
        return f"{needed[1]} is needed: add {needed[1]}=NAME{_choose('', needed[2].split())}"
    unknown = re.match(r"Could not override '([^']+)'", text)
    if unknown:
        return _unknown(unknown[1], error)
    return re.sub(r" full_key: (\S+)( object_type=\S+)?$", r" (\1)", text)


def quoting(override: str) -> str:
    """How a value is written that holds what means something else in a setting."""
    key, equals, value = override.partition("=")
    if not equals:
        return "; settings are written as key=value"
    inner = value.strip("'\"").replace("'", "\\'")
    return f"""; a text with other signs than letters stands in quotes: "{key}='{inner}'\""""


def _unknown(key: str, error: Exception) -> str:
    """There is no such setting; which one may be meant, where the configuration knows one like it."""
    node = getattr(error.__cause__, "parent_node", None)
    near = get_close_matches(key.rpartition(".")[2], [str(k) for k in node] if node is not None else [], 1)
    hint = f"; is {'.'.join([*key.split('.')[:-1], near[0]])} meant?" if near else ";"
    return f"this stage has no setting '{key}'{hint} add --cfg job to the command to see those it has"


def _choose(name: str, options: Iterable[str]) -> str:
    near = get_close_matches(name, options, 1)
    return f"; {f'is {near[0]} meant? ' if near else ''}choose one of {', '.join(options)}"
