"""The image stage: a network on labelled still images (patent CN110427899A, S410-S430 and S510-S540)."""

from torch import Tensor

from facestab.errors import FacestabError
from facestab.functional.losses import cross_entropy
from facestab.stages.segmentation import SegmentationStage
from facestab.types import ImageBatch


class ImageStage(SegmentationStage):
    """Minimises J, the cross-entropy of labelled images.

    Logs `train/loss` (J, the mean over the epoch, which ends the stage when it falls below the threshold),
    `val/loss`, `val/miou`, `val/f1` and `val/iou/<class>`.
    """

    needs_accuracy = True

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """J of one batch."""
        loss = cross_entropy(self.net(batch.images_BCHW).logits_BKHW, batch.labels_BHW, *batch.soft)
        self.log("train/loss_step", loss.detach())
        self.log_parts("train", {"loss": loss}, len(batch.images_BCHW))
        return loss

    def on_train_epoch_end(self) -> None:
        """Refuses a J of nothing, which is below every threshold.

        Raises:
            FacestabError: when no pixel of the training images has a class.
        """
        if self.trainer.callback_metrics["train/loss"] == 0:
            raise FacestabError("no pixel of the training images has a class, all are 255; see stage=audit")

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """J and accuracy of one batch."""
        loss = cross_entropy(self.score_images(batch), batch.labels_BHW, *batch.soft)
        self.log_parts("val", {"loss": loss}, len(batch.images_BCHW))
