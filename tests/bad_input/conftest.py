import pytest

from facestab.nets.weights import ModelCard, save_weights
from tests.bad_input.command import command  # noqa: F401
from tests.tiny import NET, tiny_net


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
