"""Runs of several processes as a user starts them: one is killed, the work is done again on two machines."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from facestab.data.pseudo import PseudoLabelStore
from facestab.data.teacher import FrameTeacher
from facestab.data.video_folder import VideoFolder
from facestab.nets.weights import ModelCard, save_weights
from facestab.video.sink import VideoSink
from tests.tiny import NET, tiny_net

pytestmark = pytest.mark.slow
# uneven, and more than there are processes
LENGTHS = (300, 4, 9, 5, 7, 3)
COMMAND = ["facestab.run", "stage=label", "ckpt=net.safetensors", "video.source=clips", "pseudo=hard", "name=shared"]


@pytest.fixture
def folder(tmp_path, face11):
    """Weights and clips."""
    save_weights(tmp_path / "net.safetensors", tiny_net(), ModelCard("image", NET, face11.to_dict(), 48))
    rng = np.random.default_rng(0)
    for number, length in enumerate(LENGTHS):
        with VideoSink(tmp_path / "clips" / f"{number}.mkv", 25, codec="ffv1_rgb") as sink:
            for _ in range(length):
                sink.write(rng.integers(0, 256, (48, 64, 3)).astype(np.uint8))
    return tmp_path


def start(module, *arguments, cwd):
    """A command that runs on beside the test."""
    gone = ("FACESTAB_NAME", "LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    environment = {key: value for key, value in os.environ.items() if key not in gone}
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        env={**environment, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def children(pid):
    """Processes that a process has started and that live."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_a_killed_run_ends_with_one_line_and_its_work_is_taken_up_by_two_machines(folder, face11):
    process = start(*COMMAND, "trainer=ddp_cpu", cwd=folder)
    deadline = time.monotonic() + 500
    stores = folder / "runs" / "cache" / "pseudo"
    while not (made := [path for path in stores.glob("*/*.mkv") if ".part" not in path.name]):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (helper,) = children(process.pid)
    os.kill(helper, signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert not (folder / "runs" / "label" / "shared" / "labels.json").exists()
    assert [line for line in said.splitlines() if "process 2 of 2 has gone before its work was done" in line], said
    kept = {path: path.stat().st_mtime_ns for path in made}

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nodes = [
        start(
            "torch.distributed.run", "--nnodes=2", f"--node-rank={rank}", "--nproc-per-node=1",
            "--master-addr=127.0.0.1", f"--master-port={port}",
            "-m", *COMMAND, "trainer=ddp_cpu", "trainer.devices=1", "trainer.num_nodes=2", cwd=folder,
        )
        for rank in (1, 0)
    ]  # fmt: skip
    printed = [node.communicate(timeout=500)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], printed
    # the first process of the first machine alone says what has been done
    assert ["labels: " in text for text in printed] == [False, True]
    assert "CPU x 2" in printed[1]
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in kept.items())

    listed = json.loads((folder / "runs" / "label" / "shared" / "labels.json").read_text())["videos"]
    assert sorted(listed) == [str(number) for number in range(len(LENGTHS))]
    alone = PseudoLabelStore(str(folder / "alone"), tiny_net(), 48, FrameTeacher(face11), face11)
    items = VideoFolder(str(folder / "clips")).split("all")
    alone.fill(items, torch.device("cpu"))
    for item in items:
        shared = folder / "runs" / "label" / "shared" / listed[item.id]["labels"]
        assert shared.read_bytes() == alone.path(item).read_bytes()
