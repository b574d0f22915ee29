import pytest
import torch
import torchvision
from torch import nn

from facestab.nets.segnet import SegNet


class Toy(nn.Module):
    def __init__(self, stride=1):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3, padding=1, stride=stride)
        self.head = nn.Conv2d(4, 5, 1)

    def forward(self, x):
        return self.head(self.body(x))


def images(height=20, width=28):
    return torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_features_are_the_output_of_the_named_layer():
    module = Toy()
    output = SegNet(module, features="body")(images())
    x = (images().float() / 255 - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    torch.testing.assert_close(output.features_BCHW, module.body(x), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(output.logits_BKHW, module(x), rtol=1e-4, atol=1e-4)


def test_features_can_be_the_logits():
    output = SegNet(Toy(), features="logits")(images())
    assert output.features_BCHW is output.logits_BKHW


def test_an_image_that_is_no_multiple_of_the_stride_keeps_its_size():
    output = SegNet(Toy(stride=8), stride=8)(images(21, 30))
    assert output.logits_BKHW.shape == (2, 5, 21, 30)


def test_an_unknown_layer_is_named_with_those_that_exist():
    with pytest.raises(ValueError, match=r"features='bodi'.*body"):
        SegNet(Toy(), features="bodi")


def test_float_images_are_refused_because_their_range_is_not_known():
    with pytest.raises(TypeError, match="uint8"):
        SegNet(Toy())(images().float())


def test_a_torchvision_network_trains_through_the_adapter():
    module = torchvision.models.segmentation.lraspp_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=5
    )
    net = SegNet(module, features="classifier.cbr")
    output = net(images(64, 96))
    assert output.logits_BKHW.shape == (2, 5, 64, 96)
    assert output.features_BCHW.shape == (2, 128, 4, 6)
    (output.features_BCHW.abs().mean() + output.logits_BKHW.mean()).backward()
    assert all(p.grad is not None for p in module.parameters())


def test_the_deepest_map_is_taken_of_a_layer_that_returns_several():
    module = torchvision.models.segmentation.lraspp_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=5
    )
    assert SegNet(module, features="backbone")(images(64, 96)).features_BCHW.shape[1] == 960
