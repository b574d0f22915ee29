"""Processes that somebody else has started."""

import pytest

from facestab.errors import SettingError
from facestab.pipeline.folder import is_main_process
from facestab.pipeline.launch import check_launch, check_named, launched_processes

VARIABLES = (
    *("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"),
    *("SLURM_PROCID", "SLURM_NTASKS", "SLURM_JOB_NAME"),
)
TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "4", "RANK": "1", "LOCAL_RANK": "1"}
SRUN = {"SLURM_NTASKS": "4", "SLURM_PROCID": "1", "SLURM_JOB_NAME": "train"}


@pytest.fixture
def started(monkeypatch):
    """Sets the variables that a launcher sets, and no others."""

    def set_variables(variables):
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, True),
        # torchrun on the second of two machines
        ({"RANK": "2", "LOCAL_RANK": "0", "GROUP_RANK": "1"}, False),
        ({"RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0"}, True),
        # a helper that Lightning has started, inside an interactive job
        ({"LOCAL_RANK": "1", "SLURM_PROCID": "0"}, False),
        # Lightning's launcher on the second machine, before and after it has said LOCAL_RANK
        ({"NODE_RANK": "1"}, False),
        ({"NODE_RANK": "1", "LOCAL_RANK": "0"}, False),
        ({"NODE_RANK": "0", "LOCAL_RANK": "0"}, True),
        ({"SLURM_PROCID": "0"}, True),
        ({"SLURM_PROCID": "3"}, False),
    ],
)
def test_one_process_of_all_machines_writes_records(started, variables, expected):
    started(variables)
    assert is_main_process() == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, 0), (TORCHRUN, 4), (SRUN, 4), ({"WORLD_SIZE": "2", "LOCAL_RANK": "1"}, 0)],
)
def test_processes_of_torchrun_and_srun_are_counted_and_those_of_lightning_are_not(started, variables, expected):
    started(variables)
    assert launched_processes() == expected


@pytest.mark.parametrize("variables", [TORCHRUN, SRUN])
def test_other_numbers_of_processes_and_stages_of_one_process_are_refused(started, variables, compose_config):
    started(variables)
    clip = ["stage=predict", "ckpt=x", "video.source=x"]
    with pytest.raises(SettingError, match=r"make 1 processes, and torchrun or srun has started 4"):
        check_launch(compose_config(*clip, "trainer=auto"))
    with pytest.raises(SettingError, match=r"make 2 processes"):
        check_launch(compose_config(*clip, "trainer=ddp_cpu"))
    check_launch(compose_config(*clip, "trainer=ddp_cpu", "trainer.devices=4"))
    check_launch(compose_config(*clip, "trainer=ddp_cpu", "trainer.num_nodes=2"))
    check_launch(compose_config(*clip, "trainer=ddp"))
    with pytest.raises(SettingError, match=r"stage=evaluate runs in one process, and 4 were started"):
        check_launch(compose_config("stage=evaluate", "masks=x", "video.source=x"))


def test_several_processes_need_a_name(started):
    started(TORCHRUN)
    with pytest.raises(SettingError, match=r"add name="):
        check_named(["stage=image"])
    check_named(["stage=image", "name=mine"])
    started({})
    check_named(["stage=image"])
