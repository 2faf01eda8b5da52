"""What moves the weights: the learning rate's schedule, groups of parameters, Muon, and the average of the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rcnn_tutorial.config import TrainingConfig

KERNEL_RATE = 4  # an orthogonal step is longer than one of AdamW's at the same rate, and may be
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
NORMS = (*BATCH_NORMS, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm, nn.LayerNorm)


def learning_rate(training: TrainingConfig, step: int, steps: int) -> float:
    """The rate of step `step` (0-based) of a phase of `steps`: a function of the position alone."""
    warmup = round(training.warmup * steps)
    if step < warmup:
        return training.learning_rate * (0.01 + 0.99 * step / warmup)
    if training.schedule == "cosine":
        return training.learning_rate * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2
    if training.schedule == "step" and step >= round(training.step_at * steps):
        return training.learning_rate / 10
    return training.learning_rate


def build_optimizers(model: nn.Module, training: TrainingConfig) -> list[torch.optim.Optimizer]:
    """SGD, AdamW, or AdamW and Muon, over the parameters that are not frozen, in groups as in the reference.

    Weight decay spares biases and norms; with SGD and `double_bias`, biases learn at twice the rate. Muon moves the
    kernels of hidden convolutions (see `is_hidden`) and leaves the rest to AdamW. A group's "rate" is its multiple of
    the learning rate (see `set_rate`).
    """
    kinds: dict[str, list[nn.Parameter]] = {"kernels": [], "weights": [], "biases": [], "norms": []}
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            kind = "norms" if isinstance(module, NORMS) else "biases" if name == "bias" else "weights"
            if kind == "weights" and training.optimizer == "muon" and is_hidden(path, module):
                kind = "kernels"
            if parameter.requires_grad:
                kinds[kind].append(parameter)
    sgd, rate, decay = training.optimizer == "sgd", training.learning_rate, training.weight_decay
    groups: list[dict] = [
        {"params": kinds["weights"], "rate": 1, "weight_decay": decay},
        {"params": kinds["biases"], "rate": 2 if sgd and training.double_bias else 1, "weight_decay": 0},
        {"params": kinds["norms"], "rate": 1, "weight_decay": 0},
    ]
    if sgd:
        return [torch.optim.SGD(groups, lr=rate, momentum=training.momentum, fused=True)]
    adamw = torch.optim.AdamW(groups, lr=rate, fused=True)
    if training.optimizer == "adamw":
        return [adamw]
    kernels = {"params": kinds["kernels"], "rate": KERNEL_RATE, "weight_decay": decay}
    return [adamw, Muon([kernels], lr=rate, momentum=training.momentum)]


def set_rate(optimizers: Sequence[torch.optim.Optimizer], rate: float) -> None:
    """Give every group of parameters its multiple of the learning rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group["rate"]


def is_hidden(path: str, module: nn.Module) -> bool:
    """A convolution that Muon is made for: not the one that sees the image, not the RPN's outputs, none in groups.

    The first and the last layers do not map features to features, and the matrices of grouped convolutions are too
    small to have directions to equalize.
    """
    last = path.rpartition(".")[2] in ("scores", "coefficients")
    return isinstance(module, nn.Conv2d) and module.in_channels != 3 and module.groups == 1 and not last


class Muon(torch.optim.Optimizer):
    """Momentum whose every step is made orthogonal. For kernels (D, C, h, w) of hidden convolutions alone.

    A gradient's singular values differ by orders of magnitude: a few directions get all of the step. Muon makes them
    nearly equal, so that rare directions learn as fast as common ones. Jordan et al. 2024, "Muon: an optimizer for
    hidden layers in neural networks"; torch's own Muon takes matrices only.
    """

    def __init__(self, params, lr: float, momentum: float = 0.9, weight_decay: float = 0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        """Move every kernel that has a gradient. Returns the loss that `closure` computes, where there is one."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is None:
                    continue
                if not self.state[kernel]:
                    self.state[kernel]["momentum_buffer"] = torch.zeros_like(kernel)
                momentum = self.state[kernel]["momentum_buffer"].mul_(group["momentum"]).add_(kernel.grad)
                ahead = kernel.grad.add(momentum, alpha=group["momentum"])  # Nesterov's
                kernel.mul_(1 - group["lr"] * group["weight_decay"]).add_(orthogonal(ahead), alpha=-group["lr"])
        return loss


def orthogonal(kernel: Tensor, iterations: int = 5) -> Tensor:
    """A kernel (D, C, h, w), as a matrix (D, C * h * w), with all its singular values made nearly 1.

    Newton-Schulz iteration: x becomes p x with p = a + b x x^T + c (x x^T)^2, so that its singular values become a
    polynomial of themselves; it is steep at 0, where small ones grow fast. Two deviations from Jordan's code. There x
    is multiplied in every round; here the small p, and x once, which gives the same at half the cost. And tall matrices
    are scaled up, for every output to move as much as with a square one: his factor comes from the last two sides of
    the gradient, which for a kernel are h and w, so that it is always 1; here it is the matrix's.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    matrix = kernel.flatten(1)  # (D, C * h * w)
    tall = max(1.0, matrix.shape[0] / matrix.shape[1])
    x = matrix.T if tall > 1 else matrix  # (n, m), n <= m
    x = x / x.norm().clamp(min=1e-7)  # singular values are at most 1 now
    square = x @ x.T  # (n, n)
    product = identity = torch.eye(len(square), dtype=x.dtype, device=x.device)
    for _ in range(iterations):
        p = a * identity + b * square + c * square @ square  # (n, n)
        product, square = p @ product, p @ square @ p
    x = product @ x
    return (tall**0.5 * (x.T if tall > 1 else x)).view_as(kernel)


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move the averaged weights towards those of `model` after step `step` (1-based) of the phase.

    The decay grows into its value, so that the random weights of the start are soon forgotten.
    """
    decay = min(decay, (1 + step) / (10 + step))
    current = model.state_dict()
    for name, tensor in average.state_dict().items():
        if tensor.is_floating_point():
            tensor.lerp_(current[name], 1 - decay)
        else:
            tensor.copy_(current[name])  # batch norm's count of batches
