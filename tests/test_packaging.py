"""The source distribution, and the wheel that is built of it, in another folder."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.tiny import IMAGE

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with both, and with the wheel unpacked below `site`, as an installation would."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(folder / "site"), str(wheel)], check=True, capture_output=True)
    return folder


def run(built, *command, cwd):
    """With the installed package before all others."""
    environment = {**os.environ, "PYTHONPATH": str(built / "site"), "OMP_NUM_THREADS": "1"}
    environment.pop("FACESTAB_NAME", None)
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def below(folder, *suffixes):
    return {str(p.relative_to(ROOT)) for p in (ROOT / folder).rglob("*") if p.suffix in suffixes}


def test_both_hold_all_modules_and_all_of_the_configuration_and_that_it_is_typed(built):
    (wheel,) = built.glob("*.whl")
    (source,) = built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    with tarfile.open(source) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    modules, settings = below("facestab", ".py", ".typed", ".html", ".js", ".css"), below("conf", ".yaml")
    assert len(modules) > 200
    assert modules | settings | {"pyproject.toml", "README.md"} <= shipped
    assert modules | {f"facestab/{name}" for name in settings} <= packed
    assert "facestab/py.typed" in packed
    assert {name.partition("/")[0].partition("-")[0] for name in packed} == {"facestab"}


def test_the_installed_package_brings_its_configuration_and_runs_elsewhere(built, tmp_path):
    code = "import facestab.run, sys; print(facestab.run.__file__); print(facestab.run.conf_dir())"
    found = run(built, "-c", code, cwd=tmp_path).stdout.splitlines()
    package = built / "site" / "facestab"
    assert found == [str(package / "run.py"), str(package / "conf")]
    done = run(built, "-m", "facestab.run", "stage=image", "name=wheel", *IMAGE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "image" / "wheel" / "metrics.json").is_file()


def test_a_type_checker_sees_the_types_of_the_installed_package(built, tmp_path):
    (tmp_path / "user.py").write_text(
        "from facestab.errors import VideoError\nfrom facestab.labels import LabelSet\n\n"
        "reveal_type(LabelSet.num_classes)\nproblem: int = VideoError('x')\n"
    )
    where = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "empty")]
    subprocess.run(where, check=True)
    (packages,) = (tmp_path / "empty" / "lib").glob("python3*/site-packages")
    (packages / "installed.pth").write_text(f"{built / 'site'}\n")
    python = tmp_path / "empty" / "bin" / "python"
    done = run(built, "-m", "mypy", "--python-executable", str(python), "user.py", cwd=tmp_path)
    assert "user.py:5: error: Incompatible types in assignment" in done.stdout
    assert "import-untyped" not in done.stdout
    assert "py.typed" not in done.stdout
