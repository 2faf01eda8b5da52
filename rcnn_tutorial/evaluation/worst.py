"""Which mistakes to look at first: of each kind, the highest-scored ones and the largest missed objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rcnn_tutorial.boxes import box_area
from rcnn_tutorial.evaluation.errors import KINDS, Errors


class Case(NamedTuple):
    """One mistake."""

    kind: str  # one of KINDS
    image: int
    detection: int  # of that image; -1 for a missed object
    object: int  # of that image; -1 for background
    weight: float  # what it was chosen by: the detection's score, or the missed object's area in square pixels


def worst_cases(
    errors: Errors, detections: Sequence[dict], targets: Sequence[dict], count: int = 6
) -> dict[str, list[Case]]:
    """The `count` worst of each kind, worst first, no more than one from an image; ties in the order of the images."""
    cases = {kind: [] for kind in KINDS}
    for image, (found, target) in enumerate(zip(detections, targets, strict=True)):
        weights = [found["scores"]] * 5 + [box_area(target["boxes"])]
        for number, kind in enumerate(KINDS):
            mine = errors.missed[image] if kind == "missed" else errors.kinds[image] == number
            if len(members := mine.nonzero().flatten()):
                worst = int(members[weights[number][members].argmax()])
                pair = (-1, worst) if kind == "missed" else (worst, int(errors.objects[image][worst]))
                cases[kind].append(Case(kind, image, *pair, float(weights[number][worst])))
    return {kind: sorted(found, key=lambda case: -case.weight)[:count] for kind, found in cases.items()}
