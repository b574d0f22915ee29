import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.tiny import IMAGE

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


def test_the_wheel_brings_its_configuration_and_runs_elsewhere(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert "facestab/conf/config.yaml" in names
    assert "facestab/conf/stage/temporal.yaml" in names
    (tmp_path / "work").mkdir()
    code = "import facestab.run, sys; print(facestab.run.__file__); print(facestab.run.conf_dir())"
    for command in (["-c", code], ["-m", "facestab.run", "stage=image", "name=wheel", *IMAGE]):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1"}
        environment.pop("FACESTAB_NAME", None)
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path / "work",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if command[0] == "-c":
            assert done.stdout.splitlines() == [
                str(tmp_path / "site" / "facestab" / "run.py"),
                str(tmp_path / "site" / "facestab" / "conf"),
            ]
    assert (tmp_path / "work" / "runs" / "image" / "wheel" / "metrics.json").is_file()
