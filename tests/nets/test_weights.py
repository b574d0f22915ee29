import pickle

import pytest
import torch

from facestab.build import build_trusted
from facestab.errors import FacestabError, WeightsError
from facestab.nets.weights import CARD_KEY, ModelCard, load_into, load_model, load_tensors, save_weights, weights_hash
from tests import tiny

LABELS = {"names": ["bg", "a", "b"], "palette": [[0, 0, 0], [1, 1, 1], [2, 2, 2]], "pairs": []}
NET = {**tiny.NET, "num_classes": 3}
CARD = ModelCard("image", NET, LABELS, 48)


@pytest.fixture
def saved(tmp_path):
    net = build_trusted(NET)
    save_weights(tmp_path / "weights.safetensors", net, CARD)
    return net, tmp_path / "weights.safetensors"


def test_a_saved_network_comes_back_with_its_card(saved):
    net, path = saved
    again, card = load_model(path)
    assert card == CARD
    assert weights_hash(again) == weights_hash(net)
    assert not path.with_name("weights.part.safetensors").exists()


def test_one_changed_number_changes_the_hash(saved):
    net, _ = saved
    before = weights_hash(net)
    with torch.no_grad():
        next(net.parameters()).view(-1)[0] += 1e-3
    assert weights_hash(net) != before


def test_a_checkpoint_of_another_label_set_is_refused_by_name_and_shape(saved):
    _, path = saved
    other = build_trusted({**NET, "num_classes": 5})
    with pytest.raises(WeightsError, match=r"another network or label set.*segmentation_head.*\(3,"):
        load_into(other, load_tensors(path)[0], path)


def test_tensors_of_another_architecture_are_refused(saved):
    _, path = saved
    other = build_trusted({**NET, "encoder": "tu-test_convnext"})
    with pytest.raises(WeightsError, match="another network"):
        load_into(other, load_tensors(path)[0], path)


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path):
    marker = tmp_path / "ran"

    class Attack:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    path = tmp_path / "evil.ckpt"
    torch.save({"state_dict": Attack()}, path)
    with pytest.raises(WeightsError, match=r"evil\.ckpt.*more than tensors"):
        load_tensors(path)
    (tmp_path / "plain.ckpt").write_bytes(pickle.dumps(Attack()))
    with pytest.raises(WeightsError, match=r"plain\.ckpt"):
        load_tensors(tmp_path / "plain.ckpt")
    assert not marker.exists()


def test_a_card_that_asks_for_a_strange_call_is_not_obeyed(tmp_path, saved):
    net, _ = saved
    card = ModelCard("image", {"_target_": "os.system", "command": "true"}, LABELS, 48)
    save_weights(tmp_path / "evil.safetensors", net, card)
    with pytest.raises(FacestabError, match=r"'os\.system', which is not trusted"):
        load_model(tmp_path / "evil.safetensors")


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all" * 10])
def test_broken_files_are_named(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"broken{suffix}: not a readable"):
        load_tensors(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match="no such checkpoint"):
        load_tensors(tmp_path / "missing.ckpt")


def test_a_strangers_checkpoint_without_a_card_is_named(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match="no model card"):
        load_tensors(tmp_path / "other.ckpt")


def test_a_card_of_a_newer_version_is_refused(tmp_path):
    torch.save({"state_dict": {}, CARD_KEY: {"schema": 99}}, tmp_path / "new.ckpt")
    with pytest.raises(WeightsError, match="another version"):
        load_tensors(tmp_path / "new.ckpt")
