"""Convolutions that compute what torch's own compute, sooner on one kind of processor."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rcnn_tutorial.devices import layout, on_cpu

WIDE = 128  # channels on both sides from which matrix products are the faster way to a weight's gradient


class WideConv2d(nn.Conv2d):
    """A convolution between many channels. On a CPU, in float32, its gradient is computed as `Convolution` does."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, h, w). Returns (N, D, h', w')."""
        if not on_cpu(x) or torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        return Convolution.apply(x, self.weight, self.bias, self.stride, self.padding)


class TinyConv2d(nn.Conv2d):
    """A 3x3 convolution with padding that, on maps of 2x2 cells, is computed as one matrix product.

    There every output cell sees all four input cells, and five of the nine entries of the kernel only padding. Without
    them it is less than half the arithmetic; the gradient of the weights gains most.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, h, w). Returns (N, D, h, w)."""
        if not on_cpu(x) or x.shape[-2:] != (2, 2):
            return super().forward(x)
        outputs, inputs = self.weight.shape[:2]
        cells = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])  # (4, 2) as row, column
        row, column = (cells[None] - cells[:, None] + 1).unbind(-1)  # (4, 4): entry [i, j] of the kernel links j to i
        kernel = self.weight.permute(2, 3, 0, 1).reshape(9, -1)  # (9, D * C)
        matrix = kernel.index_select(0, (3 * row + column).flatten()).view(4, 4, outputs, inputs)
        matrix = matrix.transpose(1, 2).reshape(4 * outputs, 4 * inputs)
        bias = None if self.bias is None else self.bias.repeat(4)  # (4 * D,)
        mapped = F.linear(x.permute(0, 2, 3, 1).flatten(1), matrix, bias)  # (N, 4 * D)
        return mapped.view(len(x), 2, 2, outputs).permute(0, 3, 1, 2)


class DepthwiseConv2d(nn.Conv2d):
    """A convolution channel by channel that keeps away from cuDNN on CUDA: see `devices.layout`, for its weights."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, h, w). Returns (N, C, h', w')."""
        if layout(self, x.device) == torch.contiguous_format:
            x = x.contiguous()
        return super().forward(x)


class Convolution(torch.autograd.Function):
    """A convolution whose weight gradient is one matrix product for each entry of the kernel.

    Entry (y, x) of the kernel multiplies the input shifted by (y, x). So its gradient is the output's gradient times
    the shifted input, summed over all cells and images: a product of two tall matrices. With many channels a processor
    computes it in half the time of torch's own operation.
    """

    generate_vmap_rule = True  # for torch.func: all that follows can be batched

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple, padding: tuple) -> Tensor:
        """As `torch.nn.functional.conv2d`."""
        return F.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: Tensor) -> None:
        """Keep what the gradients need."""
        x, weight, bias, ctx.stride, ctx.padding = inputs
        ctx.save_for_backward(x, weight)
        ctx.save_for_forward(x, weight)
        ctx.has_bias = bias is not None

    @staticmethod
    def jvp(ctx, x_change: Tensor | None, weight_change: Tensor | None, bias_change: Tensor | None, *_) -> Tensor:
        """How the output changes with the inputs, to first order: a convolution is linear in each of them."""
        x, weight = ctx.saved_tensors
        changes = []
        if x_change is not None:
            changes.append(F.conv2d(x_change, weight, None, ctx.stride, ctx.padding))
        if weight_change is not None:
            changes.append(F.conv2d(x, weight_change, None, ctx.stride, ctx.padding))
        if bias_change is not None:
            changes.append(bias_change[:, None, None])
        return sum(changes)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple:
        """gradient: (N, D, h', w') of the output. Returns those of x, weight and bias."""
        (x, weight), stride, padding = ctx.saved_tensors, ctx.stride, ctx.padding
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = torch.nn.grad.conv2d_input(x.shape, weight, gradient, stride, padding)
        if ctx.needs_input_grad[1]:
            of_weight = weight_gradient(x, gradient, weight.shape[2:], stride, padding)
        if ctx.has_bias and ctx.needs_input_grad[2]:
            of_bias = gradient.sum(dim=(0, 2, 3))
        return of_x, of_weight, of_bias, None, None


def weight_gradient(x: Tensor, gradient: Tensor, kernel: tuple, stride: tuple, padding: tuple) -> Tensor:
    """x: (N, C, h, w). gradient: (N, D, h', w') of the output. Returns (D, C, *kernel)."""
    high, wide = ((cells - 1) * step + 1 for cells, step in zip(gradient.shape[2:], stride, strict=True))
    gradient = gradient.permute(0, 2, 3, 1).flatten(0, 2).T  # (D, N * h' * w')
    padded = F.pad(x, (padding[1], padding[1], padding[0], padding[0])).permute(0, 2, 3, 1)  # (N, h + 2p, w + 2p, C)
    entries = [
        gradient @ padded[:, y : y + high : stride[0], x : x + wide : stride[1]].flatten(0, 2)  # (D, C)
        for y in range(kernel[0])
        for x in range(kernel[1])
    ]
    return torch.stack(entries, dim=-1).unflatten(-1, kernel)


def exchanged(conv: nn.Conv2d, kind: type[nn.Conv2d]) -> nn.Conv2d:
    """A convolution of another class with the very parameters of `conv`."""
    sizes = conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups
    other = kind(*sizes, bias=conv.bias is not None, device="meta")  # no memory, no random numbers
    other.weight, other.bias = conv.weight, conv.bias
    return other


def widen(block: nn.Module) -> None:
    """Make every wide convolution of a block a `WideConv2d`, every depthwise one a `DepthwiseConv2d`.

    Their parameters and names stay the same.
    """
    for name, child in block.named_children():
        widen(child)
        if type(child) is not nn.Conv2d:
            continue
        if child.groups > 1:
            setattr(block, name, exchanged(child, DepthwiseConv2d))
        elif min(child.in_channels, child.out_channels) >= WIDE and child.dilation == (1, 1):
            setattr(block, name, exchanged(child, WideConv2d))
