"""What the runs of `endurance.py` look at: a network of random weights, one long clip, many short ones."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from av.packet import Packet
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from facestab.build import build, conf_dir, resolved
from facestab.data.synthetic import Clip, Conditions, identity_seed
from facestab.nets.weights import ModelCard, save_weights
from facestab.video.sink import VideoSink


def write_network(path: Path, size: int) -> None:
    """Weights of `net=tiny` as they are before training."""
    OmegaConf.register_new_resolver("len", len, replace=True)
    os.environ.setdefault("FACESTAB_NAME", "endurance")
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        config = compose("config", overrides=["stage=image", "net=tiny"])
    torch.manual_seed(0)
    labels = build(config.labels).to_dict()
    save_weights(path, build(config.net), ModelCard("image", resolved(config.net), labels, size))


def write_clip(path: Path, height: int, width: int, num_frames: int, fps: Fraction) -> None:
    """A synthetic face that talks before a background that moves, H.264."""
    face = Clip(identity_seed("train", 0), 0, num_frames=num_frames, size=128, conditions=Conditions.video())
    noise = np.random.default_rng(0).integers(0, 256, (height // 40, width // 40, 3)).astype(np.uint8)
    background_HWC = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    left = (width - height) // 2
    with VideoSink(path, fps) as sink:
        for t in range(num_frames):
            frame_HWC = np.roll(background_HWC, 2 * t, axis=1)
            frame_HWC[:, left : left + height] = cv2.resize(face.frame(t), (height, height))
            sink.write(frame_HWC)


def repeat_clip(source: Path, path: Path, times: int) -> None:
    """The clip over and over in one file: its packets are copied, so that every frame costs what it cost once."""
    with av.open(str(source)) as clip, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(clip.streams.video[0])
        for packet in _repeated(clip, times):
            packet.stream = stream
            output.mux(packet)


def _repeated(clip: "av.container.InputContainer", times: int) -> Iterator[Packet]:
    stream = clip.streams.video[0]
    length = int(stream.duration or 0)
    for turn in range(times):
        clip.seek(0, stream=stream)
        for packet in clip.demux(stream):
            if packet.size and packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts = packet.pts + turn * length, packet.dts + turn * length
                yield packet


def write_short_clips(folder: Path, number: int, num_frames: int, size: int) -> None:
    """Clips that all differ, each of a few frames."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for i in range(number):
        picture = random.integers(0, 256, (size // 8, size // 8, 3)).astype(np.uint8)
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC)
        with VideoSink(folder / f"{i:05d}.mp4", Fraction(25), thread_count=1) as sink:
            for t in range(num_frames):
                sink.write(np.roll(picture, t, axis=1))
