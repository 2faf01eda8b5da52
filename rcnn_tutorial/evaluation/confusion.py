"""Which class is taken for which? A confusion matrix of a detector, with a row and a column for the background."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation.matching import check_images, difficult_of

Pair = tuple[int, int, int]  # image, detection of that image or -1, object of that image or -1


class Confusion(NamedTuple):
    """What is there (row) and what the detector says (column); 0 is the background, 1..C the classes."""

    counts: Tensor  # (C + 1, C + 1) long; row 0: detections on no object; column 0: objects that none found
    members: dict[tuple[int, int], list[Pair]]  # the pairs behind each cell that has some


def confusion_matrix(
    detections: Sequence[dict],
    targets: Sequence[dict],
    classes: Sequence[str],
    score_threshold: float = 0.5,
    iou_threshold: float = 0.5,
) -> Confusion:
    """Pair detections with objects whatever their class, and count who was taken for whom.

    Of the detections with score >= score_threshold, best first, each takes the object not yet taken that it overlaps
    most, if the IoU exceeds iou_threshold. So an object is counted once, and a second detection of it stands in row 0.
    Difficult objects, and the detections that overlap one of them most, are in no cell. AP knows no score threshold;
    a matrix needs one, and every cell depends on it. Raises DataError for images that do not match, ConfigError for a
    label without a class.
    """
    check_images(detections, targets)
    counts = torch.zeros(len(classes) + 1, len(classes) + 1, dtype=torch.long)
    members = defaultdict(list)
    for image, (found, target) in enumerate(zip(detections, targets, strict=True)):
        said, there = ([0, *labels["labels"].tolist()] for labels in (found, target))  # -1 + 1 is the background
        if not 0 <= min(*said, *there) <= max(*said, *there) <= len(classes):
            raise ConfigError(f"image {image}: a label without a class; labels are 1 to {len(classes)}")
        for detection, number in _pairs(found, target, score_threshold, iou_threshold):
            cell = there[number + 1], said[detection + 1]
            counts[cell] += 1
            members[cell].append((image, detection, number))
    return Confusion(counts, dict(members))


def _pairs(found: dict, target: dict, score_threshold: float, iou_threshold: float) -> Iterator[tuple[int, int]]:
    """(detection or -1, object or -1) of one image: every detection with enough score, then the objects left over."""
    iou = box_iou(found["boxes"].double(), target["boxes"].double())  # (D, G)
    difficult, taken = difficult_of(target), torch.zeros(iou.shape[1], dtype=torch.bool)
    for detection in found["scores"].argsort(descending=True, stable=True).tolist():
        if found["scores"][detection] < score_threshold:
            break
        overlaps = iou[detection].masked_fill(taken, -1)  # (G,)
        best = int(overlaps.argmax()) if len(overlaps) else -1
        if best < 0 or overlaps[best] <= iou_threshold:
            yield detection, -1
        elif not difficult[best]:
            taken[best] = True
            yield detection, best
    yield from ((-1, int(number)) for number in (~taken & ~difficult).nonzero())
