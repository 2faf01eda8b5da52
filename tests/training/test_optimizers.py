"""The learning rate's schedule, the groups of parameters, the average of the weights, and Muon."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from rcnn_tutorial.config import BackboneConfig, TrainingConfig, toy_config
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import Muon, build_optimizers, learning_rate, set_rate, update_average
from rcnn_tutorial.training.optimizers import orthogonal

MUON = TrainingConfig(optimizer="muon", learning_rate=0.01, momentum=0.9, weight_decay=0.1)


def groups_of(model: nn.Module, training: TrainingConfig) -> list[dict]:
    return [group for optimizer in build_optimizers(model, training) for group in optimizer.param_groups]


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


def test_step_schedule_drops_to_a_tenth():
    rates = [learning_rate(TrainingConfig(learning_rate=1.0), step, 70) for step in range(70)]
    assert rates == [1.0] * 50 + [0.1] * 20


def test_cosine_schedule_rises_linearly_and_ends_near_zero():
    training = TrainingConfig(learning_rate=1.0, schedule="cosine", warmup=0.2)
    rates = [learning_rate(training, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.01) and rates[10] == pytest.approx(0.505) and rates[20] == 1
    assert rates[60] == pytest.approx(0.5)
    assert rates[20:] == sorted(rates[20:], reverse=True) and 0 < rates[-1] < 0.001


def test_constant_schedule_stays():
    training = TrainingConfig(learning_rate=0.5, schedule="constant")
    assert {learning_rate(training, step, 10) for step in range(10)} == {0.5}


def test_optimizer_groups_follow_the_reference():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 2))
    model[2].bias.requires_grad_(False)
    groups = [
        ([tuple(p.shape) for p in group["params"]], group["weight_decay"], group["rate"])
        for group in groups_of(model, TrainingConfig(weight_decay=0.5))
    ]
    assert groups == [([(4, 3, 1, 1), (2, 4)], 0.5, 1), ([(4,)], 0, 2), ([(4,), (4,)], 0, 1)]
    assert [g["rate"] for g in groups_of(model, TrainingConfig(double_bias=False))] == [1, 1, 1]
    assert [g["rate"] for g in groups_of(model, TrainingConfig(optimizer="adamw"))] == [1, 1, 1]


def test_average_follows_the_weights_faster_at_the_start():
    average, model = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    nn.init.constant_(average.weight, 0.0)
    nn.init.constant_(model.weight, 1.0)
    model.num_batches_tracked.fill_(7)
    update_average(average, model, decay=0.99, step=1)
    assert average.weight.item() == pytest.approx(1 - 2 / 11)
    assert average.num_batches_tracked == 7
    nn.init.constant_(average.weight, 0.0)
    update_average(average, model, decay=0.99, step=10_000)
    assert average.weight.item() == pytest.approx(0.01)


def test_every_group_gets_its_multiple_of_the_rate():
    optimizers = build_optimizers(Small(), MUON)
    set_rate(optimizers, 0.5)
    assert [group["lr"] for one in optimizers for group in one.param_groups] == [0.5, 0.5, 0.5, 2.0]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(16, 8, 3, 3), (64, 4, 3, 3), (64, 16, 1, 1)])
def test_an_orthogonal_kernel_has_singular_values_near_one(shape, layout):
    torch.manual_seed(0)
    kernel = torch.randn(shape) * torch.logspace(-1, 0, shape[0])[:, None, None, None]  # from 0.1 to 1
    found = orthogonal(kernel.contiguous(memory_format=layout))
    assert found.shape == shape
    scale = max(1, shape[0] / (shape[1] * shape[2] * shape[3])) ** 0.5
    values = torch.linalg.svdvals(found.flatten(1)) / scale
    assert 0.3 < values.min() and values.max() < 1.3
    assert (found * kernel).sum() > 0  # still uphill


def test_no_gradient_is_no_direction():
    assert torch.equal(orthogonal(torch.zeros(4, 2, 3, 3)), torch.zeros(4, 2, 3, 3))


def test_two_optimizers_hold_every_parameter_once():
    model = Small()
    adamw, muon = build_optimizers(model, MUON)
    parameters = [id(p) for one in (adamw, muon) for group in one.param_groups for p in group["params"]]
    assert sorted(parameters) == sorted(map(id, model.parameters()))
    [kernels] = muon.param_groups
    assert len(kernels["params"]) == 1 and kernels["params"][0] is model.conv.weight


def test_kernels_move_by_momentum_and_the_rest_as_under_adamw():
    torch.manual_seed(0)
    ours, theirs = Small(), Small()
    theirs.load_state_dict(ours.state_dict())
    beside, muon = build_optimizers(ours, MUON)
    [adamw] = build_optimizers(theirs, replace(MUON, optimizer="adamw"))
    buffer = torch.zeros_like(ours.conv.weight)
    for _ in range(2):
        before = ours.conv.weight.detach().clone()
        with_gradients(ours), with_gradients(theirs)
        buffer = 0.9 * buffer + ours.conv.weight.grad
        ahead = ours.conv.weight.grad + 0.9 * buffer
        muon.step(), beside.step(), adamw.step()
        rate = muon.param_groups[0]["lr"]
        torch.testing.assert_close(ours.conv.weight.detach(), before * (1 - rate * 0.1) - rate * orthogonal(ahead))
    for name, parameter in ours.named_parameters():
        if name != "conv.weight":
            torch.testing.assert_close(parameter, theirs.get_parameter(name))


def test_kernels_without_gradient_stay():
    model = Small()
    before = model.conv.weight.detach().clone()
    Muon([model.conv.weight], lr=0.1).step()
    assert torch.equal(before, model.conv.weight)


def test_a_closure_is_called_before_anything_moves_and_its_loss_returned():
    model = Small()
    optimizer, calls = Muon([model.conv.weight], lr=0.1), []
    before = model.conv.weight.detach().clone()

    def closure():
        calls.append(torch.equal(model.conv.weight, before))
        optimizer.zero_grad()
        loss = model.conv(torch.ones(1, 6, 3, 3)).square().sum()
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    assert calls == [True] and loss.requires_grad
    assert not torch.equal(model.conv.weight, before)


def test_state_goes_through_a_state_dict():
    torch.manual_seed(0)
    ours, theirs = Small(), Small()
    first = Muon([with_gradients(ours).conv.weight], lr=0.1)
    first.step()
    theirs.load_state_dict(ours.state_dict())
    second = Muon([with_gradients(theirs).conv.weight], lr=0.1)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    first.step(), second.step()
    assert torch.equal(ours.conv.weight, theirs.conv.weight)


@pytest.mark.parametrize("name", ["small", "mobilenet_v2"])
def test_muon_leaves_the_first_layer_the_outputs_and_grouped_kernels_to_adamw(name):
    config = toy_config(("a", "b"))
    backbone = BackboneConfig(name, tail_stride=2, frozen_blocks=0, frozen_batch_norm=False)
    model = build_model(replace(config, backbone=backbone))
    _, muon = build_optimizers(model, MUON)
    kernels = {id(kernel) for kernel in muon.param_groups[0]["params"]}
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            apart = module.in_channels == 3 or module.groups > 1 or path in ("rpn.scores", "rpn.coefficients")
            assert (id(module.weight) in kernels) == (not apart), path
    assert id(model.rpn.rpn_net.weight) in kernels
