"""Files of strangers through the commands: one line, exit code 1, and nothing of them is run."""

import io
import pickle
import tarfile
import zipfile

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from facestab.engines.onnx_net import load_any
from facestab.errors import FacestabError, WeightsError
from facestab.labels import LabelSet
from facestab.nets.weights import ModelCard, load_tensors, save_weights
from tests.report.worlds import FACE11
from tests.tiny import NET, facestab, mistake, tiny_net
from tests.video.barcode import write_clip

pytestmark = pytest.mark.slow


class Attack:
    """Writes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return exec, (f"open({str(self.mark)!r}, 'w').close()",)


def plain(attack):
    return pickle.dumps(attack, protocol=4)


def saved(content, new=True):
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=new)
    return stream.getvalue()


def script(attack):
    """As TorchScript archives are."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("data.pkl", "constants.pkl"):
            archive.writestr(f"archive/{name}", plain(attack))
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/code/__torch__.py", "")
    return stream.getvalue()


def tape(attack):
    """As the first versions of torch wrote."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = plain(attack)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


KINDS = {
    "plain": plain,
    "saved": saved,
    "legacy": lambda attack: saved(attack, new=False),
    "tensors": lambda attack: saved({"state_dict": {"net.a": torch.zeros(1), "net.b": attack}, "facestab": {}}),
    "card": lambda attack: saved({"state_dict": {}, "facestab": {"schema": 1, "net": attack}}),
    "script": script,
    "tape": tape,
}
PREDICT = ["stage=predict", "ckpt=good.safetensors", "video.source=clip.mp4"]
COMMANDS = [
    ["stage=predict", "ckpt=evil.ckpt", "video.source=clip.mp4"],
    ["stage=predict", "ckpt=evil.safetensors", "video.source=clip.mp4"],
    ["stage=predict", "ckpt=evil.onnx", "video.source=clip.mp4"],
    ["stage=label", "ckpt=evil.ckpt", "video.source=clip.mp4"],
    ["stage=export", "ckpt=evil.ckpt"],
    ["stage=temporal", "net=tiny", "size=48", "init=evil.ckpt"],
    ["stage=temporal", "net=tiny", "size=48", "init=evil.safetensors"],
    ["stage=temporal", "net=tiny", "size=48", "init=good.safetensors", "teacher=evil.ckpt"],
    [*PREDICT, "smoother=all", "smoother.recurrent.weights=evil.ckpt"],
    ["stage=evaluate", "video.source=clip.mp4", "masks=masks", "labels=numbered", "flow=raft", "flow.weights=evil.pth"],
    [*PREDICT, "detector=yunet", "detector.detector.model=evil.onnx"],
    # there is no such setting, and no file in the place of trained weights
    ["stage=image", "net=tiny", "net.weights=evil.pth"],
    ["stage=image", "net=tiny", "+net.weights=evil.pth"],
    ["stage=image", "net=unet_resnet18", "net.encoder_weights=evil.pth"],
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    save_weights(folder / "good.safetensors", tiny_net(), ModelCard("image", NET, FACE11.to_dict(), 48))
    write_clip(folder / "clip.mp4", num_frames=3)
    (folder / "masks").mkdir()
    for number in range(3):
        Image.new("L", (96, 64), number).save(folder / "masks" / f"{number}.png")
    for suffix in (".ckpt", ".safetensors", ".onnx", ".pth"):
        (folder / f"evil{suffix}").write_bytes(saved({"state_dict": Attack(folder / "mark")}))
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_no_kind_of_pickle_is_run(tmp_path, kind, suffix):
    path = tmp_path / f"evil{suffix}"
    path.write_bytes(KINDS[kind](Attack(tmp_path / "mark")))
    with pytest.raises(WeightsError, match=rf"evil{suffix}: ") as refused:
        load_tensors(path)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "mark").exists()


def test_the_attack_works_where_nobody_looks(tmp_path):
    pickle.loads(plain(Attack(tmp_path / "mark")))
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_runs_what_is_in_a_file(home, command, capsys, monkeypatch):
    line = mistake(*command, cwd=home, capsys=capsys, monkeypatch=monkeypatch)
    assert any(word in line for word in ("evil.", "weights")), line
    assert not (home / "mark").exists()
    assert not list(home.glob("runs/*/*/metrics.json"))


def test_a_command_ends_with_one_line_and_1(home):
    done = facestab("stage=predict", "ckpt=evil.ckpt", "video.source=clip.mp4", cwd=home)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "error" in line] == [done.stderr.splitlines()[-1]]
    assert "evil.ckpt: not a readable checkpoint, or it holds more than tensors" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (home / "mark").exists()


def card(**parts):
    return {**ModelCard("image", NET, FACE11.to_dict(), 48).to_dict(), **parts}


@pytest.mark.parametrize(
    "parts",
    [
        {"net": "os.system"},
        {"net": None},
        {"labels": {"names": 3, "palette": []}},
        {"labels": {"names": ["a", "b"], "palette": [[0, 0, 0], [1, 1, 300]]}},
        {"labels": {"names": [1, 2], "palette": [[0, 0, 0], [1, 1, 1]]}},
        {"labels": {}},
        {"size": "48"},
        {"size": -1},
        {"control_weights": {"continued": 5}},
        {"further": 1},
    ],
    ids=str,
)
def test_a_card_that_is_none_is_named(tmp_path, parts):
    path = tmp_path / "card.ckpt"
    with pytest.raises(WeightsError, match=r"card\.ckpt: its model card is not complete"):
        ModelCard.from_dict(card(**parts), path)
    assert LabelSet(**card()["labels"]) == FACE11


@pytest.mark.filterwarnings("ignore:.*quantize")
def test_tensors_that_point_elsewhere_are_refused(tmp_path):
    strange = [torch.zeros(2).to_sparse(), "text", torch.quantize_per_tensor(torch.zeros(2), 1.0, 0, torch.quint8)]
    for tensor in strange:
        torch.save({"state_dict": {"net.a": tensor}, "facestab": card()}, tmp_path / "strange.ckpt")
        with pytest.raises(WeightsError, match=r"strange\.ckpt: (holds something else|not a readable)"):
            load_tensors(tmp_path / "strange.ckpt")


@pytest.mark.parametrize("place", ["own.bin", "../other.bin", "ABSOLUTE"])
def test_an_onnx_file_reads_no_file_beside_it(tmp_path, monkeypatch, place):
    onnx = pytest.importorskip("onnx")
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    for file in ("own.bin", "../other.bin"):
        (tmp_path / "in" / file).write_bytes(bytes(24))
    place = place.replace("ABSOLUTE", str(tmp_path / "other.bin"))
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[2, 3, 1, 1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=place)
    ends = [onnx.helper.make_tensor_value_info(name, 1, ["N", c, 8, 8]) for name, c in (("frames", 3), ("logits", 2))]
    node = onnx.helper.make_node("Conv", ["frames", "w"], ["logits"])
    graph = onnx.helper.make_graph([node], "graph", ends[:1], ends[1:], [tensor])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    (tmp_path / "in" / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FacestabError, match=r"model\.onnx: ONNX Runtime cannot run it"):
        load_any(tmp_path / "in" / "model.onnx")


@pytest.mark.parametrize("place", ["ABSOLUTE", "../../../outside.safetensors", "link.safetensors"])
def test_the_weights_that_a_card_names_are_looked_for_among_its_runs(tmp_path, caplog, place):
    from facestab.pipeline.predict import _control_weights

    run = tmp_path / "runs" / "temporal" / "mine"
    beside = tmp_path / "runs" / "image" / "auto"
    for folder in (run, beside):
        folder.mkdir(parents=True)
        save_file({"a": torch.zeros(1)}, folder / "weights.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "outside.safetensors")
    (run / "link.safetensors").symlink_to(tmp_path / "outside.safetensors")
    place = place.replace("ABSOLUTE", str(tmp_path / "outside.safetensors"))
    asked = ModelCard(
        "temporal", NET, FACE11.to_dict(), 48, "../../image/auto/weights.safetensors", {"continued": place}
    )
    found = _control_weights(run / "weights.safetensors", asked)
    assert {row: path.resolve() for row, path in found.items()} == {"image": beside / "weights.safetensors"}
    assert "the weights of 'continued' are not in" in caplog.text
    # the same card, downloaded and alone
    (tmp_path / "alone").mkdir()
    assert _control_weights(tmp_path / "alone" / "weights.safetensors", asked) == {}
