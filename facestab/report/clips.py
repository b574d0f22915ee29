"""Everything that the page shows of one video: players, flicker over time, x-t profiles and heat maps."""

import os
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np

from facestab.errors import VideoError
from facestab.keys import TRUTH
from facestab.report import pictures
from facestab.report.pictures import Scan
from facestab.report.runs import Run, read_curves
from facestab.report.theme import AFTER, BEFORE, NEUTRAL
from facestab.table import row_title
from facestab.video.label_video import LabelVideo
from facestab.video.overlay import colourise
from facestab.video.source import open_video

# frames of a profile; a longer one would not fit on a screen
MAX_PROFILE = 750
_MAX_HEAT_PX = 480
_DIGITS = 4


class Clip:
    """One video of a run, with the files that are there.

    Args:
        run: the run.
        video: its id.
        page: the folder that the page lies in; players refer to files from there.
    """

    def __init__(self, run: Run, video: str, page: Path) -> None:
        self.run = run
        self.video = video
        self.page = page
        self.notes: list[str] = []
        self.scans: dict[str, Scan] = {}
        for when, name in self._views("labels", ".mkv").items():
            try:
                labels = LabelVideo(name)
                self.scans[when] = pictures.scan(labels.frames(), labels.info.num_frames)
            except VideoError as error:
                self.notes.append(str(error))

    def data(self) -> dict[str, Any]:
        """Plain enough for JSON."""
        info = self.run.record.get("inputs", {}).get(self.video, {})
        parts = {"players": self._players(), "curves": self._curves(), "profile": self._profile(), "heat": self.heat()}
        return {
            "id": self.video,
            "fps": float(Fraction(str(info.get("fps", 25)))),
            **parts,
            "notes": self.notes,
        }

    def heat(self) -> dict[str, Any] | None:
        """Heat maps of this video on one scale."""
        return heat_maps({when: scan.flips_HW for when, scan in self.scans.items()}, self._title)

    def _title(self, when: str) -> str:
        return f"{when}: {row_title(self.run.baseline if when == 'before' else self.run.result)}"

    def _views(self, stem: str, suffix: str) -> dict[str, Path]:
        found = {"before": f"{stem}_before{suffix}", "after": f"{stem}{suffix}"}
        paths = {when: self.run.video_file(self.video, name) for when, name in found.items()}
        return {when: path for when, path in paths.items() if path is not None}

    def _players(self) -> list[dict[str, str]]:
        found = {self._title(when): path for when, path in self._views("overlay", ".mp4").items()}
        compare = self.run.video_file(self.video, "compare.mp4")
        if not found and compare is not None:
            found = {"comparison": compare}
        return [{"title": title, "src": relative_url(path, self.page)} for title, path in found.items()]

    def _curves(self) -> list[dict[str, Any]]:
        """ABA flicker by frame [% of pixels] of before, after and truth; "" is all classes."""
        path = self.run.video_file(self.video, "frames.csv")
        if path is None:
            return []
        columns = read_curves(path)
        rows = {"before": (self.run.baseline, BEFORE, "solid"), "after": (self.run.result, AFTER, "solid")}
        lines = []
        for when, (row, colour, dash) in {**rows, "truth": (TRUTH, NEUTRAL, "dot")}.items():
            start = f"{row}/flicker/aba"
            own = {
                name[len(start) + 1 :]: values for name, values in columns.items() if f"{name}/".startswith(f"{start}/")
            }
            title = row_title(row) if when == "truth" else self._title(when)
            values = {name: _rounded(100 * curve) for name, curve in own.items()}
            lines += [{"title": title, "colour": colour, "dash": dash, "values": values}] if own and row else []
        return lines

    def _profile(self) -> dict[str, Any] | None:
        """x-t pictures along the column that holds most of the small classes, over the stretch that flickers most."""
        if not self.scans:
            return None
        last = self.scans.get("after") or next(iter(self.scans.values()))
        column = pictures.choose_column(last.columns_KW)
        first = pictures.choose_window(next(iter(self.scans.values())).flips_T, MAX_PROFILE)
        lut = self.run.label_set.palette_lut
        found = [self._input_slice(column, first, last.middle_HW.shape)]
        for when, path in self._views("labels", ".mkv").items():
            if when in self.scans:
                labels_HT = pictures.profile(LabelVideo(path).frames(first, first + MAX_PROFILE), column)
                found.append({"title": self._title(when), "src": pictures.png_uri(colourise(labels_HT, lut))})
        ids = np.unique(np.concatenate([np.flatnonzero(scan.columns_KW.sum(1)) for scan in self.scans.values()]))
        return {
            "column": column,
            "width": last.middle_HW.shape[1],
            "first": first,
            "count": min(MAX_PROFILE, len(last.flips_T) - first),
            "where": pictures.png_uri(pictures.marked(colourise(last.middle_HW, lut), column)),
            "pictures": [picture for picture in found if picture is not None],
            "classes": [int(i) for i in ids],
        }

    def _input_slice(self, column: int, first: int, size: tuple[int, ...]) -> dict[str, str] | None:
        """The input's own x-t picture, from the left panel of the comparison, below its strip of captions."""
        path = self.run.video_file(self.video, "compare.mp4")
        if path is None:
            return None
        height, width = size
        try:
            with open_video(path) as source:
                # an odd height was made even by one more row at the bottom
                strip = (source.info.height - height) // 2 * 2
                if strip < 0 or source.info.width < 2 * width:
                    return None
                frames = islice(source.frames(first), MAX_PROFILE)
                slice_HTC = pictures.profile((frame[strip : strip + height] for frame in frames), column)
        except VideoError as error:
            self.notes.append(str(error))
            return None
        return {"title": "input", "src": pictures.png_uri(slice_HTC)}


def heat_maps(counts: dict[str, np.ndarray], title: Any = str) -> dict[str, Any] | None:
    """Heat maps of several counts on one scale, None without any.

    Args:
        counts: name to int64 (H, W).
        title: makes a title of a name.
    """
    if not counts:
        return None
    shrunk = {name: _shrink(counts_HW) for name, counts_HW in counts.items()}
    peak = pictures.peak_count(shrunk.values())
    found = [
        {
            "title": title(name),
            "src": pictures.png_uri(pictures.heat(counts_HW, peak)),
            "total": int(counts[name].sum()),
        }
        for name, counts_HW in shrunk.items()
    ]
    return {"peak": peak, "pictures": found}


def relative_url(path: Path, page: Path) -> str:
    """The URL of a file as seen from a page in the folder `page`."""
    return quote(Path(os.path.relpath(path.absolute(), page.absolute())).as_posix())


def _shrink(counts_HW: np.ndarray) -> np.ndarray:
    """Counts of at most `_MAX_HEAT_PX` a side: means over the pixels that fall together."""
    scale = _MAX_HEAT_PX / max(counts_HW.shape)
    if scale >= 1:
        return counts_HW.astype(np.float64)
    found: np.ndarray = cv2.resize(counts_HW.astype(np.float64), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return found


def _rounded(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), _DIGITS) for value in values]
