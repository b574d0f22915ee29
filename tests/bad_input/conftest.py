import pytest

from facestab.nets.weights import ModelCard, save_weights
from tests.bad_input.command import command  # noqa: F401
from tests.tiny import tiny_net

NET = {
    "_target_": "facestab.nets.smp.SmpNet",
    "architecture": "unet",
    "encoder": "tu-test_resnet",
    "num_classes": 11,
    "options": {"encoder_depth": 4, "decoder_channels": [32, 24, 16, 8]},
}


@pytest.fixture(scope="session")
def card(face11):
    """Of the tiny network, as an image model."""
    return ModelCard("image", NET, face11.to_dict(), 32)


@pytest.fixture(scope="session")
def weights(tmp_path_factory, card):
    """A sound weights file."""
    path = tmp_path_factory.mktemp("sound") / "weights.safetensors"
    save_weights(path, tiny_net(), card)
    return path
