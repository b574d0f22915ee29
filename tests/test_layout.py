import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_only_the_agreed_folders_lie_at_the_top():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {line.split("/")[0] for line in listed.splitlines()}
    agreed = {"pyproject.toml", "conf", "facestab", "experiments", "tests", "Makefile", "README.md"}
    assert {name for name in top if not name.startswith(".")} <= agreed


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, facestab, facestab.labels; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_metrics_can_be_used_without_the_trainer():
    code = "import sys, facestab.metrics.flicker; sys.exit(any(m in sys.modules for m in ('hydra', 'wandb', 'av')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
