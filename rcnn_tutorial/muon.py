"""Muon: an optimizer under which a small network from random weights learns in a third of the steps.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks". torch's own Muon takes matrices only.
"""

import torch
from torch import Tensor
from torch.optim.adamw import adamw

ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the odd polynomial; steep at 0, so that small singular values grow fast
BETAS, EPSILON = (0.9, 0.999), 1e-8  # AdamW's usual ones


class Muon(torch.optim.Optimizer):
    """Groups with `orthogonal` = True: each kernel moves along an orthogonal matrix. All others: AdamW.

    A gradient's singular values differ by orders of magnitude: a few directions get all of the step. Muon makes them
    nearly equal, so that the rare directions learn as fast as the common ones. It is for the kernels of hidden layers:
    not for the first and the last, and not for grouped ones, whose matrices have next to nothing to equalize.
    """

    def __init__(self, groups: list[dict], lr: float):
        """groups: as any optimizer's; those with "orthogonal" hold kernels (D, C, h, w) and also a "momentum"."""
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0, "momentum": 0.9, "orthogonal": False})

    @torch.no_grad()
    def step(self, closure=None):
        """Update all parameters that have a gradient. Returns the loss that `closure` computes, where there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                (self._move if group["orthogonal"] else self._adamw)(parameters, group)
        return loss

    def _move(self, kernels: list[Tensor], group: dict) -> None:
        """One step of kernels (D, C, h, w), with Nesterov's momentum."""
        ahead = []
        for kernel in kernels:
            if "momentum_buffer" not in self.state[kernel]:
                self.state[kernel]["momentum_buffer"] = torch.zeros_like(kernel)
            buffer = self.state[kernel]["momentum_buffer"]
            buffer.mul_(group["momentum"]).add_(kernel.grad)
            ahead.append(kernel.grad.add(buffer, alpha=group["momentum"]))
        for kernel, direction in zip(kernels, orthogonal(ahead), strict=True):
            kernel.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-group["lr"])

    def _adamw(self, parameters: list[Tensor], group: dict) -> None:
        """One step of torch's AdamW, for parameters of any shape."""
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["step"] = torch.zeros((), device=parameter.device)
                self.state[parameter]["exp_avg"] = torch.zeros_like(parameter)
                self.state[parameter]["exp_avg_sq"] = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters]
        averages, squares, steps = (
            [self.state[parameter][key] for parameter in parameters] for key in ("exp_avg", "exp_avg_sq", "step")
        )
        adamw(
            parameters, gradients, averages, squares, [], steps, fused=True, amsgrad=False, maximize=False,
            beta1=BETAS[0], beta2=BETAS[1], lr=group["lr"], weight_decay=group["weight_decay"], eps=EPSILON,
        )  # fmt: skip


def orthogonal(kernels: list[Tensor]) -> list[Tensor]:
    """Each kernel (D, C, h, w) as a matrix (D, C * h * w), with all its singular values made nearly 1.

    Tall matrices are then scaled up, so that every entry of the output moves as much as with a square one.
    """
    matrices = [kernel.permute(0, 2, 3, 1).flatten(1) for kernel in kernels]  # (D, h * w * C)
    wide = [matrix if len(matrix) <= matrix.shape[1] else matrix.T for matrix in matrices]  # (n, m), n <= m
    wide = [x / x.norm().clamp(min=1e-7) for x in wide]  # singular values are at most 1 now
    squares = [x @ x.T for x in wide]  # (n, n)
    found = list(kernels)
    for size in {len(square) for square in squares}:
        same = [i for i, square in enumerate(squares) if len(square) == size]
        factors = equalizer(torch.stack([squares[i] for i in same]))  # (K, n, n)
        for i, factor in zip(same, factors, strict=True):
            x = factor @ wide[i]  # (n, m)
            x = x if x.shape == matrices[i].shape else x.T
            x = x * max(1, x.shape[0] / x.shape[1]) ** 0.5  # (D, h * w * C)
            found[i] = x.unflatten(1, (*kernels[i].shape[2:], -1)).permute(0, 3, 1, 2)  # (D, C, h, w)
    return found


def equalizer(square: Tensor) -> Tensor:
    """The matrices that, multiplied with x, make the singular values of x nearly 1. square: x x^T, (K, n, n).

    Newton-Schulz iteration: x becomes p x with p = a + b x x^T + c (x x^T)^2, whose singular values are a polynomial of
    those of x. Only the small products are iterated here; x itself is multiplied once, at the end.
    """
    a, b, c = COEFFICIENTS
    total = None
    for _ in range(ITERATIONS):
        p = torch.baddbmm(square, square, square, beta=b, alpha=c)  # (K, n, n)
        p.diagonal(dim1=1, dim2=2).add_(a)
        total = p if total is None else p @ total
        square = p @ square @ p
    return total
