"""Muon: kernels move along orthogonal matrices, everything else as under AdamW."""

import pytest
import torch
from torch import nn

from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.muon import Muon, orthogonal
from rcnn_tutorial.training import build_optimizer

TRAINING = TrainingConfig(optimizer="muon", learning_rate=0.01, momentum=0.9, weight_decay=0.1)


class Small(nn.Module):
    """One convolution that Muon moves, one that gives an output, a norm and a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.scores, self.linear = (
            nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1), nn.Linear(4, 2),
        )  # fmt: skip


def with_gradients(model: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    return model


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(16, 8, 3, 3), (64, 4, 3, 3), (64, 16, 1, 1)])
def test_an_orthogonal_kernel_has_singular_values_near_one(shape, layout):
    torch.manual_seed(0)
    kernel = torch.randn(shape) * torch.logspace(-1, 0, shape[0])[:, None, None, None]  # from 0.1 to 1
    [found] = orthogonal([kernel.contiguous(memory_format=layout)])
    assert found.shape == shape
    scale = max(1, shape[0] / (shape[1] * shape[2] * shape[3])) ** 0.5
    values = torch.linalg.svdvals(found.flatten(1)) / scale
    assert 0.3 < values.min() and values.max() < 1.3
    assert (found * kernel).sum() > 0  # still uphill


def test_kernels_of_one_size_are_done_together_and_stay_apart():
    torch.manual_seed(0)
    kernels = [torch.randn(shape) for shape in ((8, 4, 3, 3), (8, 6, 1, 1), (16, 8, 1, 1), (6, 8, 1, 1))]
    for one, together in zip(kernels, orthogonal(kernels), strict=True):
        torch.testing.assert_close(together, orthogonal([one])[0], rtol=1e-4, atol=1e-4)


def test_no_gradient_is_no_direction():
    assert torch.equal(orthogonal([torch.zeros(4, 2, 3, 3)])[0], torch.zeros(4, 2, 3, 3))


def test_groups_hold_every_parameter_once():
    model = Small()
    optimizer = build_optimizer(model, TRAINING)
    parameters = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert sorted(parameters) == sorted(map(id, model.parameters()))
    [kernels] = [group for group in optimizer.param_groups if group["orthogonal"]]
    assert len(kernels["params"]) == 1 and kernels["params"][0] is model.conv.weight


def test_kernels_move_by_momentum_and_the_rest_as_under_adamw():
    torch.manual_seed(0)
    ours, theirs = Small(), Small()
    theirs.load_state_dict(ours.state_dict())
    muon = build_optimizer(ours, TRAINING)
    adamw = build_optimizer(theirs, TrainingConfig(optimizer="adamw", learning_rate=0.01, weight_decay=0.1))
    for _ in range(2):
        before, buffer = ours.conv.weight.detach().clone(), muon.state[ours.conv.weight].get("momentum_buffer", 0)
        with_gradients(ours), with_gradients(theirs)
        gradient = ours.conv.weight.grad
        ahead = gradient + 0.9 * (0.9 * buffer + gradient)
        rate = next(group["lr"] for group in muon.param_groups if group["orthogonal"])
        muon.step(), adamw.step()
        expected = before * (1 - rate * 0.1) - rate * orthogonal([ahead])[0]
        torch.testing.assert_close(ours.conv.weight.detach(), expected)
    for name, parameter in ours.named_parameters():
        if name != "conv.weight":
            torch.testing.assert_close(parameter, theirs.get_parameter(name))
    assert len(muon.param_groups) == 4


def test_parameters_without_gradient_stay():
    model = Small()
    optimizer, before = build_optimizer(model, TRAINING), [parameter.clone() for parameter in model.parameters()]
    assert isinstance(optimizer, Muon)
    optimizer.step()
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
