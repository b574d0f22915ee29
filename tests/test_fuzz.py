"""A short run of experiments/fuzz, whose findings have cases of their own in test_damaged_inputs.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_300_damaged_files_are_each_read_or_refused_in_one_line(tmp_path: Path) -> None:
    script = ROOT / "experiments" / "fuzz" / "fuzz.py"
    done = subprocess.run(
        [sys.executable, str(script), "--inputs", "300", "--seed", "7", "--keep", str(tmp_path / "kept")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["inputs tried: 300, crashes: 0, hangs: 0, memory: 0"], done.stdout
    assert done.returncode == 0, done.stderr[-2000:]
    assert not (tmp_path / "kept").exists()
