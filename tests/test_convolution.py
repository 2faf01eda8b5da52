"""The package's convolutions compute what torch's own compute, gradients included."""

import pytest
import torch
from torch import nn

from rcnn_tutorial.convolution import DepthwiseConv2d, TinyConv2d, WideConv2d, widen


def pair(kind: type[nn.Conv2d], *sizes, **options) -> tuple[nn.Conv2d, nn.Conv2d]:
    """A convolution of ours and torch's with the same weights, in float64."""
    torch.manual_seed(0)
    ours, theirs = kind(*sizes, **options).double(), nn.Conv2d(*sizes, **options).double()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def outcome(conv: nn.Conv2d, x: torch.Tensor) -> list[torch.Tensor]:
    """The output, and a gradient for the input and every parameter."""
    x = x.clone().requires_grad_()
    y = conv(x)
    return [y, *torch.autograd.grad((y * torch.arange(y.numel()).view_as(y).cos()).sum(), [x, *conv.parameters()])]


LAYOUTS = (torch.contiguous_format, torch.channels_last)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "kernel, stride, padding", [(1, 1, 0), (3, 1, 1), (3, 2, 1), (1, 2, 0), ((1, 3), (2, 1), (0, 2))]
)
def test_wide_convolutions(kernel, stride, padding, bias, layout):
    x = torch.rand(2, 5, 7, 10, dtype=torch.float64).contiguous(memory_format=layout)
    ours, theirs = pair(WideConv2d, 5, 4, kernel, stride=stride, padding=padding, bias=bias)
    for found, expected in zip(outcome(ours, x), outcome(theirs, x), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(2, 2), (1, 1), (4, 3)])
def test_tiny_convolutions(size, bias, layout):
    x = torch.rand(3, 5, *size, dtype=torch.float64).contiguous(memory_format=layout)
    ours, theirs = pair(TinyConv2d, 5, 4, 3, padding=1, bias=bias)
    for found, expected in zip(outcome(ours, x), outcome(theirs, x), strict=True):
        torch.testing.assert_close(found, expected)


def test_a_frozen_wide_convolution_passes_the_gradient_on():
    conv = WideConv2d(3, 4, 3, padding=1).requires_grad_(False)
    x = torch.rand(1, 3, 5, 5, requires_grad=True)
    conv(x).sum().backward()
    assert x.grad.any() and conv.weight.grad is None and conv.bias.grad is None


def test_under_autocast_a_wide_convolution_is_torch_s():
    ours, theirs = (conv.float() for conv in pair(WideConv2d, 3, 4, 3, padding=1))
    x = torch.rand(1, 3, 5, 5)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = ours(x), theirs(x)
    assert found.dtype == torch.bfloat16 and torch.equal(found, expected)


def test_widen_exchanges_wide_and_depthwise_convolutions_and_no_others():
    grouped = nn.Conv2d(256, 256, 3, padding=1, groups=256)
    x = torch.rand(1, 256, 5, 5)
    expected = grouped(x)
    block = nn.Sequential(nn.Conv2d(3, 256, 1), nn.Sequential(nn.Conv2d(128, 128, 3, stride=2, bias=False)), grouped)
    state = {name: tensor.clone() for name, tensor in block.state_dict().items()}
    weight = block[1][0].weight
    widen(block)
    assert [type(module) for module in (block[0], block[1][0], block[2])] == [nn.Conv2d, WideConv2d, DepthwiseConv2d]
    assert block[1][0].weight is weight and block[1][0].stride == (2, 2)
    assert torch.equal(block[2](x), expected)
    assert all(torch.equal(state[name], tensor) for name, tensor in block.state_dict().items())


@pytest.mark.parametrize("bias", [True, False])
def test_a_wide_convolution_can_be_differentiated_twice(bias):
    torch.manual_seed(0)
    conv = WideConv2d(3, 2, 3, stride=2, padding=1, bias=bias).double()
    inputs = [torch.rand(2, 3, 5, 4, dtype=torch.float64, requires_grad=True), *conv.parameters()]
    assert torch.autograd.gradgradcheck(lambda x, *_: conv(x).sin(), inputs)


@pytest.mark.parametrize("bias", [True, False])
def test_torch_func_takes_a_wide_convolution_as_it_takes_torch_s(bias):
    """Gradients per sample, batches of inputs and directional derivatives."""
    ours, theirs = pair(WideConv2d, 3, 2, 3, padding=1, bias=bias)
    x, change = torch.rand(2, 4, 3, 5, 6, dtype=torch.float64).unbind()

    def outcomes(conv):
        parameters = dict(conv.named_parameters())

        def loss(parameters, x):
            return torch.func.functional_call(conv, parameters, x[None]).square().sum()

        yield from torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x).values()
        yield torch.func.vmap(conv)(x)
        yield torch.func.jvp(conv, (x,), (change,))[1]
        yield from torch.func.jvp(lambda p: torch.func.functional_call(conv, p, x), (parameters,), (parameters,))
        yield torch.func.hessian(lambda x: loss(parameters, x))(x[0, :, :2, :2])

    for found, expected in zip(outcomes(ours), outcomes(theirs), strict=True):
        torch.testing.assert_close(found, expected)
