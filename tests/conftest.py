import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["WANDB_MODE"] = "offline"

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from facestab.build import build, conf_dir


@pytest.fixture(autouse=True, scope="session")
def few_threads():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def compose_config():
    """Composes the configuration as the command line does, with `name` and `paths` set."""
    OmegaConf.register_new_resolver("len", len, replace=True)
    os.environ.setdefault("FACESTAB_NAME", "test")

    def make(*overrides):
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            return compose("config", overrides=list(overrides))

    return make


@pytest.fixture(scope="session")
def face11(compose_config):
    return build(compose_config("stage=image").labels)
