"""Non-maximum suppression that stops when enough boxes are kept."""

import torch
from torch import Tensor
from torchvision import ops

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.devices import on_cpu

LARGEST_BLOCK = 512  # boxes; the time of `ops.nms` grows with the square of their number


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, count: int) -> Tensor:
    """Equals `torchvision.ops.nms(boxes, scores, iou_threshold)[:count]`: indices of the first boxes that NMS keeps.

    boxes: (K, 4). scores: (K,). Returns (at most count,), the best first.

    Only better boxes can remove a box. So on a CPU NMS goes through the list block by block: first what the boxes kept
    so far overlap is removed, then the rest is thinned out. Once `count` are kept, the remainder is not looked at.
    """
    if not on_cpu(boxes):
        return ops.nms(boxes, scores, iou_threshold)[:count]
    first, *others = scores.argsort(descending=True, stable=True).split(min(2 * count, LARGEST_BLOCK))
    kept = first[ops.nms(boxes[first], scores[first], iou_threshold)]
    for block in others:
        if len(kept) >= count:
            break
        removed = (box_iou(boxes[block], boxes[kept]) > iou_threshold).any(dim=1)  # (block,)
        block = block[~removed]
        kept = torch.cat([kept, block[ops.nms(boxes[block], scores[block], iou_threshold)]])
    return kept[:count]
