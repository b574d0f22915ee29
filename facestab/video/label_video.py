"""Videos and folders of label maps, whose ids come back as they were written."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from facestab.errors import VideoError
from facestab.types import VideoInfo
from facestab.video.base import Source
from facestab.video.frame_folder import FrameFolder, open_image
from facestab.video.video_file import VideoFile

# no JPEG: it changes ids
LABEL_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".pgm")


def read_label(path: Path) -> np.ndarray:
    """uint8 (H, W): the ids of a grey or palette image, as they are stored.

    Raises:
        ValueError: when the image is in colour, or an id is above 255.
    """
    with open_image(path) as image:
        if image.mode not in ("P", "L", "1") and not image.mode.startswith("I"):
            raise ValueError(f"a label image is grey or has a palette, this one is {image.mode}")
        labels_HW = np.asarray(image)
    if labels_HW.max() > 255:
        raise ValueError(f"ids go from 0 to 255, this one has {labels_HW.max()}")
    return labels_HW.astype(np.uint8)


class LabelVideo(Source):
    """Label maps: a video written by `VideoSink` with codec="labels" (FFV1, grey), or a folder of label images.

    Args:
        path: the file or the folder.
        fps: frames per second of a folder.

    Raises:
        VideoError: when there is nothing, or nothing that keeps ids. A video for viewing does not.
    """

    def __init__(self, path: str | Path, fps: Fraction = Fraction(25)) -> None:
        self.path = Path(path)
        self.fps = fps
        self._source: FrameFolder | VideoFile
        if self.path.is_dir() or self.path.suffix.lower() in LABEL_SUFFIXES:
            self._source = FrameFolder(self.path, fps, read_label, LABEL_SUFFIXES)
        else:
            self._source = VideoFile(self.path, "pyav", "gray")

    @property
    def info(self) -> VideoInfo:
        """Rate, number of frames and size."""
        if isinstance(self._source, VideoFile):
            index = self._source.index
            if (index.info.codec, index.pixel_format) != ("ffv1", "gray"):
                is_now = f"{index.info.codec} {index.pixel_format}"
                remedy = "give FFV1 gray (.mkv) or a folder of label PNGs"
                raise VideoError(f"{self.path}: {is_now} does not keep label ids; {remedy}")
        return self._source.info

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Label maps start .. stop - 1 as a slice takes them, uint8 (H, W)."""
        numbers = range(self.info.num_frames)[start:stop]
        return self._source.frames(numbers.start, numbers.stop)

    def pair(self, index: int) -> np.ndarray:
        """Label maps index and index + 1, uint8 (2, H, W).

        Raises:
            IndexError: unless 0 <= index < num_frames - 1.
        """
        self.check_pair(index)
        return self._source.pair(index)

    def close(self) -> None:
        """Forget the index; the next use reads it again."""
        self._source.close()


def read_labels(path: str | Path) -> Iterator[np.ndarray]:
    """The label maps of a label video or of a folder of label images, in order, uint8 (H, W)."""
    return LabelVideo(path).frames()
