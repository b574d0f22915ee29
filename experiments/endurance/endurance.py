"""Does anything grow? Memory, handles, threads and time of long videos and of many short ones.

Usage, in the checkout: python experiments/endurance/endurance.py [PART ...] [--fps 10] [--minutes 0.5 30]
    [--frames 500 10000] [--videos 10000] [--output results.json] [--figure figure.png]

Parts: `minutes` (1280 x 720 through stage=predict, a short video and a long one made of it), `frames` (the same at
256 x 256) and `videos` (clips of 8 frames of 64 x 64 through stage=label). Whole processes are watched from outside
through /proc; the network is `net=tiny` with random weights at 64 pixels, as nothing but what stands around it can
grow. What is found is added to the output part by part, so that parts can run at different times.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from clips import repeat_clip, write_clip, write_network, write_short_clips
from figure import draw
from tree import Sample, watch

SIZE = 64
HERE = Path(__file__).parent
PREDICT = ["stage=predict", "ckpt=net.safetensors", "flow=none", "smoother=none", "trainer=cpu"]
LABEL = ["stage=label", "ckpt=net.safetensors", "pseudo=hard", "trainer=cpu", "video.source=many"]
# share of the work after which what is held should be all that is ever held
WARM = 0.1
MEGABYTE = 1e6


def command(arguments: Sequence[str], name: str) -> list[str]:
    """As a user would type it."""
    return [sys.executable, "-m", "facestab.run", *arguments, f"name={name}"]


def predict(folder: Path, clip: str, name: str) -> dict[str, Any]:
    """One video through stage=predict, watched."""
    curves = folder / "runs" / "predict" / name / "videos" / Path(clip).stem

    def frames_done() -> float:
        # a line a frame, which nearly all are of one length
        return sum(path.stat().st_size for path in curves.glob("frames*.csv"))

    samples, _ = watch(command([*PREDICT, f"video.source={clip}"], name), folder, frames_done)
    record = json.loads((folder / "runs" / "predict" / name / "metrics.json").read_text())
    return described(samples, record["inputs"][Path(clip).stem]["frames"], warm=0.0)


def label(folder: Path, number: int) -> dict[str, Any]:
    """Many clips through stage=label, watched."""

    def videos_done() -> float:
        stores = folder / "runs" / "cache" / "pseudo"
        return sum(entry.name.endswith(".json") for store in stores.glob("*-*") for entry in os.scandir(store))

    samples, said = watch(command(LABEL, "many"), folder, videos_done, interval=1.0)
    listed = json.loads((folder / "runs" / "label" / "many" / "labels.json").read_text())
    if len(listed["videos"]) != number:
        raise RuntimeError(said[-2000:])
    return described(samples, number, WARM)


def described(samples: Sequence[Sample], units: int, warm: float) -> dict[str, Any]:
    """What is kept of one run: peaks, what happened from quarter to quarter, and samples enough for a figure."""
    working = [s for s in samples if warm < s.progress < 1] or list(samples)
    keys = ("resident", "own", "handles", "threads")
    quarters = [[s for s in working if s.progress <= (1 - warm) * (k + 1) / 4 + warm] for k in range(4)]
    quarters = [[s for s in part if s not in quarters[k - 1]] if k else part for k, part in enumerate(quarters)]
    step = max(1, len(samples) // 200)
    return {
        "units": units,
        "seconds": samples[-1].seconds,
        "cpu_seconds": max(s.cpu_seconds for s in samples),
        "peak": {key: max(getattr(s, key) for s in working) for key in keys},
        "quarters": [_quarter(part, keys) for part in quarters if part],
        "samples": [[round(s.seconds, 1), round(s.progress, 4), s.resident, s.own] for s in samples[::step]],
    }


def _quarter(part: Sequence[Sample], keys: Sequence[str]) -> dict[str, float]:
    """Medians; and processor and wall seconds for the share of the work that was done."""
    share = part[-1].progress - part[0].progress
    times = {key: getattr(part[-1], key) - getattr(part[0], key) for key in ("seconds", "cpu_seconds")}
    rates = {f"{key}_per_share": value / share for key, value in times.items() if share > 0}
    return {**{key: statistics.median(getattr(s, key) for s in part) for key in keys}, **rates}


def long_video(folder: Path, part: str, lengths: Sequence[int], size: tuple[int, int], fps: Fraction) -> dict[str, Any]:
    """A video, and one that is made of it and many times as long."""
    short, long = lengths
    write_clip(folder / f"{part}_short.mp4", *size, short, fps)
    repeat_clip(folder / f"{part}_short.mp4", folder / f"{part}_long.mp4", round(long / short))
    found = {name: predict(folder, f"{part}_{name}.mp4", f"{part}_{name}") for name in ("short", "long")}
    return {"size": list(size), "fps": str(fps), **found}


def many_videos(folder: Path, number: int) -> dict[str, Any]:
    """Short clips that all differ."""
    write_short_clips(folder / "many", number, num_frames=8, size=SIZE)
    return {"frames": 8, "size": [SIZE, SIZE], "all": label(folder, number)}


def table(results: dict[str, Any]) -> str:
    """Every criterion that has been measured, with what was asked."""
    lines = ["| what | asked | found |", "| --- | ---: | ---: |"]
    for part in ("minutes", "frames"):
        if part in results:
            short, long = results[part]["short"], results[part]["long"]
            height, width = results[part]["size"]
            title = f"{width} x {height}, {long['units']:,} frames / {short['units']:,}"
            for key, name in (("resident", "peak of resident memory"), ("own", "peak of its own memory")):
                ratio = long["peak"][key] / short["peak"][key]
                lines.append(f"| {title}: {name} | at most 1.05 | {ratio:.3f} |")
            lines += _flat(title.partition(" /")[0], long, "frame")
    if "videos" in results:
        found = results["videos"]["all"]
        lines += _flat(f"{found['units']:,} clips of {results['videos']['frames']} frames", found, "clip")
    return "\n".join(lines)


def _flat(title: str, found: dict[str, Any], unit: str) -> list[str]:
    """The last quarter of the work beside the first, both after the warm-up."""
    first, last = found["quarters"][0], found["quarters"][-1]
    lines = []
    for key, name in (("resident", "resident memory"), ("handles", "handles"), ("threads", "threads")):
        scale, suffix = (MEGABYTE, " MB") if key == "resident" else (1, "")
        before, after = (f"{one[key] / scale:.0f}{suffix}" for one in (first, last))
        lines.append(f"| {title}: {name}, first and last quarter | no growth | {before}, {after} |")
    if "cpu_seconds_per_share" in first and "cpu_seconds_per_share" in last:
        before, after = (1000 * one["cpu_seconds_per_share"] / found["units"] for one in (first, last))
        lines.append(f"| {title}: processor ms a {unit}, likewise | the same | {before:.1f}, {after:.1f} |")
    return lines


def machine() -> dict[str, Any]:
    """What it was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {"processor": names[0] if names else platform.machine(), "cores": os.cpu_count()}


def main() -> None:
    """Run the parts, print the table, keep what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", default=["minutes", "frames", "videos"])
    parser.add_argument("--fps", type=Fraction, default=Fraction(10), help="of the videos of minutes")
    parser.add_argument("--minutes", type=float, nargs=2, default=(0.5, 30))
    parser.add_argument("--frames", type=int, nargs=2, default=(500, 10_000))
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    parser.add_argument("--figure", type=Path, default=HERE / "figure.png")
    given = parser.parse_args()
    results = json.loads(given.output.read_text()) if given.output.exists() else {}
    for part in given.parts:
        with tempfile.TemporaryDirectory() as root:
            write_network(Path(root) / "net.safetensors", SIZE)
            if part == "minutes":
                lengths = [round(60 * length * given.fps) for length in given.minutes]
                results[part] = long_video(Path(root), part, lengths, (720, 1280), given.fps)
            elif part == "frames":
                results[part] = long_video(Path(root), part, given.frames, (256, 256), Fraction(25))
            else:
                results[part] = many_videos(Path(root), given.videos)
        results[part]["machine"] = machine()
        given.output.write_text(json.dumps(results, indent=1) + "\n")
    draw(results, given.figure)
    print(table(results))


if __name__ == "__main__":
    main()
