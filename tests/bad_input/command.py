"""A command on bad input, run in this process: its exit code and what it said."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from facestab.run import main

PREFIX = "facestab: error: "
# what only a finished run or video has
FINISHED = {"metrics.json", "weights.safetensors", "labels.mkv", "overlay.mp4", "compare.mp4", "labels.json"}


class Ended(NamedTuple):
    """How a command ended.

    Attributes:
        code: for the shell.
        error: the line that says what is wrong, "" where there is none.
        text: all that went to both streams.
    """

    code: int
    error: str
    text: str


Command = Callable[..., Ended]


@pytest.fixture
def command(tmp_path, monkeypatch, capsys) -> Command:
    """Runs the command line in the test's folder, without a process of its own: that saves importing torch."""

    def run(*arguments: str) -> Ended:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["facestab.run", *arguments])
        monkeypatch.setenv("FACESTAB_NAME", "run")
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code, text = ended.value.code, printed.out + printed.err
        if isinstance(code, str):
            # the interpreter prints it and exits with 1
            code, text = 1, f"{text}{code}\n"
        errors = list(dict.fromkeys(line for line in text.splitlines() if PREFIX in line))
        assert len(errors) <= 1
        assert "Traceback" not in text
        return Ended(int(code or 0), errors[0].removeprefix(PREFIX) if errors else "", text)

    return run


def refuses(ended: Ended, folder: Path, message: str) -> None:
    """The command ended with 1 and this line, and left nothing that looks finished."""
    assert ended.error == message
    assert ended.code == 1
    assert [path for path in folder.glob("runs/**/*") if path.name in FINISHED] == []
