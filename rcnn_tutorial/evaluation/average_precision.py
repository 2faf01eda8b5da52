"""Precision, recall and average precision as PASCAL VOC counts them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.evaluation.matching import Verdicts, judge, match, mean_of_known, objects_in_a_row


class APResult(NamedTuple):
    """Average precisions in [0, 1]. A class without objects has nan, and no part in the mean."""

    mean: float
    per_class: dict[str, float]


class Curve(NamedTuple):
    """Precision and recall of one class while the score threshold falls, one entry for each of its detections."""

    precision: Tensor  # (D,) share of the detections so far that are right
    recall: Tensor  # (D,) share of the objects found so far; nan without objects
    scores: Tensor  # (D,) descending
    objects: int  # difficult ones not counted


def voc_ap(
    detections: Sequence[dict],
    targets: Sequence[dict],
    classes: Sequence[str],
    metric: str = "voc07",
    iou_threshold: float = 0.5,
) -> APResult:
    """Average precision as the VOC development kit counts it. Post: "Evaluation"; Everingham et al. 2010, section 4.2.

    metric: voc07, the mean precision at 11 recalls, or voc, the area under the curve (VOC 2010 and later).
    """
    counted = eleven_point_ap if metric == "voc07" else area_ap
    curves = precision_recall(detections, targets, classes, iou_threshold)
    per_class = {name: counted(c.precision, c.recall) if c.objects else math.nan for name, c in curves.items()}
    return APResult(mean_of_known(per_class.values()), per_class)


def precision_recall(
    detections: Sequence[dict], targets: Sequence[dict], classes: Sequence[str], iou_threshold: float = 0.5
) -> dict[str, Curve]:
    """The precision-recall curve of every class.

    Over the whole set, best score first, a detection is right when the object of its class and image that it overlaps
    most has IoU > iou_threshold and was not found before. A second detection of an object is wrong; one of a difficult
    object is neither.
    """
    matches = match(detections, targets)
    labels, difficult = objects_in_a_row(targets)
    verdicts = judge(matches, difficult, iou_threshold)
    curves = {}
    for label, name in enumerate(classes, start=1):
        mine, objects = matches.labels == label, int(((labels == label) & ~difficult).sum())
        curves[name] = curve_of(Verdicts(*(column[mine] for column in verdicts)), matches.scores[mine], objects)
    return curves


def curve_of(verdicts: Verdicts, scores: Tensor, objects: int, weights: Tensor | int = 1) -> Curve:
    """The curve of one class from the verdicts on its detections, best score first.

    weights: how many times each detection counts, (D,) or one number for all.
    """
    right, neutral = verdicts
    true = (right * weights).cumsum(0).double()  # (D,)
    false = ((~right & ~neutral) * weights).cumsum(0).double()  # (D,)
    return Curve(true / (true + false).clamp(min=1), true / (objects or math.nan), scores, objects)


def eleven_point_ap(precision: Tensor, recall: Tensor) -> float:
    """VOC 2007: the mean over recalls 0, 0.1, ... 1 of the best precision at that recall or beyond."""
    # i * 0.1, not i / 10, as the reference has it: the thresholds differ in the last bit.
    reached = recall >= (torch.arange(11, dtype=torch.double) * 0.1)[:, None]  # (11, D)
    return float(torch.where(reached, precision, 0.0).amax(dim=1).mean()) if len(recall) else 0.0


def area_ap(precision: Tensor, recall: Tensor) -> float:
    """VOC 2010 and later: the area under the curve, each precision raised to the best one at that recall or beyond."""
    envelope = precision.flip(0).cummax(0).values.flip(0) if len(precision) else precision  # (D,)
    return float((envelope * recall.diff(prepend=recall.new_zeros(1))).sum())
