import sys

import pytest
import torch
from torch import nn

from facestab.build import build_trusted
from facestab.errors import FacestabError
from facestab.nets.smp import SmpNet

TINY = {
    "_target_": "facestab.nets.smp.SmpNet",
    "architecture": "unet",
    "encoder": "tu-test_resnet",
    "num_classes": 3,
    "options": {"encoder_depth": 4, "decoder_channels": [32, 24, 16, 8]},
}
# that would write the file whose name is put for MARK, if it were called
HARMFUL = [
    {"_target_": "os.system", "command": "touch MARK"},
    {"_target_": "subprocess.run", "args": ["touch", "MARK"]},
    {"_target_": "builtins.eval", "_args_": ["open('MARK', 'w')"]},
    {"_target_": "hydra.utils.instantiate", "config": {"_target_": "os.system", "command": "touch MARK"}},
    {"_target_": "hydra.utils.call", "_args_": [{"_target_": "pathlib.Path.touch", "self": "MARK"}]},
    # what the known packages import
    {"_target_": "torch.nn.modules.module.torch.os.system", "command": "touch MARK"},
    {"_target_": "torch.nn.functional.importlib.import_module", "name": "antigravity"},
    {"_target_": "torchvision.models._api.importlib.import_module", "name": "antigravity"},
    {"_target_": "facestab.nets.weights.torch.os.system", "command": "touch MARK"},
    {"_target_": "facestab.nets.weights.torch.load", "f": "MARK", "weights_only": False},
    {"_target_": "facestab.nets.weights.Path", "_args_": ["MARK"]},
    {"_target_": "facestab.nets.weights.warnings.sys.setrecursionlimit", "limit": 1},
    {"_target_": "facestab.data.images.Path", "_args_": ["MARK"]},
    {"_target_": "facestab.build.instantiate", "config": {"_target_": "os.system", "command": "touch MARK"}},
    # what they define and is no network
    {"_target_": "facestab.nets.weights.save_weights", "path": "MARK", "net": None, "card": None},
    {"_target_": "facestab.nets.weights.load_model", "path": "MARK"},
    {"_target_": "torch.nn.Module.load_state_dict", "state_dict": {}},
    {"_target_": "torch.nn.init.zeros_", "tensor": None},
    {"_target_": "torch.nn.Embedding.from_pretrained", "embeddings": None},
    {"_target_": "segmentation_models_pytorch.Unet.from_pretrained", "_args_": ["stranger/model"]},
    {"_target_": "segmentation_models_pytorch.from_pretrained", "_args_": ["stranger/model"]},
    # names that only look like theirs
    {"_target_": "torch.nnoodle.Net"},
    {"_target_": "facestab.nets_of_mine.Net"},
    {"_target_": ""},
    {"_target_": ["os.system"], "command": "touch MARK"},
    {"_target_": {"_target_": "os.system", "command": "touch MARK"}},
    {"_target_": "${oc.env:HOME}"},
]
WRAPPED = [
    lambda node: node,
    lambda node: {**node, "_partial_": True},
    lambda node: {"_target_": "facestab.nets.segnet.SegNet", "module": node},
    lambda node: {"_target_": "torch.nn.Sequential", "_args_": [node]},
    lambda node: {**TINY, "options": {"deeper": [{"still": (node,)}]}},
    lambda node: {"_target_": "facestab.nets.segnet.SegNet", "_recursive_": False, "module": node},
]


def marked(node, mark):
    """The node with the file's name put in."""
    if isinstance(node, dict):
        return {key: marked(value, mark) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [marked(value, mark) for value in node]
    return node.replace("MARK", str(mark)) if isinstance(node, str) else node


@pytest.mark.parametrize("wrap", WRAPPED)
@pytest.mark.parametrize("node", HARMFUL, ids=lambda node: str(node["_target_"])[:60])
def test_nothing_but_networks_is_made_of_a_strangers_config(tmp_path, node, wrap):
    with pytest.raises(FacestabError, match="the checkpoint") as refused:
        build_trusted(marked(wrap(node), tmp_path / "mark"))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "mark").exists()
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "text", ["${oc.env:SECRET}", "tu-${oc.env:SECRET}", "${size}", "${hydra:runtime.cwd}", r"\${a}"]
)
@pytest.mark.parametrize("place", ["encoder", "features", "options"])
def test_a_strangers_config_does_not_see_the_environment(monkeypatch, text, place):
    monkeypatch.setenv("SECRET", "test_resnet")
    value = {"decoder_channels": [text]} if place == "options" else text
    with pytest.raises(FacestabError, match="refer to other settings or the environment"):
        build_trusted({**TINY, place: value})


@pytest.mark.parametrize("encoder", ["tu-hf-hub:stranger/model", "tu-local-dir:/model", "../model", r"\\host\model"])
def test_a_strangers_config_names_no_place(encoder):
    with pytest.raises(FacestabError, match="name a file or an address"):
        build_trusted({**TINY, "encoder": encoder})


def test_a_strangers_network_starts_without_weights(monkeypatch):
    def fail(*arguments, **settings):
        raise AssertionError("weights were asked for")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fail)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    assert isinstance(build_trusted({**TINY, "encoder": "resnet18", "encoder_weights": "imagenet"}), SmpNet)
    unet = {"_target_": "segmentation_models_pytorch.Unet", "encoder_name": "resnet18", "encoder_weights": "imagenet"}
    backbone = {"_target_": "torchvision.models.resnet18", "weights": "DEFAULT"}
    for node in (unet, backbone):
        assert isinstance(build_trusted(node), nn.Module)


def test_known_networks_and_their_parts_are_made():
    function = {"_target_": "torchvision.models.mobilenet_v2", "num_classes": 3}
    assert isinstance(build_trusted({"_target_": "torch.nn.Sequential", "_args_": [function]})[0], nn.Module)
    norm = build_trusted({"_target_": "torch.nn.GroupNorm", "_partial_": True, "num_groups": 2})
    assert norm(num_channels=4).num_groups == 2


@pytest.fixture
def mynet(tmp_path, monkeypatch):
    """A package of the user's that imports os and torch, as packages do."""
    (tmp_path / "mynet").mkdir()
    (tmp_path / "mynet" / "__init__.py").write_text(
        "import os\nfrom pathlib import Path\nfrom torch import nn\n\n\nclass Net(nn.Conv2d):\n"
        "    def __init__(self, name='', weights=None):\n        super().__init__(3, 2, 1)\n"
        "        self.name, self.weights = name, weights\n\n\ndef net():\n    return Net()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "mynet"
    sys.modules.pop("mynet", None)


def test_what_a_user_allows_is_what_is_defined_there(mynet, tmp_path):
    for allow in (["mynet"], ["mynet."], ["mynet.Net", "mynet.net"]):
        assert build_trusted({"_target_": "mynet.net"}, allow).out_channels == 2
        net = build_trusted({"_target_": "mynet.Net", "name": "a/b:c", "weights": "mine"}, allow)
        assert (net.name, net.weights) == ("a/b:c", "mine")
    command = {"_target_": "mynet.os.system", "command": f"touch {tmp_path / 'mark'}"}
    with pytest.raises(FacestabError, match=r"'mynet\.os\.system', which is no network of mynet but posix\.system"):
        build_trusted(command, ["mynet"])
    assert not (tmp_path / "mark").exists()
    with pytest.raises(FacestabError, match="refer to other settings or the environment"):
        build_trusted({"_target_": "mynet.Net", "name": "${oc.env:HOME}"}, ["mynet"])
    # the exact name is the user's own word
    assert build_trusted({"_target_": "mynet.Path", "_args_": ["a"]}, ["mynet.Path"]).name == "a"


@pytest.mark.parametrize("allow", [["my"], ["mynet.Ne"], ["mynets"], ["torch"]])
def test_a_name_that_is_allowed_is_a_whole_one(mynet, allow):
    with pytest.raises(FacestabError, match=r"'mynet\.Net', which is not trusted; .*allow_targets=\[mynet\]"):
        build_trusted({"_target_": "mynet.Net"}, allow)


@pytest.mark.parametrize("allow", [[""], ["."], ["mynet", ""]])
def test_allowing_everything_is_refused(allow):
    with pytest.raises(FacestabError, match="allow_targets: an empty name would allow everything"):
        build_trusted(TINY, allow)


@pytest.mark.parametrize("config", [None, [], "os.system", 3, {}])
def test_what_is_no_config_makes_no_network(config):
    try:
        made = build_trusted(config)
    except FacestabError:
        return
    assert not isinstance(made, nn.Module)
