"""Less memory for going backward: what a block remembers is computed again (Chen et al., arXiv:1604.06174)."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from facestab.nets.segnet import SegNet

_LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def checkpoint_gradients(net: SegNet) -> None:
    """Make a network keep the inputs of its blocks alone while it learns, and compute what is in between again.

    Outputs, gradients and running statistics are those of the network as it was, and so are the names of its weights.
    A block is a module with layers of its own in a list of modules; a part of the network without any is one block.

    Args:
        net: changed in place; nothing changes where no gradients are asked for.
    """
    for block in _blocks(net.module):
        # an attribute of the instance, so that no module gets another name
        block.forward = partial(_run, block, block.forward)


def _blocks(module: nn.Module) -> list[nn.Module]:
    found: list[nn.Module] = []
    for part in module.children():
        inner = _listed(part)
        # a layer alone keeps nothing but its input
        found += inner or ([part] if list(part.children()) else [])
    return found


def _listed(module: nn.Module) -> list[nn.Module]:
    """The outermost blocks in lists of modules."""
    found: list[nn.Module] = []
    for part in module.children():
        is_block = isinstance(module, _LISTS) and list(part.children()) and not isinstance(part, _LISTS)
        found += [part] if is_block else _listed(part)
    return found


def _run(block: nn.Module, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    contexts = nullcontext(), _CountedOnce(block)
    return checkpoint(forward, *args, use_reentrant=False, context_fn=lambda: contexts, **kwargs)


class _CountedOnce:
    """Running statistics stay as they are while a block is computed again: the batch was added to them the first time.

    May be entered again: a graph that is kept goes backward more than once.
    """

    def __init__(self, block: nn.Module) -> None:
        self.norms = [layer for layer in block.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
        self.kept: list[tuple[float | None, torch.Tensor | None]] = []

    def __enter__(self) -> None:
        counts = (layer.num_batches_tracked for layer in self.norms)
        kept = (None if count is None else count.clone() for count in counts)
        self.kept = [(layer.momentum, count) for layer, count in zip(self.norms, kept, strict=True)]
        for layer in self.norms:
            layer.momentum = 0.0

    def __exit__(self, *_: object) -> None:
        for layer, (momentum, count) in zip(self.norms, self.kept, strict=True):
            layer.momentum = momentum
            if count is not None and layer.num_batches_tracked is not None:
                layer.num_batches_tracked.copy_(count)
