"""Damaged files through facestab's readers: each is read, or refused in one line. Nothing crashes, hangs or grows.

Usage, in the checkout: python experiments/fuzz/fuzz.py [--inputs 10000] [--seed 0] [--keep runs/fuzz]

Input number n of a seed is always the same: --first n --inputs 1 tries it again. What did worse than to be read or
refused is kept under --keep, with its line or the stacks of its threads in why.txt. Exit code 1 when there is any.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# quiet encoders, and no thread that a forked child would miss
os.environ |= {"SVT_LOG": "1", "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled", "FACESTAB_NAME": "fuzz"}

import mutations
import seeds
from child import Child, Outcome
from readers import READERS, read

# how often each kind comes in 100 inputs, and what is done to it
KINDS: dict[str, tuple[int, Sequence[mutations.Mutation]]] = {
    "mp4": (20, mutations.MP4),
    "mkv": (15, mutations.MATROSKA),
    "other videos": (5, mutations.BYTES),
    "label videos": (7, mutations.MATROSKA),
    "png": (9, mutations.PNG),
    "jpg": (8, mutations.JPEG),
    "other images": (3, mutations.BYTES),
    "safetensors": (8, mutations.SAFETENSORS),
    "ckpt": (8, mutations.CHECKPOINT),
    "onnx": (2, mutations.BYTES),
    "labels yaml": (3, mutations.TEXT),
    "run yaml": (2, mutations.TEXT),
    "run record": (2, mutations.TEXT),
    "manifest csv": (3, mutations.TEXT),
    "manifest json": (2, mutations.TEXT),
    "boxes csv": (2, mutations.TEXT),
    "image lists": (1, mutations.TEXT),
}
BAD = ("traceback", "crash", "hang", "memory")
_COLUMNS = ("read", "refused", *BAD)


class Limits(NamedTuple):
    """What one input may take."""

    seconds: float = 20.0
    memory: int = 2 * 2**30


class Fuzzer:
    """Makes inputs from seed files in a folder of its own and has them read.

    Args:
        folder: for seed files and inputs.
        seed: of all mutations.
        limits: of one input.
        keep: folder for the inputs that did badly, None to keep none.
    """

    def __init__(self, folder: Path, seed: int, limits: Limits, keep: Path | None) -> None:
        self.folder = folder
        self.seed = seed
        self.keep = keep
        self.seeds = seeds.make(folder / "seeds")
        self.contents = {kind: [path.read_bytes() for path in paths] for kind, paths in self.seeds.items()}
        self.child = Child(read, folder / "child.log", limits.seconds, limits.memory)

    def run(self, kind: str, number: int) -> Outcome:
        """The outcome of one input."""
        rng = random.Random(f"{self.seed} {number} {kind}")
        chosen = rng.randrange(len(self.seeds[kind]))
        mutate = rng.choice(KINDS[kind][1])
        data = mutate(rng, self.contents[kind][chosen], self.contents[kind])
        if data and rng.random() < 0.25:
            data = rng.choice(mutations.AGAIN)(rng, data, self.contents[kind])
        place = self.folder / f"{number}"
        place.mkdir()
        for companion in seeds.companions(kind, self.folder / "seeds"):
            (shutil.copytree if companion.is_dir() else shutil.copy)(companion, place / companion.name)
        path = place / self.seeds[kind][chosen].name
        path.write_bytes(data)
        outcome = self.child.do(kind, path)
        if outcome.verdict in BAD:
            self._keep(place, path, f"{kind} {number} by {mutate.__qualname__}: {outcome.verdict}\n{outcome.text}\n")
        shutil.rmtree(place)
        return outcome

    def _keep(self, place: Path, path: Path, why: str) -> None:
        print(why[:400] if self.keep is not None else why, flush=True)
        if self.keep is not None:
            # readers may have moved it or written beside it
            target = self.keep / f"{self.seed}-{place.name}"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(place, target)
            (target / "why.txt").write_text(why, errors="replace")


def schedule(kinds: Sequence[str]) -> list[str]:
    """One round of kinds, each as often as it should come, evenly mixed."""
    places = [((turn + 0.5) / KINDS[kind][0], kind) for kind in kinds for turn in range(KINDS[kind][0])]
    return [kind for _, kind in sorted(places)]


def table(outcomes: dict[str, list[Outcome]]) -> list[str]:
    """Markdown: what became of the inputs of each kind, the most memory that one took, and the longest time."""
    heading = ("kind", "inputs", *_COLUMNS, "most memory [MiB]", "longest [s]")
    lines = [f"| {' | '.join(heading)} |", f"| --- |{' ---: |' * (len(heading) - 1)}"]
    everything = [outcome for found in outcomes.values() for outcome in found]
    for kind, found in [*outcomes.items(), ("all", everything)]:
        counts = Counter(outcome.verdict for outcome in found)
        numbers = [len(found), *(counts[name] for name in _COLUMNS), round(max(o.peak for o in found) / 2**20)]
        lines.append(f"| {kind} | {' | '.join(map(str, numbers))} | {max(o.seconds for o in found):.1f} |")
    return lines


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--keep", type=Path, help="folder for inputs that did badly")
    options = parser.parse_args()
    assert set(READERS) == set(KINDS)
    start, round_ = time.monotonic(), schedule(options.kinds)
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(Path(folder), options.seed, Limits(), options.keep)
        for number in range(options.first, options.first + options.inputs):
            kind = round_[number % len(round_)]
            outcomes[kind].append(fuzzer.run(kind, number))
        fuzzer.child.close()
    print("\n".join(table({kind: outcomes[kind] for kind in KINDS if kind in outcomes})))
    verdicts = Counter(outcome.verdict for found in outcomes.values() for outcome in found)
    crashes = verdicts["crash"] + verdicts["traceback"]
    print(f"seed {options.seed}, {time.monotonic() - start:.0f} s")
    print(
        f"inputs tried: {options.inputs}, crashes: {crashes}, hangs: {verdicts['hang']}, memory: {verdicts['memory']}"
    )
    sys.exit(any(verdicts[name] for name in BAD))


if __name__ == "__main__":
    main()
