"""What prediction and labelling take beyond the network: ratios of one run, measured in turn.

Usage, in the checkout: python experiments/bench/prediction.py [--rounds 3] [--output results.json]

An H.264 clip of 128 frames of 256 x 256 goes through `unet_resnet18`, trained for some steps on the clip's own labels:
forward passes alone over frames in memory (with torch as the engine makes them, which looks at pieces of a batch at the
same time, and batch by batch as a whole), prediction from the file to labels.mkv, overlay.mp4 and flow-free metrics,
labelling from the file to the label store, and a plain script as one would write it with segmentation_models_pytorch
and OpenCV.
"""

import logging
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning import Trainer
from turns import arguments, clip, configuration, ratios, spread, take_turns, write

from facestab.build import build
from facestab.callbacks.video_inference import VideoInference
from facestab.data.prediction import PredictionData
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.teacher import FrameTeacher
from facestab.data.videos import VideoItem
from facestab.engines.base import Engine, EngineKind
from facestab.evaluation.files import FileChoice
from facestab.evaluation.video import EvaluationPlan
from facestab.nets.segnet import SegNet
from facestab.nets.weights import ModelCard
from facestab.stages.image import ImageStage
from facestab.video.sink import VideoSink
from facestab.video.source import open_video

SIZE, NUM_FRAMES, BATCH, TRAINING_STEPS = 256, 128, 8, 40
AGREEMENT = 0.999
CPU = torch.device("cpu")
PREDICT = ["stage=predict", "ckpt=x", "video.source=x"]
ENGINES = {
    "torch": ["engine=torch"],
    "onnxruntime": ["engine=onnxruntime"],
    "openvino": ["engine=openvino"],
    "openvino bfloat16": ["engine=openvino", "engine.precision=bfloat16"],
}
EAGER = "eager, float32, channels first"
WHOLE = "torch, whole batches"


def train(net: SegNet, frames_THWC: np.ndarray, labels_THW: np.ndarray) -> None:
    """Some steps on the clip's own labels: masks as smooth as those of a network in use."""
    generator = np.random.default_rng(0)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
    net.train()
    for _ in range(TRAINING_STEPS):
        chosen = generator.integers(0, len(frames_THWC), 4)
        images_BCHW = torch.from_numpy(frames_THWC[chosen]).permute(0, 3, 1, 2)
        target_BHW = torch.from_numpy(labels_THW[chosen]).long()
        loss = torch.nn.functional.cross_entropy(net(images_BCHW).logits_BKHW, target_BHW)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()


class Ready:
    """An engine that has been made: what it takes to make one does not grow with the video."""

    def __init__(self, name: str, engine: Engine) -> None:
        self.name = name
        self.engine = engine

    def make(self, *_: Any) -> Engine:
        """The engine."""
        return self.engine


def forward(engine: Engine, frames_THWC: np.ndarray) -> Callable[[], int]:
    """The network alone, on frames in memory."""

    def work() -> int:
        with torch.inference_mode():
            for first in range(0, len(frames_THWC), BATCH):
                engine(frames_THWC[first : first + BATCH])
        return len(frames_THWC)

    return work


def whole(net: SegNet) -> Engine:
    """The network as the engine has it, all threads at the layers of one batch."""

    def run(frames_NHWC: np.ndarray) -> torch.Tensor:
        return net(torch.from_numpy(frames_NHWC).permute(0, 3, 1, 2)).logits_BKHW

    return run


def eager(net: SegNet) -> Engine:
    """The network as torch runs it when nobody asks for anything else."""

    def run(frames_NHWC: np.ndarray) -> torch.Tensor:
        return net(torch.from_numpy(frames_NHWC).permute(0, 3, 1, 2).contiguous()).logits_BKHW

    return run


def predicting(
    net: SegNet,
    card: ModelCard,
    item: VideoItem,
    kind: EngineKind,
    folder: Path,
    probabilities: bool = True,
    overlap: int = 2,
) -> Callable[[], int]:
    """stage=predict, without flow and smoothers."""
    files = FileChoice(["labels", "overlay"])
    plan = EvaluationPlan(
        folder, card.label_set, "image", None, {}, None, files, measure_size=512, probabilities=probabilities
    )

    def work() -> int:
        stage = ImageStage(net, card, frames_per_batch=BATCH)
        stage.engine_kind, stage.overlap = kind, overlap
        trainer = Trainer(
            accelerator="cpu",
            callbacks=[VideoInference(plan, overlap=overlap)],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        trainer.predict(stage, datamodule=PredictionData([item]), return_predictions=False)
        return item.num_frames

    return work


def labelling(
    net: SegNet, card: ModelCard, item: VideoItem, folder: Path, kind: EngineKind | None = None
) -> Callable[[], int]:
    """stage=label with the image model alone as the teacher."""

    def work() -> int:
        with tempfile.TemporaryDirectory(dir=folder) as root:
            labels = card.label_set
            store = PseudoLabelStore(root, net, SIZE, FrameTeacher(labels), labels, batch_size=BATCH, engine=kind)
            store.fill([item], CPU)
        return item.num_frames

    return work


def script(net: SegNet, path: Path, palette_lut: np.ndarray, folder: Path) -> Callable[[], int]:
    """A plain loop: one frame after the other, the network at `SIZE`, label images as PNG files and an overlay."""
    folder.mkdir()

    def work() -> int:
        reader = cv2.VideoCapture(str(path))
        fourcc = cv2.VideoWriter.fourcc(*"mp4v")
        whole = int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)), int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))
        scale = SIZE / min(whole)
        small = round(whole[0] * scale), round(whole[1] * scale)
        writer = cv2.VideoWriter(str(folder / "overlay.mp4"), fourcc, reader.get(cv2.CAP_PROP_FPS), whole)
        count = 0
        with torch.no_grad():
            while True:
                found, frame_bgr = reader.read()
                if not found:
                    break
                frame_HWC = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB)
                if whole != small:
                    frame_HWC = cv2.resize(frame_HWC, small, interpolation=cv2.INTER_AREA)
                image_1CHW = torch.from_numpy(frame_HWC).permute(2, 0, 1)[None].contiguous()
                labels_HW = net(image_1CHW).logits_BKHW.argmax(1)[0].numpy().astype(np.uint8)
                if whole != small:
                    labels_HW = cv2.resize(labels_HW, whole, interpolation=cv2.INTER_NEAREST)
                cv2.imwrite(str(folder / f"{count:06d}.png"), labels_HW)
                colour = cv2.cvtColor(palette_lut[labels_HW], cv2.COLOR_RGB2BGR)
                writer.write(cv2.addWeighted(frame_bgr, 0.5, colour, 0.5, 0))
                count += 1
        writer.release()
        return count

    return work


def once(engines: Mapping[str, Engine], frames_THWC: np.ndarray) -> dict[str, float]:
    """Seconds per frame of every engine in one short turn, which finds the fastest."""
    works = {engine: forward(run, frames_THWC[: 4 * BATCH]) for engine, run in engines.items()}
    [found] = take_turns(works, 1)
    return found


def agreements(engines: Mapping[str, Engine], frames_THWC: np.ndarray) -> dict[str, float]:
    """Share of the pixels whose label is that of the eager network."""
    labels = {}
    with torch.inference_mode():
        for engine, run in engines.items():
            parts = [run(frames_THWC[first : first + BATCH]).argmax(1) for first in range(0, len(frames_THWC), BATCH)]
            labels[engine] = torch.cat(parts)
    return {engine: float((found == labels[EAGER]).float().mean()) for engine, found in labels.items()}


def written(path: Path, frames_THWC: np.ndarray) -> VideoItem:
    """The frames as an H.264 clip."""
    with VideoSink(path, Fraction(25), codec="h264") as sink:
        for frame_HWC in frames_THWC:
            sink.write(frame_HWC)
    return VideoItem(path.stem, open_video(path).info)


def make_works(
    net: SegNet, plain: SegNet, card: ModelCard, engines: Mapping[str, Engine], best: str, root: Path, clips: list[Any]
) -> dict[str, Callable[[], int]]:
    """All that takes turns, by name; whole and half of the clip, and the frames of the half."""
    item, half, short_THWC = clips
    names = dict.fromkeys([EAGER, WHOLE, "torch", best])
    works = {f"forward, {name}": forward(engines[name], short_THWC) for name in names}
    for name in dict.fromkeys(("torch", best)):
        kind = Ready(name, engines[name])
        works[f"prediction, {name}"] = predicting(net, card, item, kind, root / name)
        bare = predicting(net, card, item, kind, root / name, probabilities=False)
        works[f"prediction without probabilities, {name}"] = bare
        works[f"labelling, {name}"] = labelling(net, card, item, root, kind)
    works["plain script"] = script(plain, half.path, card.label_set.palette_lut, root / "script")
    # loads what is loaded at first use
    predicting(net, card, half, Ready(best, engines[best]), root)()
    labelling(net, card, half, root, Ready(best, engines[best]))()
    return works


def main() -> None:
    """The command line."""
    chosen = arguments(__doc__, 3)
    logging.getLogger("lightning").setLevel(logging.ERROR)
    config = configuration("stage=image", "net=unet_resnet18")
    torch.manual_seed(0)
    net, plain, labels = build(config.net), build(config.net).eval(), build(config.labels)
    frames_THWC, truth_THW = clip(SIZE, NUM_FRAMES)
    train(net, frames_THWC, truth_THW)
    # a stage lays its network's weights out anew
    plain.load_state_dict(net.state_dict())
    card = ModelCard("image", {}, labels.to_dict(), SIZE)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        short_THWC = frames_THWC[: NUM_FRAMES // 2]
        clips = [written(root / "clip.mp4", frames_THWC), written(root / "half.mp4", short_THWC), short_THWC]
        engines: dict[str, Engine] = {EAGER: eager(plain)}
        # lays the weights out as they are in use
        ImageStage(net, card)
        engines[WHOLE] = whole(net)
        for engine, overrides in ENGINES.items():
            kind = build(configuration(*PREDICT, f"paths.cache={root}", *overrides).engine)
            engines[engine] = kind.make(net, frames_THWC[:BATCH], CPU, nullcontext)
        agreement, quick = agreements(engines, frames_THWC), once(engines, frames_THWC)
        best = min((name for name in ENGINES if agreement[name] >= AGREEMENT), key=lambda name: quick[name])
        rounds = take_turns(make_works(net, plain, card, engines, best, root, clips), chosen.rounds, warm=True)
    report(rounds, quick, agreement, best, chosen.output)


def report(
    rounds: list[dict[str, float]], quick: dict[str, float], agreement: dict[str, float], best: str, output: Path
) -> None:
    """Print ms per frame and ratios as median [lowest, highest] over the rounds, and write them down."""
    print("one short turn of every engine:")
    for name, seconds in quick.items():
        print(f"{name:>46}: {1000 * seconds:.2f} ms/frame, {100 * agreement[name]:.2f}% of the labels of {EAGER}")
    print(f"{SIZE} x {SIZE}, {torch.get_num_threads()} threads, {len(rounds)} rounds: median [lowest, highest]")
    for name in rounds[0]:
        print(f"{name:>46}: {spread(1000 * one[name] for one in rounds)} ms/frame")
    wanted = {
        f"{best} / {EAGER}, frames per second": (f"forward, {EAGER}", f"forward, {best}"),
        "torch in pieces / whole batches": (f"forward, {WHOLE}", "forward, torch"),
        "prediction / bare forward, torch": ("forward, torch", "prediction, torch"),
        "prediction / bare forward of whole batches, torch": (f"forward, {WHOLE}", "prediction, torch"),
        "prediction without probabilities / bare forward, torch": (
            "forward, torch",
            "prediction without probabilities, torch",
        ),
        f"prediction / bare forward, {best}": (f"forward, {best}", f"prediction, {best}"),
        f"prediction without probabilities / bare forward, {best}": (
            f"forward, {best}",
            f"prediction without probabilities, {best}",
        ),
        "labelling / bare forward, torch": ("forward, torch", "labelling, torch"),
        f"labelling / bare forward, {best}": (f"forward, {best}", f"labelling, {best}"),
        "prediction with torch / plain script": ("plain script", "prediction, torch"),
        f"prediction with {best} / plain script": ("plain script", f"prediction, {best}"),
    }
    found = {name: ratios(rounds, *pair) for name, pair in wanted.items()}
    for name, values in found.items():
        print(f"{name}: {spread(values)}")
    write(
        output,
        "prediction",
        {
            "size": SIZE,
            "frames": NUM_FRAMES,
            "agreement": agreement,
            "once": quick,
            "rounds": rounds,
            "ratios": found,
        },
    )


if __name__ == "__main__":
    main()
