"""The RPN's loss (post: "Calculating RPN Loss"; Faster R-CNN paper, equation 1)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial.stages.anchor_target import DONT_CARE, AnchorTargets
from rcnn_tutorial.stages.rpn import RPNOutputs


class RPNLoss(NamedTuple):
    """The two parts, each the mean over the images of the batch. No weight is applied yet."""

    class_loss: Tensor  # () rpn_cross_entropy
    box_loss: Tensor  # () rpn_loss_box


def smooth_l1(difference: Tensor, sigma: float) -> Tensor:
    """Elementwise: sigma^2 x^2 / 2 where |x| < 1 / sigma^2, |x| - 0.5 / sigma^2 elsewhere (Fast R-CNN, equation 3).

    sigma moves the place where the loss turns from quadratic to linear; it appears in code, not in the papers.
    """
    beta = 1 / sigma**2
    size = difference.abs()
    return torch.where(size < beta, 0.5 * size**2 / beta, size - 0.5 * beta)


def rpn_loss(rpn: RPNOutputs, targets: AnchorTargets, sigma: float = 3.0) -> RPNLoss:
    """Cross entropy averaged over the sampled anchors, and smooth L1 over the foreground ones.

    The box loss, too, is divided by the number of sampled anchors (see `anchor_target.box_weights`). An image without
    any sampled anchor contributes 0.
    """
    entropy = F.cross_entropy(rpn.scores.transpose(1, 2), targets.labels, reduction="none", ignore_index=DONT_CARE)
    sampled = (targets.labels != DONT_CARE).sum(dim=1).clamp(min=1)  # (B,)
    class_loss = (entropy.sum(dim=1) / sampled).mean()
    # A product with the 0 weight of the other anchors would turn an infinite distance into NaN. `where` does not, and
    # in front of the loss it keeps the gradient finite as well.
    counts = (targets.box_weights > 0)[..., None]  # (B, N, 1)
    difference = torch.where(counts, rpn.coefficients - targets.coefficients, 0.0)  # (B, N, 4)
    distance = smooth_l1(difference, sigma).sum(dim=2)  # (B, N)
    return RPNLoss(class_loss, (distance * targets.box_weights).sum(dim=1).mean())
