"""The motion between the frames of a video, estimated once and kept on disk for training."""

import hashlib
import json
import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from filelock import FileLock

from facestab.data.videos import VideoItem
from facestab.nets.inference import resize_frames
from facestab.video.flow import FlowBackend, VideoFrame, flow_settings

log = logging.getLogger(__name__)
# 1/64 px; the largest flow that fits is 512 px
_STEPS_PER_PX = 64


class FlowStore:
    """Flow from each frame to the one `gap` frames later, at the size at which the network sees the video.

    Stored as 16-bit integers of 1/64 px, 5 bytes a pixel and frame, and read from disk as needed.

    Args:
        root: the folder of all stores.
        flow: finds the motion.
        size: pixels of the shorter side of the frames.

    Raises:
        ValueError: for a size below 1.
    """

    def __init__(self, root: str, flow: FlowBackend, size: int) -> None:
        if size < 1:
            raise ValueError(f"size: at least 1 pixel is needed, got {size}")
        self.flow = flow
        self.size = size
        self.folder = Path(root) / f"{flow.name}-{_settings_digest(flow)}-{size}px"

    def fill(self, items: list[VideoItem], gaps: Iterable[int], rank: int = 0, world_size: int = 1) -> None:
        """Find the motion that is not there yet. Processes share the work: each video is done by one of them."""
        # a video that is no longer than the gap has no motion to find
        wanted = [(item, gap) for gap in gaps for item in items if gap < item.num_frames]
        missing = [(item, gap) for item, gap in wanted if not self._paths(item, gap)[1].exists()]
        if not missing:
            return
        log.info("flow: %d runs of frames are missing in %s", len(missing), self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        ordered = missing[rank::world_size] + [key for i, key in enumerate(missing) if i % world_size != rank]
        for item, gap in ordered:
            paths = self._paths(item, gap)
            with FileLock(paths[0].with_suffix(".lock")):
                if not paths[1].exists():
                    self._estimate(item, gap, *paths)

    def motion(self, item: VideoItem, gap: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        """From frame `index` to frame `index + gap`.

        Returns:
            float32 (H, W, 2) in pixels at the store's size, x then y; bool (H, W), where the point is seen in both.
        """
        flow, visible = (np.load(path, mmap_mode="r") for path in self._paths(item, gap))
        return np.asarray(flow[index], np.float32) / _STEPS_PER_PX, np.asarray(visible[index])

    def _paths(self, item: VideoItem, gap: int) -> tuple[Path, Path]:
        stem = f"{item.digest()[:32]}-{gap}"
        return self.folder / f"{stem}-flow.npy", self.folder / f"{stem}-visible.npy"

    def _estimate(self, item: VideoItem, gap: int, flow_path: Path, visible_path: Path) -> None:
        with item.open() as source:
            frames = [
                VideoFrame(item.id, index, resize_frames(frame_HWC[None], self.size)[0])
                for index, frame_HWC in enumerate(source.frames())
            ]
        found = [self.flow.correspondence(frames[t], frames[t + gap]) for t in range(len(frames) - gap)]
        flows = np.stack([np.round(motion.flow_HW2 * _STEPS_PER_PX) for motion in found])
        # the visible mask is written last: where it is, the flow is too
        _save(flow_path, np.clip(flows, -(2**15), 2**15 - 1).astype(np.int16))
        _save(visible_path, np.stack([motion.visible_HW for motion in found]))


def _settings_digest(flow: FlowBackend) -> str:
    return hashlib.sha256(json.dumps(flow_settings(flow), sort_keys=True).encode()).hexdigest()[:8]


def _save(path: Path, array: np.ndarray) -> None:
    part = path.with_suffix(".part.npy")
    np.save(part, array)
    part.replace(path)
