import copy

import pytest
import torch
import torchvision
from torch.profiler import profile

from facestab.nets.checkpointing import checkpoint_gradients
from facestab.nets.segnet import SegNet
from facestab.nets.smp import SmpNet
from tests.tiny import tiny_net


def lraspp():
    net = torchvision.models.segmentation.lraspp_mobilenet_v3_large(weights_backbone=None, num_classes=11)
    return SegNet(net, features="backbone")


NETS = {
    "tiny": tiny_net,
    "unet_resnet18": lambda: SmpNet("unet", "resnet18", 11),
    "segformer_b0": lambda: SmpNet("segformer", "mit_b0", 11),
    "unet_vgg16": lambda: SmpNet("unet", "vgg16", 11, features="encoder"),
    "lraspp": lraspp,
}


def images():
    return torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def learn(net):
    """One forward and one backward pass; dropout falls the same way every time."""
    torch.manual_seed(2)
    output = net.train()(images())
    (output.logits_BKHW.logsumexp(1).mean() + output.features_BCHW.abs().mean()).backward()
    return output


def remembered(net):
    """Bytes that a forward pass leaves behind."""
    with profile(profile_memory=True) as seen:
        output = net.train()(images())
    assert output.logits_BKHW.requires_grad
    return sum(event.self_cpu_memory_usage for event in seen.key_averages())


@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
def test_outputs_gradients_and_statistics_are_the_same_to_the_bit(make):
    net = make()
    plain = copy.deepcopy(net)
    checkpoint_gradients(net)
    found, expected = learn(net), learn(plain)
    assert torch.equal(found.logits_BKHW, expected.logits_BKHW)
    assert torch.equal(found.features_BCHW, expected.features_BCHW)
    assert list(net.state_dict()) == list(plain.state_dict())
    for (name, one), other in zip(net.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    gradients = 0
    for (name, one), other in zip(net.named_parameters(), plain.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        if one.grad is not None:
            gradients += 1
            torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=0)
    assert gradients > 20


@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
def test_half_as_much_is_remembered(make):
    net = make()
    plain = copy.deepcopy(net)
    checkpoint_gradients(net)
    assert 0 < remembered(net) < 0.55 * remembered(plain)


def test_a_copy_learns_itself_and_not_the_network_that_it_was_copied_from():
    net = tiny_net()
    checkpoint_gradients(net)
    other = copy.deepcopy(net)
    learn(other)
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(parameter.grad is not None for parameter in other.parameters())


def test_a_graph_that_is_kept_goes_backward_twice():
    net = tiny_net()
    plain = copy.deepcopy(net)
    checkpoint_gradients(net)
    for one in (net, plain):
        loss = one.train()(images()).logits_BKHW.logsumexp(1).mean()
        loss.backward(retain_graph=True)
        loss.backward()
    for one, other in zip(net.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=0)
    assert all(map(torch.equal, net.state_dict().values(), plain.state_dict().values()))


def test_without_gradients_nothing_is_computed_twice():
    net = tiny_net()
    calls = []
    block = net.module.decoder.blocks[0]
    block.conv1.register_forward_hook(lambda *_: calls.append(1))
    checkpoint_gradients(net)
    with torch.inference_mode():
        net.eval()(images())
    assert len(calls) == 1
    learn(net)
    assert len(calls) == 3
