"""Two processes that each see some of the videos must report what one process with all of them reports."""

import json
from datetime import timedelta

import pytest
import torch

from tests.metrics.cases import CASES, states, values

# in the first share the second process sees only short videos and one of middling length, in the other it sees none
SHARES = {
    "uneven": [[(6, 0), (4, 1), (9, 2)], [(5, 3), (0, 4), (1, 5), (3, 6)]],
    "idle": [[(6, 0), (5, 1)], []],
}


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
    found = {}
    for share, videos in SHARES.items():
        metrics = {name: fill(name, videos[rank]) for name in CASES}
        own = {name: states(metric) for name, metric in metrics.items()}
        synced = {name: values(metric) for name, metric in metrics.items()}
        kept = all(states(metric) == own[name] for name, metric in metrics.items())
        found[share] = {"values": synced, "kept": kept}
    (folder / f"{rank}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_synced_values_equal_those_of_one_process(tmp_path):
    torch.multiprocessing.spawn(report, args=(tmp_path,), nprocs=2)
    for share, (first, second) in SHARES.items():
        expected = {name: values(fill(name, first + second)) for name in CASES}
        for rank in (0, 1):
            got = json.loads((tmp_path / f"{rank}.json").read_text())[share]
            assert got == {"values": expected, "kept": True}
