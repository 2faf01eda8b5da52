"""Which object each detection speaks of: the one rule under average precision, errors and reliability."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.errors import DataError


class Matches(NamedTuple):
    """All detections of the set, best score first, each with the object that it overlaps most."""

    labels: Tensor  # (D,)
    scores: Tensor  # (D,)
    overlaps: Tensor  # (D,) IoU with the best object of the same class and image; -1 if there is none
    objects: Tensor  # (D,) number of that object, counted through all images; without meaning if there is none
    order: Tensor  # (D,) number of the detection, counted through all images


class Verdicts(NamedTuple):
    """What the detections of `Matches` come to, one entry for each; what is neither is wrong."""

    right: Tensor  # (D,) bool
    neutral: Tensor  # (D,) bool, on a difficult object


def match(detections: Sequence[dict], targets: Sequence[dict], own_class: bool = True) -> Matches:
    """Every detection with the object of its image that it overlaps most, found before or not.

    own_class: among the objects of the detection's class; False: among those of all other classes. The order is the
    same both times. Raises DataError for no image at all or for a number of images that differs.
    """
    check_images(detections, targets)
    rows, objects, counted = [], 0, 0
    for found, target in zip(detections, targets, strict=True):
        iou = box_iou(found["boxes"].double(), target["boxes"].double())  # (D, G)
        iou[(found["labels"][:, None] == target["labels"]) != own_class] = -1
        iou = torch.cat([iou, iou.new_full((len(iou), 1), -1)], dim=1)  # so that there is a maximum without objects
        best, order = iou.max(dim=1), torch.arange(len(iou)) + counted
        rows.append(Matches(found["labels"], found["scores"].double(), best.values, best.indices + objects, order))
        objects, counted = objects + len(target["labels"]), counted + len(iou)
    matches = Matches(*(torch.cat(column) for column in zip(*rows, strict=True)))
    order = matches.scores.argsort(descending=True, stable=True)
    return Matches(*(column[order] for column in matches))


def check_images(detections: Sequence[dict], targets: Sequence[dict]) -> None:
    """Raise DataError unless there are as many images here as there, and at least one."""
    if not len(detections) == len(targets) > 0:
        numbers = f"detections of {len(detections)} images, targets of {len(targets)}"
        raise DataError(f"{numbers}; give one dict per image, the same images in both")


def judge(matches: Matches, difficult: Tensor, iou_threshold: float) -> Verdicts:
    """Right is the first detection whose best object has IoU > iou_threshold; on a difficult one, all are neutral.

    difficult: (G,) bool, of the objects of all images in a row.
    """
    touching = matches.overlaps > iou_threshold
    neutral = touching.clone()
    neutral[touching] = difficult[matches.objects[touching]]
    right = touching & ~neutral
    right[right.clone()] = first_of_each(matches.objects[right])
    return Verdicts(right, neutral)


def first_of_each(values: Tensor) -> Tensor:
    """True where a value occurs for the first time: (N,) bool."""
    order = values.argsort(stable=True)
    first = torch.ones_like(values, dtype=torch.bool)
    first[order[1:]] = values[order[1:]] != values[order[:-1]]
    return first


def objects_in_a_row(targets: Sequence[dict]) -> tuple[Tensor, Tensor]:
    """Labels (G,) and difficult (G,) bool of the objects of all images, as `Matches.objects` counts them."""
    labels = torch.cat([target["labels"] for target in targets])
    return labels, torch.cat([difficult_of(target) for target in targets])


def difficult_of(target: dict) -> Tensor:
    """Which objects of a target are difficult: (G,) bool, none where it does not say."""
    return target.get("difficult", torch.zeros(len(target["labels"]), dtype=torch.bool))


def mean_of_known(values: Iterable[float]) -> float:
    """The mean of what is not nan; nan if nothing is left."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
