"""The sound files that are damaged: small, made on the spot by PyAV, Pillow, torch, safetensors and facestab."""

import csv
import json
import shutil
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image

from facestab.build import build_trusted
from facestab.engines.graph import write_onnx
from facestab.nets.weights import CARD_KEY, ModelCard, save_weights
from facestab.record import write_record
from facestab.video.sink import VideoSink

HEIGHT, WIDTH, NUM_FRAMES = 48, 64, 24
_GOP = {"g": "8", "threads": "1"}
# name: codec, pixel format, options, container options, whether it has sound
_VIDEOS: dict[str, tuple[str, str, dict[str, str], dict[str, str], bool]] = {
    "h264.mp4": ("libx264", "yuv420p", {**_GOP, "bf": "0"}, {}, False),
    "front.mp4": ("libx264", "yuv420p", {**_GOP, "bf": "2"}, {"movflags": "faststart"}, True),
    "fragments.mp4": ("libx264", "yuv420p", {**_GOP, "bf": "0"}, {"movflags": "frag_keyframe+empty_moov"}, False),
    "hevc.mp4": ("libx265", "yuv420p", {"x265-params": "keyint=8:open-gop=0:log-level=none:pools=none"}, {}, False),
    "mpeg4.mp4": ("mpeg4", "yuv420p", {"g": "8"}, {}, False),
    "vp9.mp4": ("libvpx-vp9", "yuv420p", {"g": "8"}, {}, False),
    "ten_bit.mp4": ("libx264", "yuv420p10le", {**_GOP, "bf": "0"}, {}, False),
    "h264.mkv": ("libx264", "yuv420p", {**_GOP, "bf": "2"}, {}, False),
    "vp8.mkv": ("libvpx", "yuv420p", {"g": "8"}, {}, True),
    "ffv1.mkv": ("ffv1", "bgr0", {"level": "3", "g": "1"}, {}, False),
    "mjpeg.mkv": ("mjpeg", "yuvj420p", {}, {}, False),
    "av1.mkv": ("libsvtav1", "yuv420p", {"g": "8", "preset": "12", "svtav1-params": "lp=1"}, {}, False),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"g": "8"}, {}, False),
    "h264.ts": ("libx264", "yuv420p", _GOP, {}, False),
    "vp8.webm": ("libvpx", "yuv420p", {"g": "8"}, {}, False),
    "moving.gif": ("gif", "rgb8", {}, {}, False),
}
NET = {
    "_target_": "facestab.nets.smp.SmpNet",
    "architecture": "unet",
    "encoder": "tu-test_resnet",
    "num_classes": 3,
    "options": {"encoder_depth": 4, "decoder_channels": [32, 24, 16, 8]},
}
LABELS = {"names": ["background", "skin", "hair"], "palette": [[0, 0, 0], [230, 190, 160], [110, 60, 130]], "pairs": []}
LABEL_YAML = """\
_target_: facestab.labels.LabelSet
names: [background, skin, left_eye, right_eye, hair]
palette:
  - [0, 0, 0]
  - [230, 190, 160]
  - [0, 130, 90]
  - [200, 60, 0]
  - [110, 60, 130]
pairs: [[2, 3]]
covers:
  background: [neck, cloth]
  skin: [nose, left_brow]
"""


def make(folder: Path) -> dict[str, list[Path]]:
    """Write all seed files below a folder; kind to its files."""
    folder.mkdir(parents=True, exist_ok=True)
    videos = [_video(folder / name, *how) for name, how in _VIDEOS.items()]
    _listed_videos(folder)
    return {
        "mp4": [path for path in videos if path.suffix == ".mp4"],
        "mkv": [path for path in videos if path.suffix == ".mkv"],
        "other videos": [path for path in videos if path.suffix not in (".mp4", ".mkv")],
        "label videos": [_label_video(folder / "labels.mkv")],
        **_images(folder),
        **_weights(folder),
        **_texts(folder),
    }


def frame(number: int) -> np.ndarray:
    """uint8 (H, W, 3): a pattern that moves, with some noise."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    noise_HW = np.random.default_rng(number).integers(0, 12, (HEIGHT, WIDTH))
    planes = [rows * 4 + number * 3, columns * 3 - number * 5, (rows * columns) // 8 + number]
    return np.stack([(plane + noise_HW) % 256 for plane in planes], -1).astype(np.uint8)


def labels(number: int) -> np.ndarray:
    """uint8 (H, W): three classes, one of which moves."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    disc_HW = (rows - 24) ** 2 + (columns - 20 - number) ** 2 < 200
    return np.where(disc_HW, 1, np.where(rows < 10, 2, 0)).astype(np.uint8)


def _video(
    path: Path, codec: str, pixel_format: str, options: dict[str, str], more: dict[str, str], has_sound: bool
) -> Path:
    # Matroska and AVI files carry random numbers otherwise
    with av.open(str(path), "w", container_options={"fflags": "+bitexact", **more}) as container:
        stream = container.add_stream(codec, rate=Fraction(25), options=options)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, pixel_format
        sound = container.add_stream("aac" if path.suffix == ".mp4" else "libopus", rate=48000) if has_sound else None
        for number in range(NUM_FRAMES):
            picture = av.VideoFrame.from_ndarray(frame(number), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
            if sound is not None:
                container.mux(sound.encode(_tone(number)))
        container.mux([*stream.encode(), *(sound.encode() if sound is not None else ())])
    return path


def _tone(number: int) -> av.AudioFrame:
    """The sound of one frame."""
    samples = np.sin(np.arange(1920) * 0.05 + number * 1920 * 0.05).astype(np.float32)[None] * 0.1
    heard = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    heard.sample_rate, heard.pts, heard.time_base = 48000, number * 1920, Fraction(1, 48000)
    return heard


def _label_video(path: Path) -> Path:
    with VideoSink(path, Fraction(25), codec="labels", thread_count=1) as sink:
        for number in range(NUM_FRAMES):
            sink.write(labels(number))
    return path


def _images(folder: Path) -> dict[str, list[Path]]:
    picture, ids = Image.fromarray(frame(0)), Image.fromarray(labels(0))
    shown = ids.convert("P")
    shown.putpalette([value for colour in LABELS["palette"] for value in colour])
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray(labels(0).astype(np.uint16) * 90)
    saved: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "rgb.png": (picture, {}),
        "rgba.png": (picture.convert("RGBA"), {}),
        "clear.png": (shown, {"transparency": 0}),
        "grey.png": (ids, {}),
        "palette.png": (shown, {}),
        "sixteen.png": (deep, {}),
        "bits.png": (ids.convert("1"), {}),
        "plain.jpg": (picture, {"quality": 85}),
        "progressive.jpg": (picture, {"progressive": True}),
        "turned.jpg": (picture, {"exif": exif}),
        "grey.jpg": (picture.convert("L"), {}),
        "cmyk.jpg": (picture.convert("CMYK"), {}),
        "plain.webp": (picture, {}),
        "plain.tif": (picture, {"compression": "tiff_lzw"}),
        "grey.tif": (ids, {"compression": "tiff_deflate"}),
        "plain.bmp": (picture, {}),
        "grey.pgm": (ids, {}),
    }
    for name, (image, how) in saved.items():
        image.save(folder / name, **how)
    kinds = {"png": (".png",), "jpg": (".jpg",), "other images": (".webp", ".tif", ".bmp", ".pgm")}
    return {kind: [folder / name for name in saved if Path(name).suffix in ends] for kind, ends in kinds.items()}


def _weights(folder: Path) -> dict[str, list[Path]]:
    torch.manual_seed(0)
    net, card = build_trusted(NET), ModelCard("image", NET, LABELS, 48)
    save_weights(folder / "net.safetensors", net, card)
    state = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    torch.save({"state_dict": state, CARD_KEY: card.to_dict(), "epoch": 3, "loops": {}}, folder / "net.ckpt")
    write_onnx(net.eval(), folder / "net.onnx", 48, card)
    return {kind: [folder / f"net.{kind}"] for kind in ("safetensors", "ckpt", "onnx")}


def _texts(folder: Path) -> dict[str, list[Path]]:
    (folder / "labels.yaml").write_text(LABEL_YAML)
    (folder / "config.yaml").write_text("stage: temporal\nw: 0.5\nsize: 48\nnet: {name: tiny, features: decoder}\n")
    (folder / "overrides.yaml").write_text("- stage=temporal\n- w=0.5\n- net=tiny\n- name='a b'\n")
    rows = [["path", "start", "end", "fps", "box", "identity", "split", "id"]]
    rows += [["a.mp4", "0", "0.4", "", "4 4 40 40", "ann", "train", "one"], ["a.mp4", "0.4", "", "", "", "ann", "", ""]]
    rows += [["b.mkv", "", "", "", "1,2,30.5,40", "bob, or so", "val", "three"], ["frames", "0", "", "25/2", *[""] * 4]]
    with (folder / "videos.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    listed = [{"path": "a.mp4", "start": 0.1, "end": 0.5, "identity": "ann"}, {"path": "frames", "fps": 12.5}]
    listed += [{"path": "b.mkv", "box": [2, 2, 40, 30], "split": "val", "id": "b"}, {"path": "a.mp4", "truth": "truth"}]
    (folder / "videos.json").write_text(json.dumps(listed, indent=1))
    boxes = "".join(f"{number},{number},2,{30 + number}.5,40\n" for number in range(8))
    (folder / "boxes.csv").write_text(f"frame,left,top,right,bottom\n{boxes}")
    (folder / "exemplars.txt").write_text("".join(f"{n} , name_{n}\n" for n in range(6)))
    (folder / "list_eval_partition.txt").write_text("".join(f"{n:06}.jpg {n % 3}\n" for n in range(6)))
    mapping = "idx orig_idx orig_file proc_md5 final_md5\n" + "".join(f"{n} {n} {n:06}.jpg 0a 0b\n" for n in range(6))
    (folder / "CelebA-HQ-to-CelebA-mapping.txt").write_text(mapping)
    write_record(folder, _record())
    (folder / "frames.csv").write_text("frame,flicker/aba,flicker/static\n0,,0.5\n1,0.1,0.25\n2,0.2,\n")
    (folder / "metrics.csv").write_text("epoch,step,loss\n0,1,2.5\n1,2,1.5\n")
    lists = ("exemplars.txt", "list_eval_partition.txt", "CelebA-HQ-to-CelebA-mapping.txt")
    return {
        "labels yaml": [folder / "labels.yaml"],
        "run yaml": [folder / "config.yaml", folder / "overrides.yaml"],
        "manifest csv": [folder / "videos.csv"],
        "manifest json": [folder / "videos.json"],
        "boxes csv": [folder / "boxes.csv"],
        "image lists": [folder / name for name in lists],
        "run record": [folder / "metrics.json", folder / "frames.csv"],
    }


def _record() -> Mapping[str, Any]:
    values = {"val/miou": 0.6, "flicker/aba": 0.01, "flicker/static": 0.02, "tc/masked": 0.7, "time/ms_per_frame": 3.5}
    rows = {"image": values, "stabilized": {**values, "flicker/aba": 0.005}}
    return {
        "stage": "temporal",
        "w": 0.5,
        "seed": 0,
        "size": 48,
        "flow": "dis",
        "labels": LABELS,
        "result": "stabilized",
        "baseline": "image",
        "metrics": rows,
        "videos": {"a": rows, "b": rows},
    }


def companions(kind: str, folder: Path) -> list[Path]:
    """What lies beside a file of a kind, sound: the videos of a manifest, the other files of a run or a set."""
    names = {
        "manifest csv": ("a.mp4", "b.mkv", "frames", "truth"),
        "manifest json": ("a.mp4", "b.mkv", "frames", "truth"),
        "run yaml": ("metrics.json", "config.yaml", "overrides.yaml"),
        "run record": ("metrics.json", "config.yaml", "overrides.yaml"),
        "image lists": ("exemplars.txt", "list_eval_partition.txt", "CelebA-HQ-to-CelebA-mapping.txt"),
    }
    return [folder / name for name in names.get(kind, ())]


def _listed_videos(folder: Path) -> None:
    shutil.copy(folder / "h264.mp4", folder / "a.mp4")
    shutil.copy(folder / "h264.mkv", folder / "b.mkv")
    for name in ("frames", "truth"):
        (folder / name).mkdir()
        for number in range(3):
            picture = frame(number) if name == "frames" else labels(number)
            Image.fromarray(picture).save(folder / name / f"{number}.png")
