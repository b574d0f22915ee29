"""The temporal stage: the same network on adjacent frames (patent CN110427899A, S220-S230 and S560-S570)."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from facestab.errors import SettingError
from facestab.functional.diagnostics import feature_std, gradient_norm, mean_abs
from facestab.functional.losses import feature_l1
from facestab.keys import STABILIZED
from facestab.losses import TemporalLoss
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard
from facestab.stages.segmentation import SegmentationStage
from facestab.types import FramePairBatch, ImageBatch, SegOutput, TemporalBatch


@runtime_checkable
class HasClassShare(Protocol):
    """A data module that knows how common each class is."""

    def class_share(self) -> np.ndarray:
        """Each class's share of the labelled pixels, (K,)."""
        ...


class TemporalStage(SegmentationStage):
    """Minimises L = consistency + w (J1 + J2) over pairs of frames; the patent's consistency is L1(f1 - f2).

    Labelled images beside the pairs add their own J, times the loss's `anchor`. Logs the parts of L, and what shows a
    collapse: L1(f1 - f2), the mean of |f|, the standard deviation of f over space, and the ratio of the gradient norms
    of the consistency term and of the rest.

    Args:
        net: see `SegmentationStage`.
        card: see `SegmentationStage`.
        optimizer: see `SegmentationStage`.
        scheduler: see `SegmentationStage`.
        loss: L; None for a stage that only predicts.
        controls: row name to another network, for comparison in prediction: the image model, or one that was fine-tuned
            on the pseudo-labels alone. They are not trained and not in checkpoints.
        freeze_norm: keep the statistics of the normalisation layers: those of pairs are near-duplicates.
        ramp: share of the steps over which the consistency term grows to its full strength, 0 to 1.
        diagnose_every: steps between two measurements of what shows a collapse; the gradient ratio costs two backward
            passes. 0: never.
        frames_per_batch: see `SegmentationStage`.
        frame_size: see `SegmentationStage`.

    Raises:
        SettingError: when diagnose_every is negative, or ramp is outside 0..1.
    """

    def __init__(
        self,
        net: SegNet,
        card: ModelCard,
        optimizer: Callable[..., torch.optim.Optimizer] | None = None,
        scheduler: Callable[..., Any] | None = None,
        loss: TemporalLoss | None = None,
        controls: Mapping[str, SegNet] | None = None,
        freeze_norm: bool = False,
        ramp: float = 0.0,
        diagnose_every: int = 100,
        frames_per_batch: int = 8,
        frame_size: int | None = None,
    ) -> None:
        super().__init__(net, card, optimizer, scheduler, frames_per_batch, frame_size)
        if diagnose_every < 0:
            raise SettingError(f"temporal.diagnose_every must not be negative, got {diagnose_every}")
        if not 0 <= ramp <= 1:
            raise SettingError(f"temporal.ramp is a share of the steps from 0 to 1, got {ramp}")
        self.loss = loss
        self.freeze_norm = freeze_norm
        self.ramp = ramp
        self.diagnose_every = diagnose_every
        # in a dict: a submodule would be trained, saved and wrapped
        self._controls = dict(controls or {})

    @property
    def rows(self) -> dict[str, SegNet]:
        """The controls that are at hand, and the stabilized network."""
        return {**self._controls, STABILIZED: self.net}

    def on_fit_start(self) -> None:
        """Tells the loss how common each class is in the pseudo-labels."""
        data = getattr(self.trainer, "datamodule", None)
        if self.loss is not None and isinstance(data, HasClassShare):
            self.loss.set_class_share(torch.from_numpy(data.class_share()).float().to(self.device))

    def on_train_start(self) -> None:
        """Freezes what is to stay: Lightning leaves every layer in the mode in which it comes."""
        self.train()

    def train(self, mode: bool = True) -> "TemporalStage":
        """As in every module, but for normalisation layers that are frozen."""
        super().train(mode)
        if mode and self.freeze_norm:
            for module in self.net.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def pair_parts(self, pair: FramePairBatch, images: ImageBatch | None = None) -> tuple[dict[str, Tensor], SegOutput]:
        """The named parts of L and the output for the frames; all pictures go through the network in one pass."""
        assert self.loss is not None
        size = pair.frames_BTCHW.shape[:2]
        frames_NCHW = pair.frames_BTCHW.flatten(0, 1)
        num_images = 0 if images is None else images.images_BCHW.flatten(0, 1).shape[0]
        if images is not None and num_images:
            frames_NCHW = torch.cat([frames_NCHW, images.images_BCHW.flatten(0, 1)])
        whole = self.net(frames_NCHW)
        num_frames = size.numel()
        output = SegOutput(*(part[:num_frames] for part in whole))
        first, second = (SegOutput(*(part.unflatten(0, size)[:, t] for part in output)) for t in (0, 1))
        parts = self.loss(first, second, pair, self._ramp())
        if images is not None and num_images:
            image_loss = self.loss.labelled(whole.logits_BKHW[num_frames:], images.flat())
            parts = {**parts, "image_cross_entropy": image_loss, "loss": parts["loss"] + self.loss.anchor * image_loss}
        return parts, output

    def _ramp(self) -> float:
        if not (self.training and self.ramp):
            return 1.0
        return min(1.0, (self.global_step + 1) / (self.ramp * int(self.trainer.estimated_stepping_batches)))

    def training_step(self, batch: TemporalBatch, batch_idx: int) -> Tensor:
        """L of one batch."""
        parts, output = self.pair_parts(batch.pair, batch.images)
        self.log("train/loss_step", parts["loss"].detach())
        named = parts
        if self.diagnose_every and self.global_step % self.diagnose_every == 0:
            diagnosed = self._diagnose(output, batch.pair.frames_BTCHW.shape[:2])
            named = {**parts, **diagnosed, "gradient_ratio": self._gradient_ratio(parts)}
        self.log_parts("train", named, len(batch.pair.frames_BTCHW))
        return parts["loss"]

    def validation_step(self, batch: FramePairBatch | ImageBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """L of a batch of pairs, or the accuracy of a batch of labelled images."""
        if isinstance(batch, ImageBatch):
            self.score_images(batch)
            return
        parts, output = self.pair_parts(batch)
        size = batch.frames_BTCHW.shape[:2]
        distance = self._diagnose(output, size)["feature_distance"]
        self.log_parts("val", {**parts, "feature_distance": distance}, size[0])

    @staticmethod
    @torch.no_grad()
    def _diagnose(output: SegOutput, pairs: torch.Size) -> dict[str, Tensor]:
        features_BCHW = output.features_BCHW.float()
        first, second = features_BCHW.unflatten(0, pairs).unbind(1)
        distance, size = feature_l1(first, second), mean_abs(features_BCHW)
        return {
            "feature_distance": distance,
            "feature_mean_abs": size,
            "feature_std": feature_std(features_BCHW),
            "feature_distance_relative": distance / size.clamp_min(1e-12),
        }

    def _gradient_ratio(self, parts: dict[str, Tensor]) -> Tensor:
        """|grad of the consistency term| / |grad of all the rest of L|, over the network's parameters."""
        assert self.loss is not None
        consistency = self._ramp() * self.loss.strength * parts["consistency"]
        if not consistency.requires_grad:
            return torch.zeros_like(consistency)
        parameters = [p for p in self.net.parameters() if p.requires_grad]
        rest = gradient_norm(parts["loss"] - consistency, parameters)
        return gradient_norm(consistency, parameters) / rest.clamp_min(1e-12)
