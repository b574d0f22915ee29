"""What the environment of a run holds stays there."""

import os
import subprocess
import sys

import pytest

from tests.tiny import TEMPORAL

pytestmark = pytest.mark.slow

KEY = "5ec7e7" + "0f" * 17
TOKEN = "a-token-of-something-else"
QUICK = ["trainer=cpu", "smoother=none", "flow=none", "controls=[]", "inference.write=[labels,compare]"]


def test_keys_and_environment_reach_no_file_of_a_run_and_its_page(tmp_path):
    (tmp_path / ".netrc").write_text(f"machine api.wandb.ai login user password {KEY}\n")
    (tmp_path / ".netrc").chmod(0o600)
    hidden = {"WANDB_API_KEY": KEY, "HF_TOKEN": TOKEN, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    work = tmp_path / "work"
    work.mkdir()
    commands = [
        ["facestab.run", "stage=temporal", *TEMPORAL, *QUICK, "logger=wandb_offline", "name=x"],
        ["facestab.report", "runs/temporal/x"],
    ]
    printed = ""
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=work,
            env={**os.environ, **hidden},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        printed += done.stdout + done.stderr
    files = [path for path in work.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"config.yaml", "run.log", "metrics.json", "report.html"} <= names
    assert [path for path in files if path.suffix == ".wandb"]
    contents = {str(path): path.read_bytes() for path in files}
    for secret in (KEY, TOKEN):
        assert secret not in printed
        assert [name for name, content in contents.items() if secret.encode() in content] == []
