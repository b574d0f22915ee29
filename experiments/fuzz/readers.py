"""facestab's readers, as the stages call them, on one file each."""

import shutil
import sys
import traceback
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
from child import Outcome
from hydra import compose, initialize_config_dir
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor

from facestab.build import build, conf_dir
from facestab.data.manifest import read_manifest
from facestab.data.masks import used_ids
from facestab.data.stills import files
from facestab.data.stills.celeba_lists import split_of_originals
from facestab.data.stills.helen import Helen
from facestab.data.video_catalog import VideoCatalog
from facestab.data.video_folder import VideoFolder
from facestab.engines.onnx_net import load_any
from facestab.errors import FacestabError, VideoError
from facestab.labels import LabelSet
from facestab.report.__main__ import main as report
from facestab.run import main as run
from facestab.video.detectors.box_file import BoxFile
from facestab.video.label_video import LabelVideo
from facestab.video.sink import VideoSink
from facestab.video.source import open_video

Reader = Callable[[Path], None]
# a header may promise more frames than anybody wants to wait for
_MOST_FRAMES = 2000
# what the commands turn into one line
_REFUSALS = (FacestabError, OSError, OmegaConfBaseException)


def in_order(path: Path) -> None:
    """All frames, as prediction and labelling read them, and their times."""
    with open_video(path) as source:
        for _ in islice(source.frames(), _MOST_FRAMES):
            pass
        source.timing()


def in_pairs(path: Path) -> None:
    """Pairs anywhere, as training reads them: by decord where the guard lets it, else by PyAV."""
    _pairs(path, "auto")


def by_decord(path: Path) -> None:
    """The same and all frames with backend=decord."""
    _pairs(path, "decord")
    with open_video(path, "decord") as source:
        for _ in islice(source.frames(), _MOST_FRAMES):
            pass


def _pairs(path: Path, backend: str) -> None:
    errors = []
    with open_video(path, backend) as source:
        last = source.info.num_frames - 1
        for index in np.random.default_rng(0).integers(max(last, 1), size=3) if last > 0 else ():
            try:
                source.pair(int(index))
            except VideoError as error:
                errors.append(error)
    if errors:
        raise errors[0]


def catalogued(path: Path) -> None:
    """Looked at with its cuts, as training does first; a video that cannot be read is left out with a line."""
    entry = VideoCatalog(None).look([path], cuts=True)[0]
    if entry.info is None:
        raise VideoError(entry.error)


def copied(path: Path) -> None:
    """Written again with its times and its sound, as an overlay is."""
    target = path.with_name("copy.mp4")
    with open_video(path) as source:
        timing = source.timing()
        with VideoSink(target, timing.fps, times=timing.times, audio=timing.audio) as sink:
            for frame_HWC in islice(source.frames(), 50):
                sink.write(frame_HWC)


def masks(path: Path) -> None:
    """As a label video or as one label image."""
    labels = LabelVideo(path)
    used_ids(labels)
    if labels.info.num_frames > 1:
        labels.pair(labels.info.num_frames // 2 - 1)


def frame_folder(path: Path) -> None:
    """As the second frame of a folder."""
    folder = path.parent / "shots"
    folder.mkdir()
    for number in (1, 2):
        shutil.copy(path, folder / f"{number}{path.suffix}")
    try:
        with open_video(folder) as source:
            source.pair(0)
    except VideoError as error:
        # the copy's name is not the file's
        raise VideoError(str(error).replace(str(folder / f"1{path.suffix}"), str(path))) from error


def onnx(path: Path) -> None:
    """As stage=predict does with a picture of the size that it was made for."""
    net, _ = load_any(path)
    import torch

    _forward(net, torch.zeros((1, 3, 48, 48), dtype=torch.uint8))


def weights(path: Path) -> None:
    """The network of the file's own card, and a picture through it."""
    import torch

    net, card = load_any(path)
    _ = card.label_set
    _forward(net.eval(), torch.zeros((1, 3, 48, 48), dtype=torch.uint8))


def _forward(net: Callable[[Tensor], object], images_BCHW: Tensor) -> None:
    import torch

    with torch.inference_mode():
        net(images_BCHW)


def manifest(path: Path) -> None:
    """Read, and its videos looked at."""
    read_manifest(path)
    VideoFolder(str(path), cuts=False).split("all")


def boxes(path: Path) -> None:
    """A box file and what a frame's boxes are."""
    file = BoxFile(str(path))
    file.settings()
    file(np.zeros((48, 64, 3), np.uint8), 0)


def lists(path: Path) -> None:
    """The lists of Helen and of CelebA, of which one is damaged."""
    if path.name == "exemplars.txt":
        for name in ("tuning.txt", "testing.txt"):
            shutil.copy(path, path.with_name(name))
        Helen(str(path.parent), LabelSet(_HELEN, [(0, 0, 0)] * len(_HELEN)))
    split_of = split_of_originals(path.parent)
    for number in range(6):
        split_of(number)


def label_file(path: Path) -> None:
    """A label set of a user's own beside the conf folder, and the command that uses it."""
    folder = path.parent / "mine" / "labels"
    folder.mkdir(parents=True)
    shutil.copy(path, folder / "own.yaml")
    place = f"hydra.searchpath=[file://{folder.parent}]"
    _command("stage=evaluate", "labels=own", "masks=nowhere", place, f"paths.runs={path.parent}/runs")
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        config = compose("config", overrides=["stage=evaluate", "labels=own", "masks=nowhere", place])
    build(config.labels)


def reported(path: Path) -> None:
    """The report of a run of which one file is damaged."""
    if path.name == "frames.csv":
        (path.parent / "videos" / "a").mkdir(parents=True)
        shutil.move(path, path.parent / "videos" / "a" / path.name)
    try:
        report([str(path.parent)])
    except SystemExit as ended:
        raise FacestabError(str(ended.code).replace(f"/videos/a/{path.name}", f"/{path.name}")) from None


def _command(*arguments: str) -> None:
    """Run as a command, which ends with a line on standard error when it refuses."""
    before, sys.argv = sys.argv, ["facestab.run", *arguments]
    try:
        run()
    except SystemExit as ended:
        # a line that ends the program before the stage begins
        if isinstance(ended.code, str):
            raise FacestabError(ended.code) from None
    finally:
        sys.argv = before


_HELEN = (
    *("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "nose"),
    *("upper_lip", "inner_mouth", "lower_lip", "hair"),
)
VIDEO = (in_order, in_pairs, by_decord, catalogued, copied)
IMAGE = (in_order, masks, frame_folder, files.read_rgb, files.read_ids, files.read_mask)
READERS: dict[str, tuple[Reader, ...]] = {
    "mp4": VIDEO,
    "mkv": VIDEO,
    "other videos": VIDEO,
    "label videos": (masks,),
    "png": IMAGE,
    "jpg": IMAGE,
    "other images": IMAGE,
    "safetensors": (weights,),
    "ckpt": (weights,),
    "onnx": (onnx,),
    "labels yaml": (label_file,),
    "run yaml": (reported,),
    "run record": (reported,),
    "manifest csv": (manifest,),
    "manifest json": (manifest,),
    "boxes csv": (boxes,),
    "image lists": (lists,),
}


def read(kind: str, path: Path) -> Outcome:
    """The worst that any of a kind's readers makes of a file."""
    outcomes = [_read(reader, path) for reader in READERS[kind]]
    bad = [outcome for outcome in outcomes if outcome.verdict not in ("read", "refused")]
    return bad[0] if bad else next((o for o in outcomes if o.verdict == "read"), outcomes[0])


def _read(reader: Reader, path: Path) -> Outcome:
    try:
        reader(path)
    except _REFUSALS as error:
        line = " ".join(str(error).split())
        # a setting is named by its key; what a manifest or a run leads to lies beside it
        if line and (path.suffix == ".yaml" or str(path.parent) in line) and "check the folder" not in line:
            return Outcome("refused", line)
        return Outcome("traceback", f"{reader.__name__}: a line that does not name the file: {line}\n{_trace()}")
    except (Exception, SystemExit):
        return Outcome("traceback", f"{reader.__name__}: {_trace()}")
    return Outcome("read")


def _trace() -> str:
    return traceback.format_exc(limit=-8)
