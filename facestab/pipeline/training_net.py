"""How the network of a training is run: settings that change its time and memory, and its result within rounding."""

import torch
import torch._functorch.config
from omegaconf import DictConfig

from facestab.errors import SettingError
from facestab.nets.checkpointing import checkpoint_gradients
from facestab.nets.segnet import SegNet


def check_training_net(config: DictConfig) -> None:
    """Refuse what cannot be, and `compile` where torch.compile does not work.

    Raises:
        SettingError: naming the setting.
    """
    for key in ("compile", "gradient_checkpointing"):
        if not isinstance(config[key], bool):
            raise SettingError(f"{key} must be true or false, got {config[key]}")
    if not config.compile:
        return
    if config.gradient_checkpointing:
        raise SettingError("compile=true chooses by itself what is computed again; leave gradient_checkpointing out")
    try:
        torch.compile(torch.neg)(torch.ones(2))
    except Exception as error:
        # whatever is missing, a C++ compiler most of all, torch has an error of its own for
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SettingError(f"compile=true: torch.compile does not work here ({reason}); leave it out") from error


def prepare_training_net(config: DictConfig, net: SegNet) -> SegNet:
    """The network as `compile` and `gradient_checkpointing` ask for it; its weights keep their names."""
    if config.gradient_checkpointing:
        checkpoint_gradients(net)
    if config.compile:
        # the norms of single parts of a loss are gradients, too, so that a graph goes backward more than once
        torch._functorch.config.donated_buffer = False
        net.compile()
    return net
