"""Which object each detection speaks of: the one rule under average precision, errors and reliability."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.boxes import box_iou


class Matches(NamedTuple):
    """All detections of the set, best score first, each with the object that it overlaps most."""

    labels: Tensor  # (D,)
    scores: Tensor  # (D,)
    overlaps: Tensor  # (D,) IoU with the best object of the same class and image; -1 if there is none
    objects: Tensor  # (D,) number of that object, counted through all images; without meaning if there is none


def match(detections: Sequence[dict], targets: Sequence[dict]) -> Matches:
    """Every detection with the object of its own class and image that it overlaps most, found before or not."""
    rows, counted = [], 0
    for found, target in zip(detections, targets, strict=True):
        iou = box_iou(found["boxes"].double(), target["boxes"].double())  # (D, G)
        iou[found["labels"][:, None] != target["labels"]] = -1
        iou = torch.cat([iou, iou.new_full((len(iou), 1), -1)], dim=1)  # so that there is a maximum without objects
        best = iou.max(dim=1)
        rows.append(Matches(found["labels"], found["scores"].double(), best.values, best.indices + counted))
        counted += len(target["labels"])
    matches = Matches(*(torch.cat(column) for column in zip(*rows, strict=True)))
    order = matches.scores.argsort(descending=True, stable=True)
    return Matches(*(column[order] for column in matches))


def first_of_each(values: Tensor) -> Tensor:
    """True where a value occurs for the first time: (N,) bool."""
    order = values.argsort(stable=True)
    first = torch.ones_like(values, dtype=torch.bool)
    first[order[1:]] = values[order[1:]] != values[order[:-1]]
    return first


def difficult_of(target: dict) -> Tensor:
    """Which objects of a target are difficult: (G,) bool, none where it does not say."""
    return target.get("difficult", torch.zeros(len(target["labels"]), dtype=torch.bool))


def mean_of_known(values: Iterable[float]) -> float:
    """The mean of what is not nan; nan if nothing is left."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
