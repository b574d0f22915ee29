"""Exact flow of the synthetic world, as a backend among those that estimate."""

from facestab.data.synthetic.clip import Clip
from facestab.data.synthetic.sets import SyntheticVideos
from facestab.errors import FacestabError
from facestab.video.flow import Correspondence, VideoFrame


class ExactFlow:
    """Looks up which moments of which clip two frames show; their pixels do not matter.

    Args:
        videos: the synthetic videos that the frames come from.

    Raises:
        ValueError: for videos of another kind.
    """

    def __init__(self, videos: SyntheticVideos) -> None:
        if not isinstance(videos, SyntheticVideos):
            raise ValueError(f"videos: exact flow is known of synthetic videos only, got {type(videos).__name__}")
        self.name = "exact"
        self._videos = videos
        self._items = {item.id: item for split in videos.numbers for item in videos.split(split)}
        self._last: tuple[str, Clip] | None = None

    def correspondence(self, frame_a: VideoFrame, frame_b: VideoFrame) -> Correspondence:
        """Motion from frame a to any other frame of its video, earlier or later.

        Raises:
            FacestabError: when the frames are not of one synthetic video, or not as it shows them.
        """
        if frame_a.video != frame_b.video:
            raise FacestabError(f"exact flow is known within one video, got '{frame_a.video}' and '{frame_b.video}'")
        clip = self._clip(frame_a.video)
        for frame in (frame_a, frame_b):
            _check(clip, frame)
        if frame_a.corner != frame_b.corner or frame_a.pixels_HWC.shape != frame_b.pixels_HWC.shape:
            raise FacestabError(f"exact flow of '{frame_a.video}' is known between the same parts of two frames")
        (top, left), (height, width) = frame_a.corner or (0, 0), frame_a.pixels_HWC.shape[:2]
        part = slice(top, top + height), slice(left, left + width)
        return Correspondence(*(whole[part] for whole in clip.flow(frame_a.index, frame_b.index - frame_a.index)))

    def __reduce__(self) -> tuple[type["ExactFlow"], tuple[SyntheticVideos]]:
        return ExactFlow, (self._videos,)

    def _clip(self, video: str) -> Clip:
        if self._last is None or self._last[0] != video:
            if video not in self._items:
                raise FacestabError(f"'{video}' is not a synthetic video, so its exact flow is not known; use flow=dis")
            self._last = video, self._videos.clip(self._items[video])
        return self._last[1]


def _check(clip: Clip, frame: VideoFrame) -> None:
    height, width = frame.pixels_HWC.shape[:2]
    if frame.corner is None and (height, width) != (clip.size, clip.size):
        raise FacestabError(
            f"exact flow of '{frame.video}' is known at {clip.size} x {clip.size} pixels, got {height} x {width}"
        )
    if not 0 <= frame.index < clip.num_frames:
        raise FacestabError(f"'{frame.video}' has frames 0 to {clip.num_frames - 1}, got {frame.index}")
