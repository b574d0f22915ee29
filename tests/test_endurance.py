"""The endurance study in small: what many videos leave behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).resolve().parents[1] / "experiments" / "endurance" / "endurance.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc"),
    # the source distribution has no experiments
    pytest.mark.skipif(not STUDY.exists(), reason="not in a checkout"),
]


def test_many_videos_leave_no_open_files_no_threads_and_little_memory(tmp_path):
    results = tmp_path / "results.json"
    command = ["videos", "--videos", "200", "--output", str(results), "--figure", str(tmp_path / "figure.png")]
    done = subprocess.run(
        [sys.executable, str(STUDY), *command], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stderr
    assert "200 clips of 8 frames: handles, first and last quarter" in done.stdout
    first, *_, last = json.loads(results.read_text())["videos"]["all"]["quarters"]
    # A quarter holds few samples here, and one may meet a video before its threads start or after they end. What is
    # left behind by every video, or by every fifth, grows by more: there are over 90 videos between the two.
    assert last["handles"] <= first["handles"] + 18
    assert last["threads"] <= first["threads"] + 18
    # 130 videos more are 19 MB of frames and labels when they are kept, and 160 MB of probabilities
    assert last["own"] < first["own"] + 25e6
