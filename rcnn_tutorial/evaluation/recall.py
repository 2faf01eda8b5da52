"""The recall of the proposals: which objects the classifier gets to see."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.evaluation.matching import difficult_of

RECALL_COUNTS = (50, 100, 300)


def proposal_recall(
    proposals: Sequence[Tensor], targets: Sequence[dict], counts: Sequence[int] = RECALL_COUNTS, iou_threshold=0.5
) -> dict[int, float]:
    """The share of the objects that the best `count` proposals of their image cover with IoU >= iou_threshold.

    proposals: one tensor (R, 4) per image, best first, in the pixels of the targets. Difficult objects are left out;
    nan without any object.
    """
    first = []  # of every object: how many proposals it takes to cover it
    for boxes, target in zip(proposals, targets, strict=True):
        objects = target["boxes"][~difficult_of(target)]  # (G, 4)
        covered = box_iou(objects.double(), boxes.double()) >= iou_threshold  # (G, R)
        first += [int(hits.nonzero()[0]) + 1 if hits.any() else math.inf for hits in covered]
    return {count: sum(rank <= count for rank in first) / len(first) if first else math.nan for count in counts}
