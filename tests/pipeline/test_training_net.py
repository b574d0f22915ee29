import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from facestab.errors import SettingError
from facestab.pipeline.training_net import check_training_net
from tests.tiny import IMAGE, TEMPORAL, facestab

pytestmark = pytest.mark.slow
PLAIN = ["seed=0", "threshold=0"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Both stages as they come, without controls."""
    home = tmp_path_factory.mktemp("training")
    result = facestab("stage=temporal", *TEMPORAL, *PLAIN, "controls=[]", "smoother=none", "name=plain", cwd=home)
    assert result.returncode == 0, result.stderr
    return home


def weights(home, name, stage="temporal"):
    return load_file(home / "runs" / stage / name / "weights.safetensors")


def test_gradient_checkpointing_trains_both_stages_to_the_same_weights(home):
    given = ["gradient_checkpointing=true", "controls=[]", "smoother=none", "paths.runs=runs/again", "name=again"]
    result = facestab("stage=temporal", *TEMPORAL, *PLAIN, *given, cwd=home)
    assert result.returncode == 0, result.stderr
    [image] = (home / "runs" / "image").glob("auto-*")
    [again] = (home / "runs" / "again" / "image").glob("auto-*")
    assert image.name == again.name
    pairs = [(weights(home, image.name, "image"), weights(home, f"../again/image/{image.name}", "image"))]
    pairs.append((weights(home, "plain"), weights(home, "../again/temporal/again")))
    for one, other in pairs:
        assert list(one) == list(other)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_model_that_was_trained_in_another_way_is_not_trained_again(home):
    given = ["gradient_checkpointing=true", "controls=[]", "smoother=none", "w=0.5", "name=other"]
    result = facestab("stage=temporal", *TEMPORAL, *PLAIN, *given, cwd=home)
    assert result.returncode == 0, result.stderr
    assert "training one" not in result.stderr
    assert len(list((home / "runs" / "image").glob("auto-*"))) == 1


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="torch.compile wants a C++ compiler")
def test_a_compiled_training_keeps_the_names_of_its_weights_and_their_values_within_rounding(home):
    given = ["compile=true", "controls=[]", "smoother=none", "name=compiled"]
    result = facestab("stage=temporal", *TEMPORAL, *PLAIN, *given, cwd=home)
    assert result.returncode == 0, result.stderr
    one, other = weights(home, "plain"), weights(home, "compiled")
    assert list(one) == list(other)
    for name in one:
        # the first step of AdamW goes as far whatever a gradient is
        torch.testing.assert_close(one[name], other[name], rtol=1e-2, atol=5e-3)
    losses = [
        json.loads((home / "runs" / "temporal" / name / "metrics.json").read_text())["training"]["train/loss"]
        for name in ("plain", "compiled")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["compile=1"], "compile must be true or false, got 1"),
        (["gradient_checkpointing=often"], "gradient_checkpointing must be true or false, got often"),
        (["compile=true", "gradient_checkpointing=true"], "leave gradient_checkpointing out"),
    ],
)
def test_what_cannot_be_is_refused(compose_config, given, message):
    with pytest.raises(SettingError, match=message):
        check_training_net(compose_config("stage=image", *given))


def test_a_machine_that_cannot_compile_is_told_so_in_one_line(tmp_path):
    # torch looks for its compiler when it is imported
    own = {"CXX": str(tmp_path / "g++"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "facestab.run", "stage=image", *IMAGE, "compile=true", "name=one"]
    result = subprocess.run(command, cwd=tmp_path, env={**os.environ, **own}, capture_output=True, text=True)
    assert result.returncode == 1
    [line] = [line for line in result.stderr.splitlines() if "compile" in line]
    assert line.startswith("facestab: error: compile=true: torch.compile does not work here (InvalidCxxCompiler")
    assert line.endswith("); leave it out")
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "runs" / "image" / "one").exists()
