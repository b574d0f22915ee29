"""Accuracy on labelled still images, of every network that a run compares."""

import logging

from lightning.pytorch import Trainer

from facestab.data.images import ImageData
from facestab.errors import FacestabError
from facestab.stages.segmentation import SegmentationStage

log = logging.getLogger(__name__)


def score_stills(
    trainer: Trainer, stage: SegmentationStage, images: ImageData, split: str
) -> dict[str, dict[str, float]]:
    """Row name to the `stills/...` values of the still images of one split, as they are: without augmentation.

    Args:
        trainer: runs the test.
        stage: its `rows` are measured.
        images: where the stills come from.
        split: "test" or "val".

    Returns:
        An empty dictionary, and a line in the log, when the split has no images or one cannot be read: what was trained
        is worth more.
    """
    images.trainer = trainer
    try:
        loader = images.test_dataloader() if split == "test" else images.val_dataloader()
        (values,) = trainer.test(stage, dataloaders=loader, verbose=False)
    except FacestabError as error:
        log.warning("no accuracy on stills: %s", error)
        return {}
    found: dict[str, dict[str, float]] = {row: {} for row in stage.rows}
    for name, value in values.items():
        row, _, key = name.partition("/")
        found[row][key] = value
    return found
