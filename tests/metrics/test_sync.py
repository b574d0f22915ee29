"""Two processes that each see some of the videos must report what one process with all of them reports."""

import json
from datetime import timedelta

import pytest
import torch

from tests.metrics.cases import CASES, states, values

# the second process sees no video long enough to count, and more updates
SHARES = {0: [(6, 0), (4, 1), (9, 2)], 1: [(5, 3), (0, 4), (1, 5), (3, 6)]}


def fill(name, videos):
    metric = CASES[name].make()
    for num_frames, seed in videos:
        metric.update(*CASES[name].video(num_frames, seed))
    return metric


def report(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    metrics = {name: fill(name, SHARES[rank]) for name in CASES}
    own = {name: states(metric) for name, metric in metrics.items()}
    synced = {name: values(metric) for name, metric in metrics.items()}
    kept = all(states(metric) == own[name] for name, metric in metrics.items())
    (folder / f"{rank}.json").write_text(json.dumps({"values": synced, "kept": kept}))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_synced_values_equal_those_of_one_process(tmp_path):
    torch.multiprocessing.spawn(report, args=(tmp_path,), nprocs=2)
    expected = {name: values(fill(name, SHARES[0] + SHARES[1])) for name in CASES}
    for rank in (0, 1):
        got = json.loads((tmp_path / f"{rank}.json").read_text())
        assert got == {"values": expected, "kept": True}
