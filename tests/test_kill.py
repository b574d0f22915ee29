"""Commands that are killed anywhere go on, lose nothing and do nothing twice; signals end them cleanly."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.forked import start
from tests.killing import differing, kill_again_and_again, snapshot
from tests.tiny import TEMPORAL

pytestmark = pytest.mark.slow

QUICK = ["trainer=cpu", "smoother=none", "flow=none", "inference.write=[labels]", "inference.probabilities=false"]
COMMANDS = {
    # the image model, labels, the temporal stage and prediction
    "temporal": ["stage=temporal", *TEMPORAL, *QUICK, "controls=[]", "temporal.max_epochs=2", "video.num_test=2"],
    "label": ["stage=label", "ckpt=WEIGHTS", "video.source=CLIPS", "pseudo=hard", "write=[labels]", "trainer=cpu"],
    "predict": ["stage=predict", "ckpt=WEIGHTS", "video.source=CLIPS", *QUICK],
}
KILLS = {"temporal": 11, "label": 4, "predict": 5}
SMALL = [setting for setting in TEMPORAL if setting.startswith(("net", "size", "data"))]
IMAGE = ["stage=image", *SMALL, "trainer=cpu"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A folder for every command, in which it has run once and was left alone."""
    home = tmp_path_factory.mktemp("undisturbed")
    for name in COMMANDS:
        (home / name).mkdir()
        assert kill_again_and_again(command(name, home), home / name, 0, np.random.default_rng()).codes == [0]
    return home


def command(name, home):
    """A command that reads the weights and the clips of the temporal stage in this folder."""
    runs = home / "temporal" / "runs"
    clips = next((runs / "cache" / "synthetic").glob("*/test_0000"), runs).parent
    weights = runs / "temporal" / "x" / "weights.safetensors"
    return [a.replace("WEIGHTS", str(weights)).replace("CLIPS", str(clips)) for a in COMMANDS[name]] + ["name=x"]


def test_what_is_killed_at_20_moments_ends_with_the_same_files(undisturbed, tmp_path):
    """Weights, labels, metrics and rows, bit for bit; nothing that looks finished was not."""
    rng = np.random.default_rng(20)
    for name, kills in KILLS.items():
        # a fast machine may be through before it was killed so often: once more, in another folder
        while kills > 0:
            folder = tmp_path / f"{name}{kills}"
            folder.mkdir()
            if name == "temporal":
                # rendering takes longer than all the rest
                rendered = Path("runs", "cache", "synthetic")
                shutil.copytree(undisturbed / name / rendered, folder / rendered)
            story = kill_again_and_again(command(name, undisturbed), folder, kills, rng)
            printed = (folder / "printed.txt").read_text()
            assert story.codes == [0], printed[-3000:]
            assert story.kills > 0
            assert "Traceback" not in printed
            assert differing(undisturbed / name / "runs", folder / "runs") == []
            assert not [path for path in snapshot(folder) if "unfinished" in path]
            kills -= story.kills


def wait_for(folder, pattern, process):
    end = time.monotonic() + 300
    while not any(folder.glob(pattern)):
        assert process.is_alive(), (folder / "printed.txt").read_text()[-3000:]
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "Ctrl-C")])
def test_a_signal_ends_a_sweep_with_a_state_to_go_on_from(tmp_path, number, code, name):
    process = start(["-m", *IMAGE, "image.max_epochs=1000", "seed=0,1"], tmp_path)
    wait_for(tmp_path, "runs/sweeps/*/0/checkpoints/last.ckpt", process)
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == code
    printed = (tmp_path / "printed.txt").read_text()
    (line,) = [line for line in printed.splitlines() if line.startswith("facestab:")]
    assert line.startswith(f"facestab: stopped by {name}; start the same command again to go on, in ")
    assert "Traceback" not in printed
    (job,) = tmp_path.glob("runs/sweeps/*/[0-9]")
    assert torch.load(job / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] >= 0
    assert (job / "unfinished" / "run.json").exists()


def test_the_same_command_without_a_name_goes_on_and_another_one_is_refused(tmp_path):
    process = start([*IMAGE, "image.max_epochs=1000"], tmp_path)
    wait_for(tmp_path, "runs/image/*/checkpoints/last.ckpt", process)
    process.kill()
    process.join()
    (folder,) = [path for path in (tmp_path / "runs" / "image").iterdir() if path.is_dir()]
    again = start([*IMAGE, "image.max_epochs=1000"], tmp_path)
    end = time.monotonic() + 300
    while "going on after epoch" not in (tmp_path / "printed.txt").read_text() and time.monotonic() < end:
        time.sleep(0.05)
    busy = start([*IMAGE, "image.max_epochs=1000", f"name={folder.name}"], tmp_path)
    busy.join(120)
    again.kill()
    again.join()
    assert f"{folder.name}: another process is at work there" in (tmp_path / "printed.txt").read_text()
    assert [path for path in (tmp_path / "runs" / "image").iterdir() if path.is_dir()] == [folder]
    other = start([*IMAGE, "image.max_epochs=3", f"name={folder.name}"], tmp_path)
    other.join(120)
    assert other.exitcode == 1
    assert "holds an unfinished run with other settings" in (tmp_path / "printed.txt").read_text()
    assert (folder / "checkpoints" / "last.ckpt").exists()
    over = start([*IMAGE, "image.max_epochs=1", f"name={folder.name}", "resume=never"], tmp_path)
    over.join(120)
    assert over.exitcode == 0


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own, and what gives it other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    if mount("size=64m"):
        pytest.skip("mounting is not permitted here")
    yield folder, lambda options: mount(f"remount,{options}")
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_or_read_only_disk_is_one_clear_line_and_the_run_goes_on_later(tmp_path, small_disk):
    disk, remount = small_disk
    long = [*IMAGE, "image.max_epochs=1000", "name=x", f"paths.runs={disk}", f"paths.cache={tmp_path}/cache"]
    last = disk / "image" / "x" / "checkpoints" / "last.ckpt"
    for number, options in enumerate(("size=FULL", "ro,size=64m")):
        process = start(long, tmp_path)
        wait_for(disk, "image/x/checkpoints/last.ckpt", process)
        # no room for another checkpoint
        used = sum(path.stat().st_blocks * 512 for path in disk.rglob("*"))
        assert not remount(options.replace("FULL", str(used + 100_000)))
        process.join(120)
        assert process.exitcode == 1
        printed = (tmp_path / "printed.txt").read_text()
        lines = [line for line in printed.splitlines() if line.startswith("facestab: error:")]
        assert len(lines) == number + 1
        assert ("space" in lines[-1]) if number == 0 else ("read-only" in lines[-1].lower())
        assert "Traceback" not in printed
        assert not remount("rw,size=64m")
        assert torch.load(last, weights_only=True)["epoch"] >= 0
    before = (tmp_path / "printed.txt").read_text().count("going on after epoch")
    process = start(long, tmp_path)
    while process.is_alive() and (tmp_path / "printed.txt").read_text().count("going on after epoch") == before:
        time.sleep(0.05)
    assert process.is_alive()
    process.kill()
    process.join()
