"""How often does a command that is killed anywhere not end as it would have? A table; its last line counts the losses.

Every command runs once and is left alone. Then it is started in an empty folder, killed at moments of chance, started
again, and so on; when it has ended, the two folders are compared, file by file.
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.killing import differing, kill_again_and_again
from tests.tiny import TEMPORAL

QUICK = ["trainer=cpu", "inference.write=[labels]"]
SWEEP = ["-m", "stage=image", *(s for s in TEMPORAL if s.startswith(("net", "size", "data"))), "image.max_epochs=3"]
COMMANDS = {
    # with the trained control and the recurrent baseline
    "temporal": ["stage=temporal", *TEMPORAL, *QUICK, "controls=[continued]", "temporal.max_epochs=3", "name=x"],
    "label": ["stage=label", "ckpt=WEIGHTS", "video.source=CLIPS", "write=[labels,confidence]", *QUICK[:1], "name=x"],
    "predict": ["stage=predict", "ckpt=WEIGHTS", "video.source=CLIPS", *QUICK, "name=x"],
    "sweep": [*SWEEP, "seed=0,1,2", "trainer=cpu"],
}
# of all kills
SHARES = {"temporal": 0.5, "label": 0.15, "predict": 0.2, "sweep": 0.15}
KILLS_A_RUN = {"temporal": 20, "label": 6, "predict": 6, "sweep": 8}


def main() -> None:
    """Kill, compare, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("chaos.json"))
    wanted = parser.parse_args()
    rng = np.random.default_rng(wanted.seed)
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as home:
        for name in COMMANDS:
            calm = Path(home) / name
            calm.mkdir()
            story = kill_again_and_again(_command(name, Path(home)), calm, 0, rng)
            assert story.codes == [0], _printed(calm)
        for name, share in SHARES.items():
            lines.append(_row(name, round(share * wanted.kills), Path(home), rng))
            print(_text(lines[-1]), flush=True)
    about = {"seed": wanted.seed, "processor": _processor(), "python": platform.python_version()}
    wanted.output.write_text(json.dumps({**about, "rows": lines}, indent=1) + "\n")
    total = {key: sum(line[key] for line in lines) for key in lines[0] if isinstance(lines[0][key], int)}
    print(
        f"faults tried {total['kills']}, survived {total['survived']}, bytes lost {total['bytes_lost']}, "
        f"files differing {total['differing']} of {total['files']}"
    )


def _row(name: str, kills: int, home: Path, rng: np.random.Generator) -> dict[str, Any]:
    """One command, in as many folders as it takes to be killed so often."""
    row: dict[str, Any] = {"stage": name, "runs": 0, "kills": 0, "survived": 0, "files": 0, "differing": 0}
    row |= {"bytes_lost": 0, "seconds": 0, "moments": {}, "names": []}
    begin = time.monotonic()
    while row["kills"] < kills:
        with tempfile.TemporaryDirectory(dir=home) as folder:
            calm, killed = home / name / "runs", Path(folder) / "runs"
            most = min(KILLS_A_RUN[name], kills - row["kills"])
            story = kill_again_and_again(_command(name, home), Path(folder), most, rng)
            found = differing(calm, killed)
            lost = [path for path in found if not (killed / path).exists()]
            row["runs"] += 1
            row["kills"] += story.kills
            row["survived"] += story.kills if story.codes == [0] and not found else 0
            row["files"] += sum(path.is_file() for path in killed.rglob("*"))
            row["differing"] += len(found)
            row["bytes_lost"] += sum((calm / path).stat().st_size for path in lost)
            row["names"] += found
            for moment in story.moments:
                kind = "".join(Path(moment).suffixes[-2:]) or "start"
                row["moments"][kind] = row["moments"].get(kind, 0) + 1
            if story.codes != [0] or not story.kills:
                print(_printed(Path(folder)))
                break
    row["seconds"] = round(time.monotonic() - begin)
    return row


def _command(name: str, home: Path) -> list[str]:
    """What others made is read from the folder of the first command, where nobody was killed."""
    weights = home / "temporal" / "runs" / "temporal" / "x" / "weights.safetensors"
    clips = home / "temporal" / "runs" / "cache" / "synthetic"
    clips = next(clips.glob("*/test_0000"), clips).parent
    return [part.replace("WEIGHTS", str(weights)).replace("CLIPS", str(clips)) for part in COMMANDS[name]]


def _text(row: dict[str, Any]) -> str:
    moments = ", ".join(f"{kind} {number}" for kind, number in sorted(row["moments"].items()))
    counts = "  ".join(f"{key} {row[key]}" for key in ("runs", "kills", "survived", "files", "differing", "bytes_lost"))
    return f"{row['stage']:<9} {counts}  {row['seconds']} s  killed after: {moments}  {row['names'][:5]}"


def _printed(folder: Path) -> str:
    return (folder / "printed.txt").read_text()[-3000:]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
