"""Muon: kernels move along orthogonal matrices, everything else as under AdamW."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from rcnn_tutorial.config import BackboneConfig, TrainingConfig, toy_config
from rcnn_tutorial.model import build_model
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


def test_a_closure_is_called_before_anything_moves_and_its_loss_returned():
    model = Small()
    optimizer, calls = build_optimizer(model, TRAINING), []
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


def test_hooks_are_called_once_a_step():
    model, calls = with_gradients(Small()), []
    torch.optim.AdamW(model.parameters())  # torch wraps a class's step when it makes the first of it
    optimizer = build_optimizer(model, TRAINING)
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    optimizer.step()
    assert calls == ["before", "after"]


def test_a_grad_scaler_scales_all_gradients_back():
    """It leaves that to fused optimizers that say they do it; those that say so and do not take steps far too long."""
    torch.manual_seed(0)
    models = Small(), Small()
    models[1].load_state_dict(models[0].state_dict())
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for model, factor in zip(models, (1024, 1), strict=True):
        optimizer = build_optimizer(with_gradients(model), TRAINING)
        for parameter in model.parameters():
            parameter.grad *= factor
        if factor > 1:
            scaler.scale(torch.zeros(()))
            scaler.step(optimizer)
        else:
            optimizer.step()
    for scaled, plain in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(scaled, plain)


def test_state_goes_through_a_state_dict():
    torch.manual_seed(0)
    ours, theirs = Small(), Small()
    first = build_optimizer(with_gradients(ours), TRAINING)
    first.step()
    theirs.load_state_dict(ours.state_dict())
    second = build_optimizer(with_gradients(theirs), TRAINING)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    first.step(), second.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["small", "mobilenet_v2"])
def test_muon_leaves_the_first_layer_the_outputs_and_grouped_kernels_to_adamw(name):
    config = toy_config(("a", "b"))
    backbone = BackboneConfig(name, tail_stride=2, frozen_blocks=0, frozen_batch_norm=False)
    model = build_model(replace(config, backbone=backbone))
    groups = {g["orthogonal"]: g["params"] for g in build_optimizer(model, TRAINING).param_groups}
    kernels = {id(kernel) for kernel in groups[True]}
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            apart = module.in_channels == 3 or module.groups > 1 or path in ("rpn.scores", "rpn.coefficients")
            assert (id(module.weight) in kernels) == (not apart), path
    assert id(model.rpn.rpn_net.weight) in kernels
