"""Commands in processes of their own, forked from a server that has imported everything: it saves ten seconds each."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "tests.forked",
        "facestab.run",
        "facestab.report.page",
        "segmentation_models_pytorch",
        "albumentations",
        "timm",
        "torchvision.models",
        "torch._dynamo",
        "wandb",
    ]
)


def start(
    arguments: Sequence[str],
    cwd: Path,
    printed: Sequence[str] = ("printed.txt", "printed.txt"),
    module: str = "facestab.run",
    environment: Mapping[str, str] | None = None,
) -> multiprocessing.process.BaseProcess:
    """`python -m MODULE ARGUMENTS` in a process that is at work when this returns.

    Args:
        arguments: of the command.
        cwd: where it runs.
        printed: files to which its two streams are added, in `cwd`.
        module: what is run.
        environment: all of it; None: the server's.
    """
    process = _context.Process(target=_command, args=(list(arguments), cwd, printed, module, environment))
    process.start()
    return process


def _command(
    arguments: list[str], cwd: Path, printed: Sequence[str], module: str, environment: Mapping[str, str] | None
) -> None:
    # the server's way of starting processes is inherited; loaders start theirs as a command's would
    multiprocessing.set_start_method("fork", force=True)
    os.chdir(cwd)
    for stream, name in enumerate(printed, start=1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    # read when torch is imported, which it has been
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    # as -m does
    sys.path.insert(0, str(cwd))
    sys.argv = [module, *arguments]
    if module == "facestab.run":
        # what stands at its end; run as __main__ it would come a second time, after itself
        from facestab.run import main

        main()
    else:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
