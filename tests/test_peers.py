"""Several gloo processes: when one ends before its time the others end, too, and say why."""

import multiprocessing
import os
import signal
import sys
import threading
import time

import pytest

from facestab.errors import FacestabError
from facestab.peers import Peers

GONE = "facestab: error: process {} of 3 has gone before its work was done"


def work(rank, folder, what):
    """Joins the others, then does what it is told: works for long, ends well, or fails."""
    import torch.distributed as dist

    sys.stderr = (folder / f"{rank}.err").open("w", buffering=1)
    os.environ["MASTER_ADDR"] = "localhost"
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=3)
    peers = Peers()
    try:
        with peers:
            peers.join(rank, 3)
            peers.agree("the same" if what != "other" else f"plan {rank}")
            (folder / f"{rank}.joined").touch()
            if what == "fail":
                raise FacestabError("its own reason")
            if what == "work":
                # like a loader's worker, which may outlive the process
                if os.fork() == 0:
                    time.sleep(50)
                    os._exit(0)
                time.sleep(100)
            if what == "meet":
                peers.wait()
            if what == "exchange":
                dist.barrier()
    except FacestabError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


@pytest.fixture(scope="module")
def context():
    """Processes that do not import torch one by one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["facestab.peers", "tests.test_peers"])
    return context


def run(context, folder, orders, kill=None):
    """Starts the processes, kills one when all have met, and gives exit codes and what each said."""
    processes = [context.Process(target=work, args=(rank, folder, what)) for rank, what in enumerate(orders)]
    for process in processes:
        process.start()
    if kill is not None:
        deadline = time.monotonic() + 120
        while len(list(folder.glob("*.joined"))) < len(orders):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(processes[kill].pid, signal.SIGKILL)
    for process in processes:
        process.join(40)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    return codes, [(folder / f"{rank}.err").read_text() for rank in range(len(orders))]


@pytest.mark.slow
@pytest.mark.parametrize(("killed", "speaker"), [(0, 1), (2, 0)])
def test_a_killed_process_ends_the_others_wherever_they_are_with_one_line(context, tmp_path, killed, speaker):
    orders = ["work", "exchange", "work"]
    codes, said = run(context, tmp_path, orders, kill=killed)
    assert codes == [-signal.SIGKILL if rank == killed else 1 for rank in range(3)]
    lines = [(rank, line) for rank, text in enumerate(said) for line in text.splitlines() if "facestab" in line]
    assert [(rank, line.startswith(GONE.format(killed + 1))) for rank, line in lines] == [(speaker, True)]
    assert not any("Traceback" in text for text in said)


@pytest.mark.slow
def test_a_process_that_fails_says_why_and_the_others_end_without_a_word(context, tmp_path):
    codes, said = run(context, tmp_path, ["work", "fail", "exchange"])
    assert codes == [1, 1, 1]
    assert "its own reason" in said[1]
    assert not any("facestab" in text or "Traceback" in text for text in said), said


@pytest.mark.slow
def test_a_process_that_is_done_leaves_the_others_at_work(context, tmp_path):
    codes, said = run(context, tmp_path, ["meet", "meet", "meet"])
    assert codes == [0, 0, 0]
    assert not any("facestab" in text for text in said)


@pytest.mark.slow
def test_processes_that_are_about_to_do_different_things_are_stopped(context, tmp_path):
    codes, said = run(context, tmp_path, ["other", "other", "other"])
    assert codes == [1, 1, 1]
    assert "the 3 processes do not agree on what to do, 'plan 0' or 'plan 1'" in said[0]


def test_one_process_has_nobody_to_wait_for():
    with Peers() as peers:
        peers.join(0, 1)
        peers.agree("anything")
        assert not [thread for thread in threading.enumerate() if thread.name == "facestab-peers"]
        peers.wait()
