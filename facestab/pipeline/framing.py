"""What the `detector` group asks for."""

from omegaconf import DictConfig

from facestab.build import build
from facestab.data.cropped_videos import CroppedVideos
from facestab.data.framing import Framer
from facestab.data.videos import VideoSet
from facestab.nets.segnet import SegNet

SEGMENTER = "facestab.data.segmenter.SegmenterDetector"


def looks_itself(config: DictConfig) -> bool:
    """Whether it is the network that finds the faces."""
    return "detector" in config.detector and config.detector.detector._target_ == SEGMENTER


def make_framer(config: DictConfig, net: SegNet | None, size: int) -> Framer | None:
    """What finds the faces of a video; None when the network sees whole frames.

    Args:
        config: of a stage that has the group `detector`.
        net: looks for faces itself where the group says so; not needed elsewhere.
        size: pixels of the shorter side at which it does.
    """
    node = config.detector
    if "detector" not in node:
        framer: Framer | None = build(node)
        return framer
    own = {"net": net, "size": size} if looks_itself(config) else {}
    framer = build(node, detector=build(node.detector, **own))
    return framer


def make_videos(config: DictConfig, net: SegNet | None) -> VideoSet:
    """The videos to train on: cut to the faces in them where the `detector` group finds any.

    Args:
        config: of a stage that has the groups `video` and `detector`.
        net: see `make_framer`.
    """
    videos: VideoSet = build(config.video)
    framer = make_framer(config, net, config.size)
    return videos if framer is None else CroppedVideos(videos, framer, config.paths.cache)
