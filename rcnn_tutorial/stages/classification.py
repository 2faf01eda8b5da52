"""The classification layer and its loss (post: "Classification Layer", "Calculating Classification Layer Loss")."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rcnn_tutorial.stages.proposal_target import ProposalTargets
from rcnn_tutorial.stages.rpn_loss import smooth_l1


class RoiOutputs(NamedTuple):
    """What the classifier says of every ROI, with everything on the way there."""

    rois: Tensor  # (B, S, 4) scaled pixels
    crops: Tensor  # (B * S, channels, size, size) as the tail takes them
    fc7: Tensor  # (B, S, D) one feature vector per ROI
    scores: Tensor  # (B, S, C + 1) logits, background first
    coefficients: Tensor  # (B, S, C + 1, 4) class by class, normalized

    @property
    def probabilities(self) -> Tensor:
        """Softmax over the classes: (B, S, C + 1)."""
        return self.scores.softmax(dim=-1)


class ClassificationLoss(NamedTuple):
    """The two parts, over all ROIs of the batch. No weight is applied yet."""

    class_loss: Tensor  # () cross_entropy
    box_loss: Tensor  # () loss_box


class ClassificationLayer(nn.Module):
    """Two linear layers on fc7: scores for C + 1 classes, four coefficients for each of them."""

    def __init__(self, in_features: int, classes: int):
        super().__init__()
        self.cls_score_net = nn.Linear(in_features, classes)
        self.bbox_pred_net = nn.Linear(in_features, 4 * classes)
        nn.init.normal_(self.cls_score_net.weight, std=0.01)
        nn.init.normal_(self.bbox_pred_net.weight, std=0.001)
        nn.init.zeros_(self.cls_score_net.bias)
        nn.init.zeros_(self.bbox_pred_net.bias)

    def forward(self, fc7: Tensor) -> tuple[Tensor, Tensor]:
        """fc7: (..., D). Returns scores (..., C + 1) and coefficients (..., C + 1, 4), float32 under autocast too."""
        scores, coefficients = self.cls_score_net(fc7), self.bbox_pred_net(fc7)
        return scores.float(), coefficients.unflatten(-1, (-1, 4)).float()


def right_class(coefficients: Tensor, labels: Tensor) -> Tensor:
    """Each ROI's coefficients of its own class. coefficients: (B, S, C + 1, 4), labels: (B, S). Returns (B, S, 4)."""
    return coefficients.gather(2, labels[..., None, None].expand(-1, -1, 1, 4)).squeeze(2)


def classification_loss(outputs: RoiOutputs, targets: ProposalTargets, sigma: float = 1.0) -> ClassificationLoss:
    """Cross entropy over all sampled ROIs; smooth L1 of the right class's four, foreground only, over all ROIs too."""
    class_loss = F.cross_entropy(outputs.scores.flatten(0, 1), targets.labels.flatten())
    difference = right_class(outputs.coefficients, targets.labels) - targets.coefficients  # (B, S, 4)
    # A background ROI has no target to be finite. `where` drops what stands there; a product with 0 could give NaN, and
    # so would the gradient of a distance that is dropped later.
    difference = torch.where(targets.labels[..., None] > 0, difference, 0.0)  # (B, S, 4)
    return ClassificationLoss(class_loss, smooth_l1(difference, sigma).sum(dim=2).mean())
