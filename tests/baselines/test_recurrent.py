import pytest
import torch

from facestab.baselines.recurrent import Recurrent
from facestab.errors import FacestabError, WeightsError
from facestab.nets.weights import ModelCard, save_weights
from tests.baselines.test_conv_gru import make_head, unroll
from tests.baselines.videos import run, video

LABELS = {"names": ["bg", "a", "b"], "palette": [[0, 0, 0], [1, 1, 1], [2, 2, 2]], "pairs": []}
HEAD = {"_target_": "facestab.baselines.conv_gru.ConvGruHead", "num_classes": 3, "hidden": 2}


def test_the_state_goes_through_the_whole_video():
    frames, probs = video(num_classes=3)
    head = make_head(num_classes=3)
    pixels = torch.stack([torch.from_numpy(frame.pixels_HWC) for frame in frames]).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = unroll(head, pixels, probs).softmax(1)
    torch.testing.assert_close(run(Recurrent(head), frames, probs, [3, 4]), expected)


def test_a_saved_head_does_what_the_head_did(tmp_path):
    frames, probs = video(num_classes=3)
    head = make_head(num_classes=3)
    path = tmp_path / "weights.safetensors"
    save_weights(path, head, ModelCard("recurrent", HEAD, LABELS, 32))
    assert torch.equal(run(Recurrent(str(path)), frames, probs), run(Recurrent(head), frames, probs))


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(WeightsError, match="no such checkpoint"):
        Recurrent(tmp_path / "nothing.safetensors")


def test_the_weights_of_another_stage_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, make_head(num_classes=3), ModelCard("image", HEAD, LABELS, 32))
    with pytest.raises(WeightsError, match="recurrent head is needed, this is the network of stage=image"):
        Recurrent(path)


def test_a_file_cannot_call_what_is_not_a_head(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, make_head(num_classes=3), ModelCard("recurrent", {"_target_": "os.getcwd"}, LABELS, 32))
    with pytest.raises(FacestabError, match="not trusted"):
        Recurrent(path)
