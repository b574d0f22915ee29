"""What decord itself does with damaged videos, beside what PyAV says of them: why facestab reads by decord in a child.

Usage, in the checkout: python experiments/fuzz/decord_alone.py [--inputs 20000] [--seed 11] [--keep runs/decord]

Only files that pass facestab's rules are given to decord. A file promises another count when its header counts other
packets than there are, and has messages when FFmpeg 8 complains while its packets are read.
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av.logging
import mutations
import numpy as np
import seeds
from child import Child, Outcome

from facestab.errors import VideoError
from facestab.video.index import build_index
from facestab.video.pyav_reader import read_frames

# isort: split
# after PyAV: its encoder of VP9 finds decord's older library else
import decord

decord.logging.set_level(decord.logging.QUIET)
av.logging.set_level(av.logging.WARNING)
_BAD = ("crash", "hang", "memory")
_MEMORY = 2 * 2**30


def by_pyav(_: str, path: Path) -> Outcome:
    """What facestab's rules and PyAV say, with the signs of damage that a pass over the packets shows."""
    with av.logging.Capture() as messages:
        try:
            index = build_index(path)
        except VideoError:
            return Outcome("no index")
    if replace(index, promised_packets=0).decord_objection() is not None:
        return Outcome("not trusted")
    signs = ", another count promised" if index.promised_packets not in (0, index.num_packets) else ""
    signs += ", messages" if messages else ""
    try:
        for _frame in read_frames(index, 0, index.info.num_frames):
            pass
    except VideoError:
        return Outcome(f"frames missing{signs}")
    return Outcome(f"every frame decodes{signs}")


def by_decord(_: str, path: Path) -> Outcome:
    """All frames in order, and pairs anywhere with a reader of their own, as facestab's child does."""
    try:
        reader = decord.VideoReader(str(path), num_threads=1)
        for number in range(min(len(reader), 1000)):
            reader[number].asnumpy()
        del reader
        rng = np.random.default_rng(0)
        for _pair in range(4):
            reader = decord.VideoReader(str(path), num_threads=1)
            first = int(rng.integers(max(len(reader) - 1, 1)))
            for number in (first, min(first + 1, len(reader) - 1)):
                reader[number].asnumpy()
            del reader
    except Exception:
        return Outcome("error")
    return Outcome("read")


def study(options: argparse.Namespace, folder: Path) -> Counter[tuple[str, str]]:
    """How often each verdict of PyAV comes with each of decord."""
    found = seeds.make(folder / "seeds")
    videos = [path for kind in ("mp4", "mkv", "other videos") for path in found[kind]]
    videos = [path for path in videos if path.suffix in (".mp4", ".mkv", ".avi", ".webm") and path.stem != "av1"]
    contents = [path.read_bytes() for path in videos]
    children = [Child(job, folder / "log", 20, _MEMORY) for job in (by_pyav, by_decord)]
    table: Counter[tuple[str, str]] = Counter()
    for number in range(options.inputs):
        path = damaged(folder, random.Random(f"{options.seed} {number}"), videos, contents)
        verdict = children[0].do("", path).verdict
        outcome = children[1].do("", path) if "frame" in verdict else Outcome("not tried")
        how = f" {outcome.text.splitlines()[0]}" if outcome.verdict == "crash" else ""
        table[verdict, outcome.verdict + how] += 1
        if outcome.verdict in _BAD and options.keep is not None:
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"{number}{path.suffix}").write_bytes(path.read_bytes())
            (options.keep / f"{number}.txt").write_text(outcome.text)
        path.unlink()
    for child in children:
        child.close()
    return table


def damaged(folder: Path, rng: random.Random, videos: Sequence[Path], contents: Sequence[bytes]) -> Path:
    """One of the videos after one mutation."""
    chosen = rng.randrange(len(videos))
    mutate = rng.choice(mutations.MP4 if videos[chosen].suffix == ".mp4" else mutations.MATROSKA)
    path = folder / f"damaged{videos[chosen].suffix}"
    path.write_bytes(mutate(rng, contents[chosen], contents))
    return path


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--keep", type=Path, help="folder for files on which decord crashes or hangs")
    options, start = parser.parse_args(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        table = study(options, Path(folder))
    for (verdict, outcome), count in sorted(table.items()):
        print(f"| {verdict} | {outcome} | {count} |")
    print(f"{options.inputs} inputs of seed {options.seed} in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
