"""Watches over the other processes of a distributed run while a trainer works."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from facestab.peers import PEERS


class PeerWatch(Callback):
    """Has this process join the others as soon as they can be reached; see `Peers`.

    Args:
        folder: of the run, on which all must agree.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Meet the others, if there are any.

        Raises:
            FacestabError: when they are about to do something else: one may find finished what another does not.
        """
        PEERS.join(trainer.global_rank, trainer.world_size)
        PEERS.agree(f"{stage} {self.folder}")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Interrupted, Lightning kills its helpers: that is no news."""
        if isinstance(exception, KeyboardInterrupt):
            PEERS.leave()
