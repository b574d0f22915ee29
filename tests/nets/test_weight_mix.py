"""A network between two: its weights, by hand."""

import pytest
import torch
from torch import nn

from facestab.errors import SettingError
from facestab.nets.weight_mix import WeightMix


def make_net(value, steps=0):
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    for tensor in net.state_dict().values():
        tensor.fill_(value if tensor.is_floating_point() else steps)
    return net


def test_every_weight_and_statistic_lies_on_the_line_and_counters_stay():
    net, start = make_net(3.0, steps=7), make_net(1.0, steps=5)
    WeightMix(0.75)(net, start)
    assert {name: tensor.item() for name, tensor in net.state_dict().items()} == {
        "0.weight": 2.5,
        "0.bias": 2.5,
        "1.weight": 2.5,
        "1.bias": 2.5,
        "1.running_mean": 2.5,
        "1.running_var": 2.5,
        "1.num_batches_tracked": 7,
    }
    assert all(tensor.item() in (1.0, 5) for tensor in start.state_dict().values())


def test_all_of_it_and_what_both_share_stay_bit_for_bit():
    torch.manual_seed(0)
    net, start = nn.Linear(50, 50), nn.Linear(50, 50)
    with torch.no_grad():
        net.bias.copy_(start.bias)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    WeightMix(0.3)(net, start)
    assert torch.equal(net.bias, before["bias"])
    assert not torch.equal(net.weight, before["weight"])
    net.load_state_dict(before)
    WeightMix(1.0)(net, start)
    assert torch.equal(net.weight, before["weight"])


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(SettingError, match=r"temporal.finetuned_share is above 0 and at most 1"):
        WeightMix(share)
