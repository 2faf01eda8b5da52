"""The proposal layer: anchors become a few hundred promising boxes (post: "Proposal Layer")."""

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import nms

from rcnn_tutorial.boxes import box_iou, clip, decode
from rcnn_tutorial.config import ProposalConfig
from rcnn_tutorial.devices import on_cpu, upload
from rcnn_tutorial.stages.rpn import RPNOutputs

LARGEST_BLOCK = 512  # boxes; beyond it NMS, whose time grows with the square of their number, gets slow


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
    kept = [first_kept(*image, config.nms_threshold, post_nms_top_n) for image in candidates]
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


def first_kept(boxes: Tensor, scores: Tensor, threshold: float, count: int) -> Tensor:
    """The first `count` boxes that NMS keeps: (at most count,) indices. boxes: (K, 4). scores: (K,), falling.

    Only better boxes can remove a box. So on a CPU NMS goes through the list block by block: first what the boxes kept
    so far overlap is removed, then the rest is thinned out. Once `count` are kept, the remainder is not looked at.
    """
    size = min(2 * count, LARGEST_BLOCK) if on_cpu(boxes) else max(1, len(boxes))
    kept = nms(boxes[:size], scores[:size], threshold)
    for start in range(size, len(boxes), size):
        if len(kept) >= count:
            break
        block = torch.arange(start, min(start + size, len(boxes)), device=boxes.device)
        removed = (box_iou(boxes[block], boxes[kept]) > threshold).any(dim=1)  # (size,)
        block = block[~removed]
        kept = torch.cat([kept, block[nms(boxes[block], scores[block], threshold)]])
    return kept[:count]
