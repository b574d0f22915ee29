import torch
from torch import nn

from facestab.functional.diagnostics import feature_std, gradient_norm, mean_abs


def test_mean_abs_of_a_hand_made_tensor():
    assert mean_abs(torch.tensor([[1.0, -2.0], [0.0, 5.0]])).item() == 2


def test_feature_std_is_taken_over_batch_and_space_and_averaged_over_channels():
    features_BCHW = torch.tensor([[[[0.0, 0.0]], [[7.0, 7.0]]], [[[4.0, 4.0]], [[7.0, 7.0]]]])
    assert feature_std(features_BCHW).item() == (2 + 0) / 2


def test_feature_std_shows_a_collapse_that_mean_abs_does_not():
    constant = torch.ones(2, 3, 4, 4) * torch.tensor([1.0, 5.0, 9.0]).view(1, 3, 1, 1)
    assert feature_std(constant).item() == 0
    assert mean_abs(constant).item() == 5


def test_feature_std_of_a_single_value_is_zero():
    assert feature_std(torch.ones(1, 2, 1, 1)).item() == 0


def test_gradient_norm_is_the_length_of_the_gradient_and_leaves_the_graph():
    a, b = nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.tensor(5.0))
    loss = 3 * a[0] + 4 * b
    assert gradient_norm(loss, [a, b]).item() == 5
    assert a.grad is None
    loss.backward()
    assert a.grad.tolist() == [3, 0]


def test_gradient_norm_passes_over_frozen_and_unreached_parameters():
    used, unreached = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(2.0))
    frozen = nn.Parameter(torch.tensor(2.0), requires_grad=False)
    loss = used**2 * frozen
    assert gradient_norm(loss, iter([used, unreached, frozen])).item() == 8
    assert gradient_norm(loss, [unreached]).item() == 0


def test_gradient_norm_without_a_graph_is_zero():
    assert gradient_norm(torch.tensor(3.0), [nn.Parameter(torch.ones(2))]).item() == 0


def test_gradient_norm_without_trained_parameters_is_zero():
    loss = torch.tensor(3.0, requires_grad=True)
    assert gradient_norm(loss, [nn.Parameter(torch.ones(2), requires_grad=False)]).item() == 0
