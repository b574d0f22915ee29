"""The smallest settings with which every part still does its work, and how a user's command is run."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from facestab.nets.smp import SmpNet
from facestab.run import main
from tests.forked import start

# what stands beside every result, in the order of every table
SMOOTHED_ROWS = ["blend_0.9", "ema_0.3", "ema_0.5", "ema_0.7", "flow_ema_0.5", "flow_ema_0.8"]
CONTROL_ROWS = ["frozen", "background", "image", *SMOOTHED_ROWS, "vote_5"]
STABILIZED_ROWS = ["frozen", "background", "image", "continued", *SMOOTHED_ROWS, "vote_5", "finetuned", "stabilized"]
TEMPORAL_ROWS = ["truth", *STABILIZED_ROWS[:-3], "recurrent", *STABILIZED_ROWS[-3:]]
IMAGE = [
    "net=tiny",
    "size=48",
    "data.batch_size=8",
    "data.num_workers=0",
    "data.dataset.num_train=16",
    "data.dataset.num_val=8",
    "data.dataset.num_test=8",
    "image.max_epochs=2",
]
TEMPORAL = [
    *IMAGE,
    "video.num_frames=6",
    "video.num_train=2",
    "video.num_val=1",
    "video.num_test=3",
    "temporal.max_epochs=1",
    "temporal.pairs.num_workers=0",
    "temporal.pairs.batch_size=4",
    "recurrent.max_epochs=1",
    "recurrent.windows.window=4",
    "recurrent.windows.batch_size=2",
    "recurrent.windows.num_workers=0",
]


LONGEST_S = 400

NET = {
    "_target_": "facestab.nets.smp.SmpNet",
    "architecture": "unet",
    "encoder": "tu-test_resnet",
    "num_classes": 11,
    "options": {"encoder_depth": 4, "decoder_channels": [32, 24, 16, 8]},
}


def tiny_net(seed: int = 0, num_classes: int = 11) -> SmpNet:
    """The smallest network, the same for the same seed."""
    torch.manual_seed(seed)
    return SmpNet("unet", "tu-test_resnet", num_classes, options=NET["options"])


def facestab(*arguments: str, cwd: Path, module: str = "facestab.run") -> subprocess.CompletedProcess[str]:
    """Runs `python -m facestab.run ...` as a user would, from another folder, in a process of its own."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("FACESTAB_NAME", "LOCAL_RANK", "RANK")}
    environment = {**inherited, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", module, *arguments]
    if any(argument.startswith("trainer=ddp") for argument in arguments):
        # it starts the others as it was started
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    with tempfile.TemporaryDirectory() as name:
        printed = [str(Path(name, stream)) for stream in ("out", "err")]
        process = start(arguments, cwd, printed, module, environment)
        process.join(LONGEST_S)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(command, LONGEST_S)
        said = [Path(path).read_text() for path in printed]
        return subprocess.CompletedProcess(command, process.exitcode, *said)


def mistake(*arguments: str, cwd: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The one line with which a command ends that cannot be done; run here, which saves the time of importing torch.

    What commands do in processes of their own is tested beside it.
    """
    monkeypatch.chdir(cwd)
    monkeypatch.setattr(sys, "argv", ["facestab.run", *arguments])
    monkeypatch.setenv("FACESTAB_NAME", "mistake")
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    # a string is what the interpreter prints before it exits with 1
    text = printed.err if isinstance(ended.value.code, int) else f"{printed.err}{ended.value.code}"
    assert ended.value.code not in (0, None)
    lines = [line for line in text.splitlines() if line.startswith("facestab: error:")]
    assert len(set(lines)) == 1, text
    assert "Traceback" not in printed.out + text
    return lines[0]


def peak_memory_kib(*arguments: str, cwd: Path) -> int:
    """The most memory of its own that a command holds, sampled until it succeeds.

    Pages of mapped files are left out: how much of torch's libraries is resident is the system's choice.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "facestab.run", *arguments],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = 0
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                peak = max(peak, int(line.split()[1]))
        time.sleep(0.05)
    assert process.returncode == 0
    return peak


def succeed(*arguments: str, cwd: Path, module: str = "facestab.run") -> str:
    """The same, and what it printed; fails the test when the command fails."""
    done = facestab(*arguments, cwd=cwd, module=module)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout + done.stderr
