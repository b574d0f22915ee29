"""What training takes beyond forward and backward passes: ratios of one run, measured in turn.

Usage, in the checkout: python experiments/bench/training.py [--rounds 3] [--output results.json]

12 steps of the image stage and of the temporal stage with `unet_resnet18` at 256 x 256, as `stage=image` and
`stage=temporal` run them, from loader processes, files and the label store, against a loop written by hand over batches
that are in memory: the same network, loss, optimizer, batch size and precision, and nothing else.
"""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from turns import arguments, configuration, ratios, spread, write

from facestab.build import build
from facestab.keys import IMAGE
from facestab.nets.segnet import SegOutput
from facestab.nets.weights import ModelCard
from facestab.pipeline.finetune import make_pairs, make_stage, weight_average
from facestab.stages.image import ImageStage
from facestab.stages.temporal import TemporalStage

STEPS = 12
SETTINGS = [
    *(
        "net=unet_resnet18",
        "size=256",
        "data.dataset.num_train=64",
        "data.dataset.num_val=1",
        "data.dataset.num_test=1",
    ),
    *("data.batch_size=4", "data.num_workers=1", "seed=0"),
]
VIDEOS = [
    *("video.num_frames=32", "video.num_train=2", "video.num_val=1", "video.num_test=1"),
    *("temporal.pairs.batch_size=2", "temporal.pairs.num_workers=1", "pseudo=soft"),
]


class Clock(Callback):
    """The time of all steps but the first, which waits for the loader processes to start."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Start after the first step, stop after the last."""
        if trainer.global_step == 1:
            self._start = time.perf_counter()
        self.seconds = time.perf_counter() - self._start


def fitting(make: Callable[[], LightningModule], data: LightningDataModule, callbacks: list[Callback]) -> Any:
    """The stage as its command runs it, step by step; takes its own time."""

    def work() -> float:
        clock = Clock()
        trainer = Trainer(
            accelerator="cpu",
            max_steps=STEPS + 1,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            callbacks=[*callbacks, clock],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(make(), datamodule=data)
        return clock.seconds / STEPS

    return work


def by_hand(stage: LightningModule, loss_of: Callable[[Any], torch.Tensor], batches: list[Any]) -> Any:
    """A plain loop over batches in memory."""

    def work() -> float:
        optimizer = torch.optim.AdamW(stage.parameters(), 1e-4)
        stage.train()
        start = time.perf_counter()
        for batch in batches:
            loss = loss_of(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return (time.perf_counter() - start) / len(batches)

    return work


def image_stage(root: Path) -> tuple[Any, Any]:
    """The image stage's steps, and the same by hand."""
    config = configuration("stage=image", f"paths.runs={root}", *SETTINGS)
    data = build(config.data)
    data.prepare_data()
    card = ModelCard("image", {}, build(config.labels).to_dict(), config.size)

    def make() -> ImageStage:
        return ImageStage(build(config.net), card, build(config.image.optimizer), build(config.image.scheduler))

    stage = make()

    def loss_of(batch: Any) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(
            stage.net(batch.images_BCHW).logits_BKHW, batch.labels_BHW.long(), ignore_index=255
        )

    batches = list(islice(_endless(data.train_dataloader), STEPS))
    return fitting(make, data, []), by_hand(stage, loss_of, batches)


def temporal_stage(root: Path) -> tuple[Any, Any]:
    """The temporal stage's steps, and the same by hand."""
    config = configuration("stage=temporal", f"paths.runs={root}", *SETTINGS, *VIDEOS)
    loss, labeller = build(config.consistency), build(config.net)
    data = make_pairs(config, labeller)

    def make() -> TemporalStage:
        return make_stage(config, build(config.net), root, loss, {}, {IMAGE: root / "weights.safetensors"})

    work = fitting(make, data, weight_average(config))
    # renders, labels, and tells the loss what is common
    work()
    stage = make()

    def loss_of(batch: Any) -> torch.Tensor:
        pair, images = batch.pair, batch.images
        size = pair.frames_BTCHW.shape[:2]
        frames_NCHW = torch.cat([pair.frames_BTCHW.flatten(0, 1), images.images_BCHW.flatten(0, 1)])
        whole = stage.net(frames_NCHW)
        output = SegOutput(*(part[: size.numel()].unflatten(0, size) for part in whole))
        first, second = (SegOutput(*(part[:, t] for part in output)) for t in (0, 1))
        on_images = loss.labelled(whole.logits_BKHW[size.numel() :], images.flat())
        return loss(first, second, pair, 1.0)["loss"] + loss.anchor * on_images

    batches = list(islice(_endless(data.train_dataloader), STEPS))
    return work, by_hand(stage, loss_of, batches)


def _endless(loader: Callable[[], Any]) -> Iterator[Any]:
    while True:
        yield from loader()


def main() -> None:
    """The command line."""
    chosen = arguments(__doc__, 3)
    for name in ("lightning", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        works = {}
        for stage, make in (("image", image_stage), ("temporal", temporal_stage)):
            works[f"{stage} stage"], works[f"{stage} stage by hand"] = make(Path(name))
        rounds = [{name: work() for name, work in works.items()} for _ in range(chosen.rounds)]
    print(
        f"unet_resnet18, 256 x 256, {torch.get_num_threads()} threads, {len(rounds)} rounds: median [lowest, highest]"
    )
    for name in rounds[0]:
        print(f"{name:>24}: {spread(1000 * one[name] for one in rounds)} ms/step")
    found = {
        f"{stage} stage / by hand, steps per second": ratios(rounds, f"{stage} stage by hand", f"{stage} stage")
        for stage in ("image", "temporal")
    }
    for name, values in found.items():
        print(f"{name}: {spread(values)}")
    write(chosen.output, "training", {"size": 256, "steps": STEPS, "rounds": rounds, "ratios": found})


if __name__ == "__main__":
    main()
