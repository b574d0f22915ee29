"""The words of the command line, before Hydra reads them."""

from collections.abc import Sequence
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from facestab.errors import SettingError


def readable(arguments: Sequence[str]) -> list[str]:
    """The same words, with names of files in quotes where Hydra would read something else into them.

    `video.source=clip (1).mp4` has brackets, `ckpt=a=b.ckpt` a second equals sign, and a comma would be a sweep. What
    is no file or folder stays as it is, so that every other mistake is still one.

    Raises:
        SettingError: for an option that there is not, or a setting without a name.
    """
    options, unknown = get_args_parser().parse_known_args(list(arguments))
    strange = next((word for word in [*unknown, *options.overrides] if word.startswith(("-", "="))), None)
    if strange is not None:
        raise SettingError(f"there is no option '{strange}'; settings are written as key=value, see --help")
    return [_quoted(word) for word in arguments]


def _quoted(word: str) -> str:
    key, equals, value = word.partition("=")
    if not equals or word.startswith("-") or not _is_path(value) or _reads_as(word, value):
        return word
    text = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{text}'"


def _is_path(value: str) -> bool:
    try:
        return bool(value) and Path(value).exists()
    except (OSError, ValueError):
        return False


def _reads_as(word: str, value: str) -> bool:
    """Whether Hydra takes the value for this text, or for a number that is written so."""
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    if override.is_sweep_override():
        return False
    read = override.value()
    return str(getattr(read, "text", read)) == value or isinstance(read, (int, float))
