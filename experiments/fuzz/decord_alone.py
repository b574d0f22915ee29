"""What decord itself does with damaged videos, beside what PyAV says of them: the evidence for facestab's guard.

Usage, in the checkout: python experiments/fuzz/decord_alone.py [--inputs 3000] [--seed 1]
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

import mutations
import numpy as np
import seeds
from child import Child, Outcome

import av.logging

from facestab.video.container import opened
from facestab.video.index import build_index
from facestab.video.pyav_reader import read_frames

# isort: split
# after PyAV: the encoder of VP9 finds decord's older library else
import decord

decord.logging.set_level(decord.logging.QUIET)
av.logging.set_level(av.logging.WARNING)


def by_pyav(_: str, path: Path) -> Outcome:
    """What PyAV and facestab's rules say, with the signs of damage that a pass over the packets shows."""
    with av.logging.Capture() as messages:
        try:
            index = build_index(path)
        except Exception:
            return Outcome("no index")
        if index.decord_objection() is not None:
            return Outcome("objection")
        with opened(path) as (_container, stream):
            counted = stream.frames in (0, len(index.pts))
        signs = ("" if counted else ", wrong count") + (", messages" if messages else "")
    try:
        for _frame in read_frames(index, 0, index.info.num_frames):
            pass
    except Exception:
        return Outcome(f"passes, frames missing{signs}")
    return Outcome(f"passes, every frame decodes{signs}")


def by_decord(kind: str, path: Path) -> Outcome:
    try:
        reader = decord.VideoReader(str(path), num_threads=1)
        for number in range(min(len(reader), 1000)):
            reader[number].asnumpy()
        del reader
        rng = np.random.default_rng(0)
        for _ in range(4):
            reader = decord.VideoReader(str(path), num_threads=1)
            first = int(rng.integers(max(len(reader) - 1, 1)))
            for number in (first, min(first + 1, len(reader) - 1)):
                reader[number].asnumpy()
            del reader
    except Exception as error:
        return Outcome("error", repr(error))
    return Outcome("read")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=3000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    table: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = seeds.make(folder / "seeds")
        videos = [path for kind in ("mp4", "mkv", "other videos") for path in found[kind]]
        videos = [path for path in videos if path.suffix in (".mp4", ".mkv", ".avi", ".webm") and path.stem != "av1"]
        contents = [path.read_bytes() for path in videos]
        pyav = Child(by_pyav, folder / "pyav.log", options.seconds, 2 << 30)
        alone = Child(by_decord, folder / "decord.log", options.seconds, 2 << 30)
        start = time.time()
        for number in range(options.first, options.first + options.inputs):
            rng = random.Random(f"{options.seed} {number}")
            chosen = rng.randrange(len(videos))
            mutate = rng.choice(mutations.MP4 if videos[chosen].suffix == ".mp4" else mutations.MATROSKA)
            path = folder / f"{number}{videos[chosen].suffix}"
            path.write_bytes(mutate(rng, contents[chosen], contents))
            a = pyav.do("", path)
            b = alone.do("", path) if a.verdict.startswith("passes") else Outcome("not tried")
            verdict = b.verdict if b.verdict != "crash" else f"crash {b.text.splitlines()[0]}"
            table[a.verdict, verdict] += 1
            if a.verdict in ("traceback", "crash", "hang", "memory") or b.verdict in ("crash", "hang", "memory"):
                print(number, videos[chosen].name, mutate.__qualname__, a.verdict, a.text[:200], "|", verdict, flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{number}_{videos[chosen].name}").write_bytes(path.read_bytes())
                    (options.keep / f"{number}.txt").write_text(f"{a}\n{b.text}")
            path.unlink()
        pyav.close()
        alone.close()
        for (a, b), count in sorted(table.items()):
            print(f"| {a} | {b} | {count} |")
        print(f"{options.inputs} in {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
