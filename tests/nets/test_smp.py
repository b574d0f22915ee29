import pytest
import torch

from facestab.build import build
from facestab.errors import SettingError, WeightsError
from facestab.nets.smp import SmpNet

SHAPES = {
    "unet_resnet18": {"encoder": (512, 2, 3), "decoder": (16, 64, 96)},
    "unet_vgg16": {"encoder": (512, 2, 3), "decoder": (16, 64, 96)},
    "segformer_b0": {"encoder": (256, 2, 3), "decoder": (256, 16, 24)},
    "tiny": {"encoder": (192, 4, 5), "decoder": (8, 64, 80)},
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("features", ["encoder", "decoder", "logits"])
def test_every_network_gives_logits_at_image_size_and_the_chosen_features(compose_config, name, features):
    net = build(compose_config("stage=image", f"net={name}", f"net.features={features}").net).eval()
    with torch.inference_mode():
        output = net(torch.zeros(1, 3, 64, 80, dtype=torch.uint8))
    assert output.logits_BKHW.shape == (1, 11, 64, 80)
    if features == "logits":
        assert output.features_BCHW is output.logits_BKHW
    else:
        # 80 columns are padded to 96 inside
        assert tuple(output.features_BCHW.shape[1:]) == SHAPES[name][features]


def test_the_encoder_feature_is_the_deepest_map():
    net = SmpNet("unet", "resnet18", 3, features="encoder").eval()
    assert net(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)).features_BCHW.shape == (1, 512, 2, 2)


def test_an_unknown_encoder_is_one_clear_setting_error(compose_config):
    config = compose_config("stage=image", "net.encoder=resnet19").net
    with pytest.raises(SettingError, match="encoder='resnet19'"):
        build(config)


def test_unknown_weights_are_one_clear_setting_error(compose_config):
    config = compose_config("stage=image", "net.encoder_weights=imagnet").net
    with pytest.raises(SettingError, match="encoder_weights='imagnet'"):
        build(config)


def test_weights_that_cannot_be_downloaded_say_what_to_do(monkeypatch, tmp_path):
    # the hub's own offline switch: as without a network, but at once
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"resnet18 could not be downloaded.*net\.encoder_weights=null"):
        SmpNet("unet", "resnet18", 3, encoder_weights="imagenet")
