"""Training of the recurrent head: clean labels out of damaged frames, over windows of a video."""

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from facestab.baselines.conv_gru import ConvGruHead
from facestab.errors import SettingError
from facestab.functional.losses import cross_entropy
from facestab.nets.segnet import SegNet
from facestab.nets.weights import CARD_KEY, ModelCard
from facestab.types import FrameWindowBatch


class RecurrentTraining(LightningModule):
    """Minimises the cross-entropy of the head's logits over the frames of windows, but the first few.

    The image model sees the damaged frames and is not trained; the labels are those of the frames without damage.

    Args:
        head: what is trained.
        image_net: the network whose probabilities the head corrects; it is not in checkpoints.
        card: goes into every checkpoint.
        optimizer: makes an optimizer from parameters.
        scheduler: makes a schedule from an optimizer and `total_steps`, stepped after every batch; None keeps the rate.
        warm_up: frames at the start of a window that do not count: the head has seen nothing yet.

    Raises:
        SettingError: when warm_up is negative.
    """

    def __init__(
        self,
        head: ConvGruHead,
        image_net: SegNet,
        card: ModelCard,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., Any] | None = None,
        warm_up: int = 2,
    ) -> None:
        super().__init__()
        if warm_up < 0:
            raise SettingError(f"recurrent.warm_up must not be negative, got {warm_up}")
        self.net = head
        self.card = card
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.warm_up = warm_up
        # in a list: a submodule would be trained, saved and wrapped
        self._image_net = [image_net]

    def configure_optimizers(self) -> Any:
        """The optimizer and, when there is one, its schedule."""
        optimizer = self.make_optimizer(self.net.parameters())
        if self.make_scheduler is None:
            return optimizer
        scheduler = self.make_scheduler(optimizer, total_steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Puts the model card beside the tensors."""
        checkpoint[CARD_KEY] = self.card.to_dict()

    def on_fit_start(self) -> None:
        """Brings the image model to where the head is."""
        self._image_net[0].to(self.device).eval()

    def window_loss(self, batch: FrameWindowBatch) -> Tensor:
        """Mean cross-entropy [nats] over the frames of the windows after the warm-up.

        Raises:
            SettingError: when a window is no longer than the warm-up.
        """
        if batch.frames_BTCHW.shape[1] <= self.warm_up:
            raise SettingError(f"recurrent.warm_up must be below the window's length, got {self.warm_up}")
        probs_BTKHW = self._image_probs(batch.frames_BTCHW)
        state, logits = None, []
        for frames_BCHW, probs_BKHW in zip(batch.frames_BTCHW.unbind(1), probs_BTKHW.unbind(1), strict=True):
            logits_BKHW, state = self.net(frames_BCHW, probs_BKHW, state)
            logits.append(logits_BKHW)
        counted_NKHW = torch.cat(logits[self.warm_up :])
        return cross_entropy(counted_NKHW, torch.cat(batch.labels_BTHW[:, self.warm_up :].unbind(1)))

    @torch.no_grad()
    def _image_probs(self, frames_BTCHW: Tensor) -> Tensor:
        output = self._image_net[0](frames_BTCHW.flatten(0, 1))
        found: Tensor = output.logits_BKHW.float().softmax(1).unflatten(0, frames_BTCHW.shape[:2])
        return found

    def training_step(self, batch: FrameWindowBatch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        loss = self.window_loss(batch)
        self.log("train/loss_step", loss.detach())
        self._log_epoch("train/loss", loss, batch)
        return loss

    def validation_step(self, batch: FrameWindowBatch, batch_idx: int) -> None:
        """The loss of one batch, logged."""
        self._log_epoch("val/loss", self.window_loss(batch), batch)

    def _log_epoch(self, name: str, loss: Tensor, batch: FrameWindowBatch) -> None:
        size = len(batch.frames_BTCHW)
        self.log(name, loss.detach(), on_step=False, on_epoch=True, sync_dist=True, batch_size=size)
