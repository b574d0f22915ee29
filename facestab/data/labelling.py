"""One video through a teacher, and into a file of labels."""

from collections.abc import Generator
from contextlib import closing
from itertools import islice
from pathlib import Path
from types import TracebackType

import numpy as np
from torch import Tensor

from facestab.data.pseudo_labels import NUM_LEVELS, count_levels, encode
from facestab.data.teacher import Place, Teacher
from facestab.data.videos import VideoItem
from facestab.engines.base import Engine
from facestab.errors import FacestabError
from facestab.nets.inference import resize_frames, resize_labels
from facestab.overlap import ahead
from facestab.types import VideoInfo
from facestab.video.sink import VideoSink


def teach(
    item: VideoItem, engine: Engine, teacher: Teacher, size: int, batch_size: int
) -> Generator[Tensor, None, None]:
    """Probabilities of every frame of a video in order, float32 (K, h, w), on the CPU; frames are read ahead.

    Args:
        item: the video. What the teacher sees ends at its cuts.
        engine: the image model, ready to run.
        teacher: looks at the frames.
        size: pixels of the frames' shorter side.
        batch_size: frames per forward pass.
    """
    with item.open() as source:
        resized = (resize_frames(frame_HWC[None], size)[0] for frame_HWC in source.frames())
        with closing(ahead(resized, 2 * batch_size)) as frames:
            for start, stop in item.shots:
                # the last one is as long as there are frames, whatever the index says
                shot = islice(frames, stop - start) if stop < item.num_frames else frames
                yield from teacher.probabilities(engine, shot, Place(item.id, start), batch_size)


class LabelWriter:
    """Writes probabilities as a label video, which appears whole or not at all, and counts what it writes.

    Args:
        path: of the label video.
        info: of the video that is labelled.
        num_classes: K.
    """

    def __init__(self, path: Path, info: VideoInfo, num_classes: int) -> None:
        self.info = info
        self.num_classes = num_classes
        self.pixels_KL = np.zeros((num_classes, NUM_LEVELS), np.int64)
        self._sink = VideoSink(path, info.fps, codec="labels")

    def __enter__(self) -> "LabelWriter":
        self._sink.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sink.__exit__(kind, error, trace)

    def write(self, probs_KHW: Tensor) -> None:
        """Add a frame.

        Raises:
            FacestabError: when the image model has other classes.
        """
        if len(probs_KHW) != self.num_classes:
            raise FacestabError(
                f"the image model tells {len(probs_KHW)} classes apart, the label set has {self.num_classes}; "
                "choose the labels that the model was trained on"
            )
        encoded_3HW = resize_labels(encode(probs_KHW), self.info.height, self.info.width)
        # one above the other: as colours of one picture, the noise of one would be carried into the others
        self._sink.write(encoded_3HW.reshape(-1, self.info.width))
        self.pixels_KL += count_levels(encoded_3HW, self.num_classes)
