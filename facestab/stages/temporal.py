"""The temporal stage: the same network on adjacent frames (patent CN110427899A, S220-S230 and S560-S570)."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from facestab.errors import SettingError
from facestab.functional.diagnostics import feature_std, gradient_norm, mean_abs
from facestab.keys import STABILIZED
from facestab.losses import TemporalLoss
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard
from facestab.stages.segmentation import SegmentationStage
from facestab.types import FramePairBatch, ImageBatch, SegOutput


class TemporalStage(SegmentationStage):
    """Minimises L = L1(f1 - f2) + w (J1 + J2) over pairs of adjacent frames.

    Logs the parts of L, and what shows a collapse: the mean of |f|, the standard deviation of f over space, and the
    ratio of the gradient norms of the two terms.

    Args:
        net: see `SegmentationStage`.
        card: see `SegmentationStage`.
        optimizer: see `SegmentationStage`.
        scheduler: see `SegmentationStage`.
        loss: L; None for a stage that only predicts.
        controls: row name to another network, for comparison in prediction: the image model, or one that was fine-tuned
            on the pseudo-labels alone. They are not trained and not in checkpoints.
        diagnose_every: steps between two measurements of the gradient ratio, which costs two backward passes; 0: never.
        frames_per_batch: see `SegmentationStage`.
        frame_size: see `SegmentationStage`.

    Raises:
        SettingError: when diagnose_every is negative.
    """

    def __init__(
        self,
        net: SegNet,
        card: ModelCard,
        optimizer: Callable[..., torch.optim.Optimizer] | None = None,
        scheduler: Callable[..., Any] | None = None,
        loss: TemporalLoss | None = None,
        controls: Mapping[str, SegNet] | None = None,
        diagnose_every: int = 25,
        frames_per_batch: int = 8,
        frame_size: int | None = None,
    ) -> None:
        super().__init__(net, card, optimizer, scheduler, frames_per_batch, frame_size)
        if diagnose_every < 0:
            raise SettingError(f"temporal.diagnose_every must not be negative, got {diagnose_every}")
        self.loss = loss
        self.diagnose_every = diagnose_every
        # in a dict: a submodule would be trained, saved and wrapped
        self._controls = dict(controls or {})

    @property
    def rows(self) -> dict[str, SegNet]:
        """The controls that are at hand, and the stabilized network."""
        return {**self._controls, STABILIZED: self.net}

    def pair_parts(self, batch: FramePairBatch) -> tuple[dict[str, Tensor], SegOutput]:
        """The named parts of L; both frames go through the network in one forward pass."""
        assert self.loss is not None
        batch_size, num_frames = batch.frames_BTCHW.shape[:2]
        output = self.net(batch.frames_BTCHW.flatten(0, 1))
        first, second = (
            SegOutput(*(part.unflatten(0, (batch_size, num_frames))[:, frame] for part in output)) for frame in (0, 1)
        )
        return self.loss(first, second, batch.labels_BTHW[:, 0], batch.labels_BTHW[:, 1]), output

    def training_step(self, batch: FramePairBatch, batch_idx: int) -> Tensor:
        """L of one batch."""
        parts, output = self.pair_parts(batch)
        self.log("train/loss_step", parts["loss"].detach())
        named = {**parts, **self._diagnose(parts, output)}
        if self.diagnose_every and self.global_step % self.diagnose_every == 0:
            named["gradient_ratio"] = self._gradient_ratio(parts)
        self.log_parts("train", named, len(batch.frames_BTCHW))
        return parts["loss"]

    def validation_step(self, batch: FramePairBatch | ImageBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """L of a batch of pairs, or the accuracy of a batch of labelled images."""
        if isinstance(batch, ImageBatch):
            self.score_images(batch)
        else:
            self.log_parts("val", self.pair_parts(batch)[0], len(batch.frames_BTCHW))

    @staticmethod
    @torch.no_grad()
    def _diagnose(parts: dict[str, Tensor], output: SegOutput) -> dict[str, Tensor]:
        features_BCHW = output.features_BCHW.float()
        size = mean_abs(features_BCHW)
        return {
            "feature_mean_abs": size,
            "feature_std": feature_std(features_BCHW),
            "feature_distance_relative": parts["feature_distance"] / size.clamp_min(1e-12),
        }

    def _gradient_ratio(self, parts: dict[str, Tensor]) -> Tensor:
        """|grad of L1(f1 - f2)| / |grad of w (J1 + J2)|, over the network's parameters."""
        parameters = list(self.net.parameters())
        consistency = gradient_norm(parts["feature_distance"], parameters)
        accuracy = gradient_norm(parts["loss"] - parts["feature_distance"], parameters)
        return consistency / accuracy.clamp_min(1e-12)
