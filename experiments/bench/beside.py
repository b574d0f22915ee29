"""What stands beside prediction: a second network, flow, a large video, and what smoothing costs instead.

Usage, in the checkout: python experiments/bench/beside.py [--rounds 3] [--output results.json]

`unet_resnet18` at 256 px with torch: the stabilized network beside the image model (the same network with other
weights), the image model with an average along Farneback's flow, prediction of both networks with compare.mp4 and DIS
flow, and a clip of a talking head at 1920 x 1080 with a detector, beside a plain script that looks at whole frames.
"""

import logging
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from lightning import Trainer
from prediction import BATCH, CPU, PREDICT, SIZE, Ready, forward, script, train
from turns import arguments, clip, configuration, ratios, spread, take_turns, write

from facestab.baselines.flow_ema import FlowEma
from facestab.build import build
from facestab.callbacks.video_inference import VideoInference
from facestab.data.prediction import PredictionData
from facestab.data.videos import VideoItem
from facestab.engines.base import Engine
from facestab.engines.eager import TorchKind
from facestab.evaluation.files import FileChoice
from facestab.evaluation.video import EvaluationPlan
from facestab.keys import IMAGE, STABILIZED
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard
from facestab.pipeline.framing import make_framer
from facestab.stages.image import ImageStage
from facestab.stages.temporal import TemporalStage
from facestab.video.farneback import FarnebackFlow
from facestab.video.flow import DisFlow, VideoFrame
from facestab.video.sink import VideoSink
from facestab.video.source import open_video
from tests.clips import carphone

NUM_FRAMES = 48
LARGE = 24
RATIOS = {
    "stabilized / image model, ms per frame": ("forward, stabilized", "forward, image model"),
    "flow EMA 0.8 / stabilized, ms per frame": ("image model and flow EMA 0.8", "forward, stabilized"),
    "prediction with compare.mp4, DIS and a second network / both forward passes, frames per second": (
        "both forward passes",
        "prediction of both with compare.mp4 and DIS",
    ),
    "1080p with a detector / a plain script on whole frames, frames per second": (
        "1080p, plain script",
        "1080p, prediction with a detector",
    ),
}


def smoothing(engine: Engine, frames_THWC: np.ndarray) -> Callable[[], int]:
    """The network and an average along the motion, on frames in memory."""

    def work() -> int:
        smoother = FlowEma(0.8, FarnebackFlow())
        with torch.inference_mode():
            for first in range(0, len(frames_THWC), BATCH):
                part_NHWC = frames_THWC[first : first + BATCH]
                named = [VideoFrame("clip", first + t, frame_HWC) for t, frame_HWC in enumerate(part_NHWC)]
                smoother(named, engine(part_NHWC).softmax(1))
        return len(frames_THWC)

    return work


def predicting(stage: ImageStage | TemporalStage, plan: EvaluationPlan, item: VideoItem) -> Callable[[], int]:
    """stage=predict with one or two networks."""

    def work() -> int:
        stage.overlap = 2
        trainer = Trainer(
            accelerator="cpu",
            callbacks=[VideoInference(plan, overlap=2)],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=plan.folder,
        )
        trainer.predict(stage, datamodule=PredictionData([item]), return_predictions=False)
        return item.num_frames

    return work


def write_clip(path: Path, frames: np.ndarray) -> VideoItem:
    """The frames as H.264."""
    with VideoSink(path, Fraction(25), codec="h264") as sink:
        for frame_HWC in frames:
            sink.write(frame_HWC)
    return VideoItem(path.stem, open_video(path).info)


def large_frames() -> np.ndarray:
    """A talking head, 1080 pixels high, in the middle of a frame of 1920 pixels, uint8 (T, 1080, 1920, 3)."""
    with open_video(carphone()) as source:
        heads = [cv2.resize(one, (1320, 1080), interpolation=cv2.INTER_CUBIC) for one in source.frames(0, LARGE)]
    return np.stack([cv2.copyMakeBorder(head, 0, 0, 300, 300, cv2.BORDER_REPLICATE) for head in heads])


def make_works(root: Path, image: SegNet, stabilized: SegNet, card: ModelCard, frames_THWC: np.ndarray) -> Mapping:
    """What takes turns."""
    item, large = write_clip(root / "clip.mp4", frames_THWC), write_clip(root / "large.mp4", large_frames())
    files = FileChoice(["labels", "overlay"])
    alone = EvaluationPlan(root / "one", card.label_set, IMAGE, None, {}, None, files, measure_size=512)
    both = replace(alone, folder=root / "two", result=STABILIZED, baseline=IMAGE, flow=DisFlow())
    both = replace(both, files=FileChoice(["labels", "overlay", "compare"]))
    pair = TemporalStage(stabilized, card, controls={IMAGE: image}, frames_per_batch=BATCH)
    cropped = ImageStage(image, card, frames_per_batch=BATCH)
    cropped.framer = make_framer(configuration(*PREDICT, "detector=lbp"), None, SIZE)
    engines = {
        row: TorchKind().make(net, frames_THWC[:BATCH], CPU, nullcontext)
        for row, net in {IMAGE: image, STABILIZED: stabilized}.items()
    }
    one, other = (forward(Ready(row, engine).engine, frames_THWC) for row, engine in engines.items())
    labels = card.label_set
    return {
        "forward, image model": one,
        "forward, stabilized": other,
        "both forward passes": lambda: max(one(), other()),
        "image model and flow EMA 0.8": smoothing(engines[IMAGE], frames_THWC),
        "prediction of both with compare.mp4 and DIS": predicting(pair, both, item),
        "1080p, prediction with a detector": predicting(cropped, alone, large),
        "1080p, plain script": script(image, large.path, labels.palette_lut, root / "script"),
    }


def main() -> None:
    """The command line."""
    chosen = arguments(__doc__, 3)
    logging.getLogger("lightning").setLevel(logging.ERROR)
    config = configuration("stage=image", "net=unet_resnet18")
    torch.manual_seed(0)
    image, stabilized, labels = build(config.net), build(config.net), build(config.labels)
    frames_THWC, truth_THW = clip(SIZE, NUM_FRAMES)
    train(image, frames_THWC, truth_THW)
    stabilized.load_state_dict(image.state_dict())
    # one more epoch: other weights of the same shape
    train(stabilized, frames_THWC, truth_THW)
    card = ModelCard("temporal", {}, labels.to_dict(), SIZE)
    with tempfile.TemporaryDirectory() as name:
        rounds = take_turns(make_works(Path(name), image, stabilized, card, frames_THWC), chosen.rounds)
    print(f"{SIZE} px, {torch.get_num_threads()} threads, {len(rounds)} rounds: median [lowest, highest]")
    for work in rounds[0]:
        print(f"{work:>46}: {spread(1000 * one[work] for one in rounds)} ms/frame")
    found = {name: ratios(rounds, *pair) for name, pair in RATIOS.items()}
    for name, values in found.items():
        print(f"{name}: {spread(values)}")
    write(chosen.output, "beside", {"size": SIZE, "rounds": rounds, "ratios": found})


if __name__ == "__main__":
    main()
