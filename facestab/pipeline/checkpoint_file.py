"""Checkpoint files: whole or not at all, and a full disk is one clear line."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from facestab.errors import FacestabError


class CheckpointFile(TorchCheckpointIO):
    """Writes beside the checkpoint and renames.

    Lightning 2.6 writes into the system's folder for temporary files and moves from there, which is a copy, and may be
    cut off, wherever that is another disk.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            FacestabError: when there is no room, or the folder cannot be written to; an older checkpoint stays.
        """
        target = Path(path)
        part = target.with_name(f"{target.stem}.part{target.suffix}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            torch.save(checkpoint, part)
            os.replace(part, target)
        except (OSError, RuntimeError) as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or "no space left, or the disk fails"
            remedy = "mend that and start the same command again, which goes on from the last epoch"
            raise FacestabError(f"{target}: cannot be written ({reason}); {remedy}") from error
