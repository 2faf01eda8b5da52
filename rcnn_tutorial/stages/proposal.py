"""The proposal layer: anchors become a few hundred promising boxes (post: "Proposal Layer")."""

from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.boxes import clip, decode
from rcnn_tutorial.config import ProposalConfig
from rcnn_tutorial.devices import upload
from rcnn_tutorial.fast.nms import nms
from rcnn_tutorial.stages.rpn import RPNOutputs


class Proposals(NamedTuple):
    """The boxes that survive, best first; images with fewer than R are padded with zeros."""

    boxes: Tensor  # (B, R, 4) scaled pixels
    scores: Tensor  # (B, R) probability of being foreground
    anchor_indices: Tensor  # (B, R) the anchor each box started as
    valid: Tensor  # (B, R) False where padded


def proposal_layer(
    rpn: RPNOutputs, anchors: Tensor, available: Tensor, sizes: Tensor, config: ProposalConfig, training: bool
) -> Proposals:
    """Rank anchors by foreground probability, decode the best, clip them to the image, thin them out by NMS.

    anchors: (N, 4). available: (B, N), False for anchors of padded cells. sizes: (B, 2) image height and width.
    Gradients flow from the boxes to `rpn.coefficients`; the scores only rank.
    """
    pre_nms_top_n, post_nms_top_n = config.top_n(training)
    ranks = rpn.foreground.detach().masked_fill(~available, -1.0)  # (B, N)
    scores, order = ranks.topk(min(pre_nms_top_n, ranks.shape[1]), dim=1)  # (B, K) each
    coefficients = rpn.coefficients.gather(1, order[..., None].expand(-1, -1, 4))  # (B, K, 4)
    boxes = clip(decode(coefficients, anchors[order]), sizes[:, None])  # (B, K, 4)

    candidates = zip(boxes.detach(), scores, strict=True)
    kept = [nms(*image, config.nms_threshold, post_nms_top_n) for image in candidates]  # torchvision's nms(...)[:top]
    index = torch.nn.utils.rnn.pad_sequence(kept, batch_first=True)  # (B, R)
    counts = upload([len(keep) for keep in kept], boxes.device)  # (B,)
    scores = scores.gather(1, index)  # (B, R)
    # Padded cells rank last. NaN is not below 0: boxes of a network that has diverged stay, so that the losses show it.
    valid = (torch.arange(index.shape[1], device=boxes.device) < counts[:, None]) & ~(scores < 0)  # (B, R)
    return Proposals(
        boxes.gather(1, index[..., None].expand(-1, -1, 4)) * valid[..., None],
        scores * valid,
        order.gather(1, index),
        valid,
    )
