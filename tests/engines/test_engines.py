"""Every engine says what torch says; the one that is chosen is the fastest of those that do."""

import json
import logging
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from facestab.build import build
from facestab.engines.auto import AutoKind
from facestab.engines.eager import TorchKind
from facestab.engines.graph import graph_of, write_onnx
from facestab.engines.onnx_net import OnnxNet, load_any
from facestab.engines.ort import OnnxRuntimeKind
from facestab.engines.vino import OpenVinoKind
from facestab.errors import FacestabError, WeightsError
from facestab.nets.weights import ModelCard
from tests.tiny import tiny_net

CPU = torch.device("cpu")
CHOICES = ["torch", "onnxruntime", "openvino", "auto"]


def frames(count=3, height=64, width=96, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3)).astype(np.uint8)


def make(kind, net, example=None):
    return kind.make(net, frames() if example is None else example, CPU, nullcontext)


@pytest.fixture(scope="module")
def net():
    return tiny_net(3).eval()


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_says_what_torch_says_at_any_size_and_number(compose_config, net, choice, tmp_path):
    config = compose_config("stage=predict", "ckpt=x", "video.source=x", f"engine={choice}", f"paths.cache={tmp_path}")
    engine = make(build(config.engine), net)
    for shape in ((3, 64, 96), (1, 64, 96), (5, 33, 47)):
        given = frames(*shape)
        with torch.inference_mode():
            expected = net(torch.from_numpy(given).permute(0, 3, 1, 2)).logits_BKHW
        found = engine(given)
        assert found.dtype == torch.float32
        if choice == "auto":
            assert (found.argmax(1) == expected.argmax(1)).float().mean() > 0.99
        else:
            torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", [OnnxRuntimeKind, OpenVinoKind])
def test_an_answer_stays_what_it_was_when_the_next_one_comes(kind, net, tmp_path):
    engine = make(kind(str(tmp_path)), net)
    first = engine(frames(seed=1))
    kept = first.clone()
    engine(frames(seed=2))
    assert torch.equal(first, kept)


def test_a_graph_is_written_once_for_its_weights(net, tmp_path):
    path = graph_of(net, tmp_path, 32)
    stamp = path.stat().st_mtime_ns
    assert graph_of(net, tmp_path, 64) == path
    assert path.stat().st_mtime_ns == stamp
    assert graph_of(tiny_net(4).eval(), tmp_path, 32) != path


class Fixed:
    """A kind of a given speed that is right on a given share of the pixels."""

    def __init__(self, name, seconds, wrong=0.0):
        self.name, self.seconds, self.wrong, self.made = name, seconds, wrong, 0

    def make(self, net, frames_NHWC, device, precision):
        import time

        self.made += 1
        truth = TorchKind().make(net, frames_NHWC, device, precision)

        def run(given):
            time.sleep(self.seconds)
            logits = truth(given).clone()
            logits[:, :, : round(self.wrong * logits.shape[2])] *= -1
            return logits

        return run


class Missing:
    name = "missing"

    def make(self, net, frames_NHWC, device, precision):
        raise FacestabError("missing is not installed")


def auto(tmp_path, *kinds, **settings):
    return AutoKind([TorchKind(), *kinds, Missing()], str(tmp_path), **settings)


def test_the_fastest_that_gives_the_same_labels_is_taken_and_it_is_said(net, tmp_path, caplog):
    slow, quick, wrong = Fixed("slow", 0.2), Fixed("quick", 0.0), Fixed("wrong", 0.0, wrong=0.5)
    torch_kind = Fixed("torch", 0.1)
    kind = AutoKind([torch_kind, slow, quick, wrong, Missing()], str(tmp_path))
    with caplog.at_level(logging.INFO):
        make(kind, net)
    assert [one.made for one in (torch_kind, slow, quick, wrong)] == [1, 1, 2, 1]
    assert "engine: quick; frames a second in units of torch's" in caplog.text
    assert "missing is left out: missing is not installed" in caplog.text


def test_what_was_measured_is_kept_for_the_same_network_frames_and_kinds(net, tmp_path):
    quick = Fixed("quick", 0.0)
    kinds = (Fixed("torch", 0.05), quick)
    make(AutoKind(kinds, str(tmp_path)), net)
    assert quick.made == 2
    make(AutoKind(kinds, str(tmp_path)), net)
    assert quick.made == 3
    make(AutoKind(kinds, str(tmp_path)), net, frames(2))
    make(AutoKind(kinds, str(tmp_path)), tiny_net(9).eval())
    assert quick.made == 7
    # half a file is measured again
    for path in (tmp_path / "engines").glob("choice-*.json"):
        path.write_text(path.read_text()[:20])
    make(AutoKind(kinds, str(tmp_path)), net)
    assert quick.made == 9


def test_nothing_that_agrees_is_an_error(net, tmp_path):
    kind = AutoKind([Fixed("torch", 0.0, wrong=0.9)], str(tmp_path))
    with pytest.raises(FacestabError, match="none of the engines runs this network"):
        make(kind, net)
    with pytest.raises(ValueError, match=r"engine\.agreement"):
        auto(tmp_path, agreement=1.5)


@pytest.mark.parametrize(
    ("module", "kind", "extra"), [("onnxruntime", OnnxRuntimeKind, "export"), ("openvino", OpenVinoKind, "openvino")]
)
def test_a_runtime_that_is_not_installed_is_named(monkeypatch, net, tmp_path, module, kind, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(FacestabError, match=rf"{module} is not installed; pip install 'facestab\[{extra}\]'"):
        make(kind(str(tmp_path)), net)


def test_a_signal_is_handled_after_networks_have_come_and_gone(tmp_path):
    code = """
import gc, os, signal, sys
from contextlib import nullcontext
import numpy as np
import torch
from facestab.engines.vino import OpenVinoKind
from tests.tiny import tiny_net
frames = np.zeros((1, 64, 64, 3), np.uint8)
kind = OpenVinoKind(sys.argv[1])
engines = [kind.make(tiny_net(3).eval(), frames, torch.device("cpu"), nullcontext) for _ in range(2)]
for _ in range(2):
    del engines[0]
    gc.collect()
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGUSR1)
"""
    ended = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout) == (0, "handled\n"), ended.stderr


def test_an_unknown_precision_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"engine\.precision is one of float32, bfloat16, got int3"):
        OpenVinoKind(str(tmp_path), "int3")


def test_an_exported_file_stands_in_for_its_network(net, face11, tmp_path):
    card = ModelCard("image", {}, face11.to_dict(), 64)
    write_onnx(net, tmp_path / "model.onnx", 64, card)
    found, its_card = load_any(tmp_path / "model.onnx")
    assert its_card == card
    assert isinstance(found, OnnxNet)
    given = frames()
    for kind in (TorchKind(), OnnxRuntimeKind(str(tmp_path)), OpenVinoKind(str(tmp_path))):
        torch.testing.assert_close(make(kind, found)(given), make(TorchKind(), net)(given), atol=1e-3, rtol=1e-3)
    assert not list(tmp_path.glob("*.part*"))


def test_files_that_are_no_export_are_refused_in_a_line(net, tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        load_any(tmp_path / "none.onnx")
    write_onnx(net, tmp_path / "bare.onnx", 64)
    with pytest.raises(WeightsError, match="write it with stage=export"):
        load_any(tmp_path / "bare.onnx")
    (tmp_path / "text.onnx").write_text(json.dumps({}))
    with pytest.raises(FacestabError, match=r"text\.onnx: ONNX Runtime cannot run it"):
        load_any(tmp_path / "text.onnx")
