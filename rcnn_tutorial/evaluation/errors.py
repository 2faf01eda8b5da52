"""What kind of mistake is each one, and what would mending it gain? Bolya et al. 2020 (TIDE), section 2.

Every detection that is not right is wrong in one of five ways, told from its best IoU with an object of its own class
(own) and with one of another class (other); the first line that fits decides, as in the authors' program:

    location    background < own <= foreground            the right class on a box too far off
    class       other > foreground                        the right box of another class
    duplicate   own > foreground                          an object that a better-scored detection has found
    both        other > background                        another class, and too far off
    background  neither own nor other exceeds background  nothing is there

and a sixth kind are the objects that are missed. The gain (dAP) of a kind is the AP that an oracle adds who mends this
kind and no other: it gives a class error its object's label, a location error its object's box, drops the others, and
takes missed objects from the count. An object can be found once: of the class and location errors on one object the
best-scored is mended, the others are dropped, and so are all whose object is found already. The gains do not add up to
1 - AP.

Two things differ from the authors' program. It pairs as COCO does: a detection whose best object is taken may still
have the next best, while here, as VOC counts, it is a duplicate. And it leaves difficult objects out before it looks
for mistakes; here a detection may be wrong about a difficult object, and mending makes it neutral.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation.average_precision import area_ap, curve_of
from rcnn_tutorial.evaluation.matching import (
    Verdicts,
    first_of_each,
    judge,
    match,
    mean_of_known,
    objects_in_a_row,
)

KINDS = ("class", "location", "both", "duplicate", "background", "missed")
CLASS, LOCATION, BOTH, DUPLICATE, BACKGROUND, MISSED = range(6)
RIGHT, IGNORED = -1, -2


class Errors(NamedTuple):
    """The verdict on every detection and every object, one entry per image, in the order of the input."""

    kinds: list[Tensor]  # (D,) long: RIGHT, IGNORED (on a difficult object of its class), else an index into KINDS
    objects: list[Tensor]  # (D,) long: the object of its image that the verdict speaks of; -1 for background
    missed: list[Tensor]  # (G,) bool: not found, not difficult, and no class or location error that could be mended


class Report(NamedTuple):
    """How often each kind of error occurs and what an oracle would gain. AP and gains are in [0, 1]."""

    ap: float  # area AP at IoU > foreground, mean of the classes that have objects; nan without objects
    counts: dict[str, int]  # of each of KINDS
    gains: dict[str, float]  # of each of KINDS: AP without these errors, less `ap`; nan without objects
    overall: dict[str, float]  # the gain without any "false positives", without any "false negatives"


class _Judged(NamedTuple):
    """All detections of the set, best score first, and all objects."""

    labels: Tensor  # (D,)
    scores: Tensor  # (D,)
    verdicts: Verdicts  # (D,) each
    kinds: Tensor  # (D,)
    objects: Tensor  # (D,) counted through all images; -1 for background
    order: Tensor  # (D,) number of the detection, counted through all images
    object_labels: Tensor  # (G,)
    counted: Tensor  # (G,) bool: not difficult
    missed: Tensor  # (G,) bool


def find_errors(
    detections: Sequence[dict], targets: Sequence[dict], foreground: float = 0.5, background: float = 0.1
) -> Errors:
    """The kind of every detection, and the objects that are missed.

    foreground: the IoU that a right detection exceeds; background: the IoU up to which a detection touches nothing.
    Raises ConfigError unless 0 <= background < foreground < 1.
    """
    judged = _judge_all(detections, targets, foreground, background)
    kinds, objects = torch.empty_like(judged.kinds), torch.empty_like(judged.objects)
    kinds[judged.order], objects[judged.order] = judged.kinds, judged.objects
    found, there = ([len(image["labels"]) for image in images] for images in (detections, targets))
    starts = torch.tensor([0, *there]).cumsum(0)[:-1]
    local = [
        torch.where(numbers < 0, numbers, numbers - start)
        for numbers, start in zip(objects.split(found), starts, strict=True)
    ]
    return Errors(list(kinds.split(found)), local, list(judged.missed.split(there)))


def error_report(
    detections: Sequence[dict],
    targets: Sequence[dict],
    classes: Sequence[str],
    foreground: float = 0.5,
    background: float = 0.1,
) -> Report:
    """Count the errors of each kind, and the gain of mending it.

    A class whose objects are all missed has none left to find when they are taken from the count: it leaves the mean
    if it has no detection either, and if no class is left, nothing is wrong any more, and AP is 1.
    """
    judged = _judge_all(detections, targets, foreground, background)
    ap = _mean_ap(judged, len(classes))
    counts = {kind: int((judged.kinds == number).sum()) for number, kind in enumerate(KINDS)}
    counts["missed"] = int(judged.missed.sum())
    mended = {kind: _mended(judged, number) for number, kind in enumerate(KINDS)}
    mended["false positives"] = _neutral_where(judged, judged.kinds >= 0)
    mended["false negatives"] = judged._replace(counted=_found(judged))
    gains = {name: _gain(_mean_ap(better, len(classes), judged.counted), ap) for name, better in mended.items()}
    overall = {name: gains.pop(name) for name in ("false positives", "false negatives")}
    return Report(ap, counts, gains, overall)


def check_thresholds(foreground: float, background: float) -> None:
    """Raise ConfigError unless 0 <= background < foreground < 1."""
    if not 0 <= background < foreground < 1:
        found = f"foreground = {foreground:g}, background = {background:g}"
        raise ConfigError(f"{found}: use 0 <= background < foreground < 1")


def _judge_all(detections: Sequence[dict], targets: Sequence[dict], foreground: float, background: float) -> _Judged:
    check_thresholds(foreground, background)
    own, other = match(detections, targets), match(detections, targets, own_class=False)
    labels, difficult = objects_in_a_row(targets)
    verdicts = judge(own, difficult, foreground)
    kinds = _kinds(own.overlaps, other.overlaps, verdicts, foreground, background)
    of_other = (kinds == CLASS) | (kinds == BOTH)
    objects = torch.where(of_other, other.objects, own.objects).masked_fill(kinds == BACKGROUND, -1)
    spoken_of = torch.zeros_like(difficult)
    spoken_of[objects[(kinds == RIGHT) | (kinds == CLASS) | (kinds == LOCATION)]] = True
    missed = ~spoken_of & ~difficult
    return _Judged(own.labels, own.scores, verdicts, kinds, objects, own.order, labels, ~difficult, missed)


def _kinds(own: Tensor, other: Tensor, verdicts: Verdicts, foreground: float, background: float) -> Tensor:
    """The kinds (D,) from the best overlaps (D,) with the own class and with others: what is set last holds."""
    kinds = torch.full_like(verdicts.right, BACKGROUND, dtype=torch.long)
    kinds[other > background] = BOTH
    kinds[own > foreground] = DUPLICATE
    kinds[other > foreground] = CLASS
    kinds[(own > background) & (own <= foreground)] = LOCATION
    kinds[verdicts.neutral] = IGNORED
    kinds[verdicts.right] = RIGHT
    return kinds


def _mended(judged: _Judged, kind: int) -> _Judged:
    """The set after an oracle has mended one kind."""
    if kind == MISSED:
        return judged._replace(counted=judged.counted & ~judged.missed)
    dropped = _neutral_where(judged, judged.kinds == kind)
    if kind not in (CLASS, LOCATION):
        return dropped
    mended = (judged.kinds == kind) & _first_to_mend(judged)
    labels = judged.labels.clone()
    labels[mended] = judged.object_labels[judged.objects[mended]]
    right, neutral = dropped.verdicts
    return dropped._replace(labels=labels, verdicts=Verdicts(right | mended, neutral & ~mended))


def _first_to_mend(judged: _Judged) -> Tensor:
    """Of the class and location errors on an object not yet found, the best-scored: (D,) bool."""
    able = (judged.kinds == CLASS) | (judged.kinds == LOCATION)
    able[able.clone()] = (judged.counted & ~_found(judged))[judged.objects[able]]
    able[able.clone()] = first_of_each(judged.objects[able])
    return able


def _neutral_where(judged: _Judged, dropped: Tensor) -> _Judged:
    return judged._replace(verdicts=Verdicts(judged.verdicts.right, judged.verdicts.neutral | dropped))


def _found(judged: _Judged) -> Tensor:
    """The objects that a right detection speaks of: (G,) bool."""
    found = torch.zeros_like(judged.counted)
    found[judged.objects[judged.kinds == RIGHT]] = True
    return found


def _mean_ap(judged: _Judged, classes: int, counted_before: Tensor | None = None) -> float:
    """Area AP, mean of the classes that had objects; 1 if they had, and neither objects nor errors are left."""
    before = judged.counted if counted_before is None else counted_before
    aps = []
    for label in range(1, classes + 1):
        mine = judged.labels == label
        had, objects = (int((counted & (judged.object_labels == label)).sum()) for counted in (before, judged.counted))
        if objects:
            curve = curve_of(Verdicts(*(v[mine] for v in judged.verdicts)), judged.scores[mine], objects)
            aps.append(area_ap(curve.precision, curve.recall))
        elif had and not judged.verdicts.neutral[mine].all():
            aps.append(0.0)
    return mean_of_known(aps) if aps or not before.any() else 1.0


def _gain(better: float, ap: float) -> float:
    return max(better - ap, 0.0) if not math.isnan(ap) else math.nan  # no less than 0 but for rounding
