"""The region proposal network: scores and coefficients for every anchor (post: "Region Proposal Network")."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from rcnn_tutorial.config import RPNConfig


class RPNOutputs(NamedTuple):
    """What the network says of every anchor, in the anchors' order."""

    scores: Tensor  # (B, N, 2) logits: background, foreground
    coefficients: Tensor  # (B, N, 4) from the anchor to the object

    @property
    def foreground(self) -> Tensor:
        """Probability of the anchor being foreground, (B, N): the softmax over its two scores."""
        return (self.scores[..., 1] - self.scores[..., 0]).sigmoid()  # equals softmax(scores)[..., 1]


class RegionProposalNetwork(nn.Module):
    """A 3x3 convolution over the features, then two 1x1 convolutions: 2A scores and 4A coefficients per cell."""

    def __init__(self, in_channels: int, anchors_per_cell: int, config: RPNConfig):
        super().__init__()
        self.rpn_net = nn.Conv2d(in_channels, config.channels, kernel_size=3, padding=1)
        self.scores = nn.Conv2d(config.channels, 2 * anchors_per_cell, kernel_size=1)
        self.coefficients = nn.Conv2d(config.channels, 4 * anchors_per_cell, kernel_size=1)
        for name, parameter in self.named_parameters():
            nn.init.zeros_(parameter) if name.endswith("bias") else nn.init.normal_(parameter, std=0.01)

    def forward(self, features: Tensor) -> RPNOutputs:
        """features: (B, channels, H, W). Returns outputs for N = H * W * A anchors, in float32 under autocast too."""
        hidden = F.relu(self.rpn_net(features))  # (B, rpn channels, H, W)
        return RPNOutputs(flatten_scores(self.scores(hidden)), flatten_coefficients(self.coefficients(hidden)))


def flatten_scores(scores: Tensor) -> Tensor:
    """(B, 2A, H, W), all background channels first, to (B, H * W * A, 2)."""
    batch, channels, height, width = scores.shape
    scores = scores.permute(0, 2, 3, 1).reshape(batch, height * width, 2, channels // 2)  # (B, HW, 2, A)
    return scores.transpose(2, 3).reshape(batch, -1, 2).float()


def flatten_coefficients(coefficients: Tensor) -> Tensor:
    """(B, 4A, H, W), the four of one anchor side by side, to (B, H * W * A, 4)."""
    return coefficients.permute(0, 2, 3, 1).reshape(coefficients.shape[0], -1, 4).float()
