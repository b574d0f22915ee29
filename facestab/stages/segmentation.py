"""What both training stages share: a network, its optimizer, its accuracy, its way through a video."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from facestab.engines.base import Engine, EngineKind
from facestab.engines.eager import TorchKind
from facestab.errors import FacestabError, SettingError
from facestab.keys import IMAGE
from facestab.metrics.scores import SegmentationScores
from facestab.nets.segnet import SegNet
from facestab.nets.weights import CARD_KEY, ModelCard
from facestab.stages.prediction import FramePrediction, first_frames, stream_video
from facestab.stages.view import Video, VideoFramer
from facestab.types import ImageBatch


class SegmentationStage(LightningModule):
    """A network in training or in use.

    Constructor arguments are not stored as hyper-parameters: a checkpoint holds tensors and the model card, so that it
    loads with `weights_only=True`.

    Args:
        net: the network.
        card: goes into every checkpoint.
        optimizer: makes an optimizer from parameters.
        scheduler: makes a schedule from an optimizer and `total_steps`, stepped after every batch; None keeps the rate.
        frames_per_batch: of a forward pass in prediction.
        frame_size: pixels of the shorter side at which prediction sees frames; None: as in training.

    Raises:
        SettingError: when frames_per_batch is below 1.
    """

    needs_accuracy = False

    def __init__(
        self,
        net: SegNet,
        card: ModelCard,
        optimizer: Callable[..., torch.optim.Optimizer] | None = None,
        scheduler: Callable[..., Any] | None = None,
        frames_per_batch: int = 8,
        frame_size: int | None = None,
    ) -> None:
        super().__init__()
        if frames_per_batch < 1:
            raise SettingError(f"inference.batch_size must be at least 1, got {frames_per_batch}")
        # convolutions on processors are a fifth faster so, and no slower on GPUs; values stay what they are
        self.net = net.to(memory_format=torch.channels_last)
        self.card = card
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.scores = SegmentationScores(card.label_set.names)
        # in a dict: the networks beside the one in training have no place among its modules
        self._test_scores: dict[str, SegmentationScores] = {}
        self.frames_per_batch = frames_per_batch
        self.frame_size = frame_size or card.size
        # after which training ends, whatever epoch that is in; None: as many as the trainer's epochs have
        self.total_steps: int | None = None
        # what prediction looks at; None for whole frames
        self.framer: VideoFramer | None = None
        # what prediction runs the networks with
        self.engine_kind: EngineKind = TorchKind()
        self._engines: dict[str, Engine] = {}
        # batches of a video that prediction reads ahead while the networks are at work
        self.overlap = 0

    @property
    def rows(self) -> dict[str, SegNet]:
        """The networks that prediction runs, by the name of their row in every table."""
        return {IMAGE: self.net}

    def configure_optimizers(self) -> Any:
        """The optimizer and, when there is one, its schedule."""
        assert self.make_optimizer is not None
        optimizer = self.make_optimizer(self.net.parameters())
        if self.make_scheduler is None:
            return optimizer
        steps = self.total_steps or int(self.trainer.estimated_stepping_batches)
        scheduler = self.make_scheduler(optimizer, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Ends the training after `total_steps`: with max_steps Lightning 2.6 does not go on as it would have."""
        if self.total_steps is not None and self.global_step >= self.total_steps:
            self.trainer.should_stop = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Puts the model card beside the tensors."""
        checkpoint[CARD_KEY] = self.card.to_dict()

    def log_parts(self, prefix: str, parts: Mapping[str, Tensor], batch_size: int) -> None:
        """Logs named parts of a loss as means over the epoch."""
        values = {f"{prefix}/{name}": value.detach() for name, value in parts.items()}
        self.log_dict(
            values, on_step=False, on_epoch=True, sync_dist=True, batch_size=batch_size, add_dataloader_idx=False
        )

    def score_images(self, batch: ImageBatch) -> Tensor:
        """Adds labelled images to the validation accuracy; returns their logits."""
        logits_BKHW = self.net(batch.images_BCHW).logits_BKHW
        self.scores.update(logits_BKHW.max(1).indices, batch.labels_BHW)
        found: Tensor = logits_BKHW
        return found

    def on_validation_epoch_end(self) -> None:
        """Logs the accuracy of the whole validation split, from one confusion matrix.

        Raises:
            FacestabError: when no pixel of it has a class, and the stage chooses its best weights by accuracy.
        """
        values = {name: value.float() for name, value in self.scores.compute().items()}
        self.scores.reset()
        if self.needs_accuracy and values["val/miou"].isnan():
            raise FacestabError("no pixel of the validation images has a class, all are 255; see stage=audit")
        self.log_dict({name: value for name, value in values.items() if not value.isnan()})

    def on_test_start(self) -> None:
        """Starts the accuracy of every row anew."""
        self._test_scores = {row: SegmentationScores(self.scores.class_names).to(self.device) for row in self.rows}
        for net in self.rows.values():
            net.to(self.device).eval()

    def test_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Adds labelled images to the accuracy of every row."""
        for row, net in self.rows.items():
            self._test_scores[row].update(net(batch.images_BCHW).logits_BKHW.max(1).indices, batch.labels_BHW)

    def on_test_epoch_end(self) -> None:
        """Logs the accuracy of every row as `<row>/stills/miou`, `<row>/stills/iou/<class>`, and so on."""
        for row, scores in self._test_scores.items():
            values = {
                key.replace("val/", f"{row}/stills/", 1): value.float() for key, value in scores.compute().items()
            }
            self.log_dict({key: value for key, value in values.items() if not value.isnan()})

    def on_predict_start(self) -> None:
        """Forgets the engines of the last prediction: weights may have changed."""
        self._engines = {}
        for net in self.rows.values():
            net.to(self.device).eval()

    def _ready(self, video: Video) -> dict[str, Engine]:
        """The engine of every row, made when the first frames are known."""
        if not self._engines:
            frames_NHWC = first_frames(video, self.frame_size, self.frames_per_batch)
            precision = self.trainer.precision_plugin.predict_step_context
            self._engines = {
                row: self.engine_kind.make(net, frames_NHWC, self.device, precision) for row, net in self.rows.items()
            }
        return self._engines

    def predict_step(self, batch: Video | None, batch_idx: int = 0) -> Iterator[FramePrediction]:
        """A lazy stream over one video; empty for a process that has none."""
        if batch is None:
            return iter(())
        return stream_video(
            self._ready(batch),
            batch,
            size=self.frame_size,
            batch_size=self.frames_per_batch,
            device=self.device,
            framer=self.framer,
            fixed_row=list(self.rows)[-1],
            overlap=self.overlap,
        )
