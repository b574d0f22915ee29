"""Weights that are missing, broken, strange or made for something else end in one line, and run nothing."""

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from facestab.nets.weights import load_tensors
from tests.bad_input.command import refuses
from tests.tiny import tiny_net
from tests.video.barcode import write_clip

pytestmark = pytest.mark.slow

QUICK = ["stage=predict", "video.source=clip.mp4", "flow=none", "smoother=none", "inference.write=[labels]"]
GIVE = "give the path of a .ckpt or .safetensors file"
CKPT = "not a readable checkpoint, or it holds more than tensors"
ELSE = "it is something else or damaged; use a file that facestab wrote"
CUT = "it is empty, damaged or cut off; copy it again"
SAFE = "not a readable safetensors file"
OTHER = "made for another network"
FIRST = "module.encoder.model.conv1.0.weight"
FACE11 = "['background', 'skin', 'left_brow', 'right_brow', 'left_eye', 'right_eye', 'nose', 'upper_lip', "
FACE11 += "'inner_mouth', 'lower_lip', 'hair']"


class Attack:
    """A pickle that calls the system, if anything lets it."""

    def __reduce__(self):
        return os.system, ("touch ran",)


def raw(share=1.0, **change):
    """A Lightning checkpoint, or the beginning of it."""

    def make(path, card):
        tensors = {f"net.{name}": tensor for name, tensor in tiny_net().state_dict().items()}
        torch.save({"state_dict": tensors, "facestab": card.to_dict(), **change}, path)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return make


def safe(tensors=None, share=1.0, **change):
    """A safetensors file with some entries of its card or some tensors changed."""

    def make(path, card):
        held = {**tiny_net().state_dict(), **(tensors or {})}
        sound = {name: tensor.contiguous() for name, tensor in held.items() if tensor is not None}
        save_file(sound, path, metadata={"facestab": json.dumps({**card.to_dict(), **change})})
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return make


def content(data: bytes):
    return lambda path, card: path.write_bytes(data)


def newer_card(path, card):
    raw(facestab={**card.to_dict(), "schema": 2})(path, card)


def no_card(path, card):
    save_file(tiny_net().state_dict(), path)


NAN = {FIRST: torch.full((16, 3, 3, 3), float("nan"))}
# file, how it is made, what is said of it
REFUSED = [
    ("missing.ckpt", lambda path, card: None, f"no such checkpoint; {GIVE}"),
    ("folder.ckpt", lambda path, card: path.mkdir(), f"this is a folder; {GIVE}"),
    ("empty.ckpt", content(b""), f"{CKPT} ({CUT})"),
    ("text.ckpt", content(b"no weights " * 50), f"{CKPT} ({ELSE})"),
    ("cut.ckpt", raw(0.5), f"{CKPT} ({CUT})"),
    ("pickle.ckpt", content(pickle.dumps(Attack(), protocol=2)), f"{CKPT} ({{asks}})"),
    ("attack.ckpt", raw(attack=Attack()), f"{CKPT} ({{asks}})"),
    ("other_program.ckpt", lambda path, card: torch.save([1, 2], path), "not a Lightning checkpoint"),
    ("no_card.ckpt", raw(facestab=None), "has no model card; use a checkpoint that facestab wrote"),
    ("newer.ckpt", newer_card, "written by another version of facestab (schema 2)"),
    ("empty.safetensors", content(b""), f"{SAFE} (header too small); copy it again"),
    ("text.safetensors", content(b"no weights " * 50), f"{SAFE} (header too large); copy it again"),
    ("cut_header.safetensors", safe(share=0.001), f"{SAFE} (invalid header length); copy it again"),
    ("cut.safetensors", safe(share=0.5), f"{SAFE} (incomplete metadata, file not fully covered); copy it again"),
    ("no_card.safetensors", no_card, "has no model card; use a checkpoint that facestab wrote"),
    ("newer.safetensors", safe(schema=2), "written by another version of facestab (schema 2)"),
    ("no_network.safetensors", safe(net={"_target_": "torch.nn.Identity"}), "its card does not describe a network"),
    ("fewer.safetensors", safe({FIRST: None}), f"{OTHER} (the file has no '{FIRST}')"),
    ("more.safetensors", safe({"x": torch.zeros(1)}), f"{OTHER} (the network has no 'x')"),
    (
        "shape.safetensors",
        safe({FIRST: torch.zeros(3)}),
        f"{OTHER} or label set ('{FIRST}' is (3,), the network needs (16, 3, 3, 3))",
    ),
    ("whole_numbers.safetensors", safe({FIRST: torch.zeros(16, 3, 3, 3).int()}), f"{OTHER} ('{FIRST}' is torch.int32)"),
    (
        "nan.safetensors",
        safe(NAN),
        f"'{FIRST}' holds values that are no numbers; use weights of another training",
    ),
]


@pytest.mark.parametrize(("name", "make", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_prediction_ends_with_the_file_and_what_is_wrong(command, tmp_path, card, name, make, message):
    make(tmp_path / name, card)
    write_clip(tmp_path / "clip.mp4", 2)
    asks = f"it asks for {os.name}.system, which was not run; use a file that facestab wrote"
    refuses(command(*QUICK, f"ckpt={name}"), tmp_path, f"{name}: {message.replace('{asks}', asks)}")
    assert not (tmp_path / "ran").exists()


def test_what_a_file_is_stands_in_it_and_not_in_its_name(tmp_path, card):
    for make, name in ((raw(), "checkpoint.safetensors"), (safe(), "weights.pth")):
        make(tmp_path / name, card)
        assert load_tensors(tmp_path / name)[1] == card


def test_a_network_of_another_form_or_label_set_does_not_start_a_training(command, tmp_path, weights):
    write_clip(tmp_path / "clip.mp4", 3)
    training = ["stage=temporal", f"init={weights}", "size=32", "video=folder", "video.source=clip.mp4"]
    needs = "('module.decoder.blocks.0.conv1.0.weight' is (32, 240, 3, 3), the network needs (96, 240, 3, 3))"
    refuses(command(*training, "net=unet_small"), tmp_path, f"{weights}: {OTHER} or label set {needs}")
    coarse = "['background', 'skin', 'eyes', 'mouth', 'hair']"
    message = f"{weights}: made for the labels {FACE11}, not {coarse}"
    refuses(command(*training, "net=tiny", "labels=coarse5"), tmp_path, message)
    labelling = ["stage=label", f"ckpt={weights}", "video.source=clip.mp4", "labels=coarse5"]
    refuses(command(*labelling), tmp_path, message)


def test_a_training_that_ends_in_no_numbers_hands_out_no_weights(command, tmp_path):
    synthetic = ["data.dataset.num_train=4", "data.dataset.num_val=2", "data.dataset.num_test=2"]
    training = ["stage=image", "net=tiny", "size=32", "data.num_workers=0", "image.max_epochs=1", *synthetic]
    ended = command(*training, "image.optimizer.lr=1e38", "image.optimizer.weight_decay=1e38")
    place = tmp_path / "runs" / "image" / "run" / "weights.safetensors"
    assert ended.error.startswith(f"{place}: not written, training ended in values that are no numbers ('module.")
    assert ended.error.endswith("'); lower the optimizer's lr, or use trainer.precision=32-true")
    refuses(ended, tmp_path, ended.error)
