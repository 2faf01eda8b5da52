"""Non-maximum suppression, written out (post: appendix "Non-Maximum Suppression").

The detector itself calls torchvision's compiled `nms`, which gives the same answer sooner.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.boxes import box_iou


class NMSStep(NamedTuple):
    """One round: the first box left in the order is kept and silences those that overlap it too much."""

    kept: int  # index of the box that is kept
    suppressed: Tensor  # (K,) indices of the boxes that it removes
    remaining: Tensor  # (M,) indices still to be looked at, in order


def nms_steps(boxes: Tensor, ranks: Tensor, threshold: float) -> Iterator[NMSStep]:
    """Play greedy suppression one kept box at a time.

    boxes: (N, 4). ranks: (N,), highest first: the foreground scores as in R-CNN, or `bottom_y(boxes)` for the classic
    order that the post contrasts it with. threshold: boxes whose IoU with the kept one exceeds it are removed.
    """
    remaining = torch.argsort(ranks, descending=True, stable=True)  # (N,)
    while len(remaining):
        kept, others = remaining[0], remaining[1:]
        overlapping = box_iou(boxes[kept, None], boxes[others])[0] > threshold  # (M,)
        remaining = others[~overlapping]
        yield NMSStep(int(kept), others[overlapping], remaining)


def nms(boxes: Tensor, ranks: Tensor, threshold: float) -> Tensor:
    """Indices of the boxes that greedy suppression keeps, in the order of `ranks` (see `nms_steps`): (K,)."""
    kept = [step.kept for step in nms_steps(boxes, ranks, threshold)]
    return torch.tensor(kept, dtype=torch.long, device=boxes.device)


def bottom_y(boxes: Tensor) -> Tensor:
    """The y coordinate of the bottom right corner, (N,): rank by it and the lowest box in the picture wins."""
    return boxes[:, 3]
