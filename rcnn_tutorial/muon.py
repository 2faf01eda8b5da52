"""Muon: an optimizer under which a small network from random weights learns in a third of the steps.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks". torch's own Muon takes matrices only.
"""

import torch
from torch import Tensor

ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the odd polynomial; steep at 0, so that small singular values grow fast


class Muon(torch.optim.AdamW):
    """AdamW, but for groups with `orthogonal` = True: there each kernel moves along an orthogonal matrix.

    A gradient's singular values differ by orders of magnitude: a few directions get all of the step. Muon makes them
    nearly equal, so that the rare directions learn as fast as the common ones.
    """

    def __init__(self, groups: list[dict], lr: float):
        """groups: as any optimizer's; those with "orthogonal" also hold a "momentum"."""
        super().__init__([{"orthogonal": False} | group for group in groups], lr=lr, fused=True)

    @torch.no_grad()
    def step(self, closure=None) -> None:
        """Update all parameters that have a gradient."""
        groups = self.param_groups
        for group in groups:
            for parameter in group["params"] if group["orthogonal"] else ():
                if parameter.grad is not None:
                    self._move(parameter, group)
        self.param_groups = [group for group in groups if not group["orthogonal"]]
        try:
            super().step(closure)
        finally:
            self.param_groups = groups

    def _move(self, parameter: Tensor, group: dict) -> None:
        """One step of a kernel (D, C, h, w), with Nesterov's momentum."""
        momentum = group["momentum"]
        buffer = self.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))
        buffer.mul_(momentum).add_(parameter.grad)
        ahead = parameter.grad.add(buffer, alpha=momentum)  # (D, C, h, w)
        parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(orthogonal(ahead), alpha=-group["lr"])


def orthogonal(kernel: Tensor) -> Tensor:
    """The kernel (D, C, h, w) as a matrix (D, C * h * w) with all its singular values made nearly 1.

    Newton-Schulz iteration: an odd polynomial of a matrix is the polynomial of its singular values. Tall matrices are
    scaled up so that every entry of the output moves as much as with a square one.
    """
    matrix = kernel.permute(0, 2, 3, 1).flatten(1)  # (D, h * w * C): no copy where channels lie last
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)  # singular values are at most 1 now
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    x = x.T * (matrix.shape[0] / matrix.shape[1]) ** 0.5 if tall else x
    return x.unflatten(1, (*kernel.shape[2:], kernel.shape[1])).permute(0, 3, 1, 2)
