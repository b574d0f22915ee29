from collections.abc import Sequence


class FacestabError(Exception):
    """A problem that the user can mend. Shown as one line, without a traceback, with exit code 1."""


class VideoError(FacestabError):
    """A video that cannot be opened, read or written. The message names the file and the remedy."""


class FrameError(VideoError):
    """A frame that cannot be read of a video that could be opened. Among many videos this one is left out."""


def none_usable(reasons: Sequence[str]) -> VideoError:
    """That no video is left, from the reason of each that was left out."""
    lost, first = len(reasons), reasons[0]
    return VideoError(first if lost == 1 else f"none of {lost} videos can be used, the first: {first}")


class WeightsError(FacestabError):
    """A checkpoint or weights file that is missing, broken, or made for another network or label set."""


class SettingError(FacestabError, ValueError):
    """A setting that cannot be: unknown, out of range, or at odds with another."""
