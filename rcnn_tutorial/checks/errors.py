"""Checks of the eleventh notebook: kinds of errors, a confusion matrix, a calibration error, a bug to find."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from rcnn_tutorial.answers import report
from rcnn_tutorial.checks.checking import STILL, Check, misconceptions
from rcnn_tutorial.checks.error_pictures import (
    BACKGROUND,
    FOREGROUND,
    binned,
    draw_calibration,
    draw_confusion,
    draw_curve,
    draw_kinds,
    in_bins,
    usual_bin,
)
from rcnn_tutorial.checks.pictures import beside
from rcnn_tutorial.evaluation import area_ap

__all__ = ["bug_hunt", "calibration_error", "confusion", "error_kinds", "report"]


# ---- error_kinds(iou (D, G), said (D,) best first, truth (G,)) -> D words


def _best(row: list[float], candidates: list[int]) -> tuple[float, int]:
    """The largest of these numbers of a row and its place; 0 at -1 where there is no candidate."""
    which = max(candidates, key=row.__getitem__, default=-1)
    return (row[which], which) if which >= 0 else (0.0, -1)


def _in_order(own: float, other: float, found: bool) -> str:
    """The kind of one detection: the first line that fits."""
    if own > FOREGROUND and not found:
        return "right"
    if BACKGROUND < own <= FOREGROUND:
        return "location"
    if other > FOREGROUND:
        return "class"
    if own > FOREGROUND:
        return "duplicate"
    return "both" if other > BACKGROUND else "background"


def _kinds(
    iou: Tensor,
    said: Tensor,
    truth: Tensor,
    kind: Callable[[float, float, bool], str] = _in_order,
    uses: tuple[str, ...] = ("right",),
    free: bool = False,
) -> list[str]:
    """The rule; with other arguments, its misreadings. uses: the kinds that find their object.

    free: whether only objects not found yet are compared.
    """
    kinds, found = [], set()
    for row, label in zip(iou.tolist(), said.tolist(), strict=True):
        mine = [i for i, u in enumerate(truth.tolist()) if u == label and not (free and i in found)]
        own, which = _best(row, mine)
        other, another = _best(row, [i for i, u in enumerate(truth.tolist()) if u != label])
        kinds.append(kind(own, other, which in found))
        if kinds[-1] in uses:
            found.add(another if kinds[-1] in ("class", "both") else which)
    return kinds


def _by_nearest(iou: Tensor, said: Tensor, truth: Tensor) -> list[str]:
    """Look at the object that is overlapped most, whatever its class, and at no other."""
    alone = torch.zeros_like(iou)
    if iou.shape[1]:
        alone.scatter_(1, iou.argmax(dim=1, keepdim=True), iou.amax(dim=1, keepdim=True))
    return _kinds(alone, said, truth)


def _class_first(own: float, other: float, found: bool) -> str:
    return "class" if other > FOREGROUND and not (own > FOREGROUND and not found) else _in_order(own, other, found)


def _half_is_enough(own: float, other: float, found: bool) -> str:
    return _in_order(own + 1e-6, other + 1e-6, found)


def _any_touch(own: float, other: float, found: bool) -> str:
    return _in_order(*(max(iou, BACKGROUND + 1e-6) if iou > 0 else iou for iou in (own, other)), found)


def _all_below(own: float, other: float, found: bool) -> str:
    return _in_order(*(iou if iou > FOREGROUND else 0.0 for iou in (own, other)), found)


def _case(rows: list, said: list[int], truth: list[int], *more: int) -> tuple:
    iou = torch.tensor(rows).reshape(len(said), len(truth))
    return iou, *(torch.tensor(labels, dtype=torch.long) for labels in (said, truth)), *more


def _random_case(detections: int, objects: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    iou = torch.rand(detections, objects, generator=generator) ** 1.5  # more small overlaps than large ones
    return iou, *(torch.randint(1, 4, (count,), generator=generator) for count in iou.shape)


def _kinds_cases() -> list[tuple]:
    return [
        _case([[0.9, 0.0], [0.8, 0.0], [0.0, 0.7], [0.0, 0.3]], [1, 1, 1, 2], [1, 2]),
        _case([[0.35, 0.0], [0.75, 0.0], [0.0, 0.05]], [1, 1, 2], [1, 2]),
        _case([[0.3, 0.6], [0.2, 0.4], [0.6, 0.45]], [1, 2, 1], [1, 2]),
        _case([[0.5, 0.0], [0.04, 0.3], [0.0, 0.85], [0.0, 0.9]], [1, 1, 1, 2], [1, 2]),
        _case([[0.9, 0.7], [0.8, 0.75], [0.55, 0.65]], [1, 1, 1], [1, 1]),
        _case([[0.9, 0.6], [0.8, 0.7]], [1, 1], [1, 2]),
        _random_case(9, 5, seed=20),
        _case([], [1, 2], []),
    ]


error_kinds = Check(
    "error_kinds",
    _kinds,
    _kinds_cases,
    misconceptions(
        "A second box on an object is right in your version: remember which objects have been found.",
        partial(_kinds, uses=()),
        "A box that lies too far off uses up its object: only a right detection finds it.",
        partial(_kinds, uses=("right", "location")),
        "A box of the wrong class uses up the object below it: only a right detection finds one.",
        partial(_kinds, uses=("right", "class")),
        "You look at the nearest object alone: there are two questions, the best IoU with the detection's own class "
        "and the best one with any other.",
        _by_nearest,
        "You ask for class before location: the first line of the table that fits decides.",
        partial(_kinds, kind=_class_first),
        "An IoU of just 0.5 is still a location error: it has to exceed the threshold.",
        partial(_kinds, kind=_half_is_enough),
        "Whatever touches an object is an error about it in your version: up to an IoU of 0.1 it is background.",
        partial(_kinds, kind=_any_touch),
        "Below 0.5 everything is background in your version: between 0.1 and 0.5 a box is about an object, but too "
        "far off.",
        partial(_kinds, kind=_all_below),
        "A duplicate looks for another object here; the one that it overlaps most decides, found or not.",
        partial(_kinds, free=True),
        "The words are swapped: own class and too far off is location, right place and another class is class.",
        lambda *given: [{"class": "location", "location": "class"}.get(kind, kind) for kind in _kinds(*given)],
    ),
    picture=beside(draw_kinds),
)


# ---- confusion(iou (D, G), said (D,) best first, truth (G,), classes) -> counts (C + 1, C + 1)


def _pairs(iou: Tensor, said: Tensor, truth: Tensor, least=0.5, once=True, free=True, alike=False) -> list[tuple]:
    """Rows and columns, a pair a detection and a pair an object that none took. Switches: misreadings of the rule.

    once: an object is taken by one detection; free: whoever finds its object taken looks for the next best; alike:
    only objects of its class.
    """
    there, taken, pairs = truth.tolist(), set(), []
    for row, label in zip(iou.tolist(), said.tolist(), strict=True):
        open_ones = [
            i for i, u in enumerate(there) if not (free and once and i in taken) and not (alike and u != label)
        ]
        best, which = _best(row, open_ones)
        hit = best > least and not (once and which in taken)
        pairs.append((there[which] if hit else 0, label))
        taken |= {which} if hit else set()
    return pairs + [(u, 0) for i, u in enumerate(there) if i not in taken]


def _confusion(iou: Tensor, said: Tensor, truth: Tensor, classes: int, **switches) -> Tensor:
    counts = torch.zeros(classes + 1, classes + 1, dtype=torch.long)
    for pair in _pairs(iou, said, truth, **switches):
        counts[pair] += 1
    return counts


def _changed(change: Callable[[Tensor], Tensor]) -> Callable:
    """A wrong answer: the right matrix, changed."""
    return lambda *given: change(_confusion(*given))


def _ends_swapped(counts: Tensor) -> Tensor:
    row, column = counts[0].clone(), counts[:, 0].clone()
    counts[0], counts[:, 0] = column, row
    return counts


def _without(part: tuple) -> Callable[[Tensor], Tensor]:
    def emptied(counts: Tensor) -> Tensor:
        counts[part] = 0
        return counts

    return emptied


def _confusion_cases() -> list[tuple]:
    return [
        _case([[0.9, 0.0, 0.0], [0.8, 0.0, 0.0], [0.0, 0.7, 0.0]], [1, 1, 1], [1, 2, 2], 2),
        _case([[0.4, 0.0], [0.0, 0.6]], [2, 2], [2, 2], 2),
        _case([[0.9, 0.0, 0.0, 0.0], [0.0, 0.8, 0.0, 0.0], [0.0, 0.0, 0.7, 0.0]], [1, 1, 2], [1, 1, 1, 2], 2),
        _case([[0.9, 0.6], [0.8, 0.7]], [1, 2], [1, 2], 2),
        (*_random_case(10, 6, seed=21), 3),
        _case([], [1, 1], [], 1),
        _case([], [], [1, 2], 2),
    ]


confusion = Check(
    "confusion",
    _confusion,
    _confusion_cases,
    misconceptions(
        "Rows and columns are swapped: the row is what is there, the column is what the detector says.",
        _changed(lambda counts: counts.T),
        "Only row 0 and column 0 are swapped: a detection on no object is in row 0, an object not found in column 0.",
        _changed(_ends_swapped),
        "You pair detections with objects of their own class alone, so no class is ever taken for another.",
        partial(_confusion, alike=True),
        "An object is counted once for each box on it: who comes second goes to row 0.",
        partial(_confusion, once=False),
        "A detection whose best object is taken may have the next best, if the IoU exceeds 0.5.",
        partial(_confusion, free=False),
        "Objects that no detection took are missing: they belong into column 0.",
        _changed(_without((slice(None), 0))),
        "Detections on no object are missing: they belong into row 0.",
        _changed(_without((0, slice(None)))),
        "Any overlap pairs in your version: the IoU has to exceed 0.5.",
        partial(_confusion, least=0.0),
        "Background is row 0 and column 0; yours is the last of both.",
        _changed(lambda counts: counts.roll((-1, -1), (0, 1))),
        "There is no background in your matrix: it has C + 1 rows and columns.",
        _changed(lambda counts: counts[1:, 1:]),
        "A cell that occurs twice counts once: with tensors as indices, += adds to each cell once, however often it "
        "is named.",
        _changed(lambda counts: counts.clamp(max=1)),
        "These are shares of a row; counts are asked for.",
        _changed(lambda counts: counts / counts.sum(dim=1, keepdim=True).clamp(min=1)),
    ),
    picture=beside(draw_confusion),
)


# ---- calibration_error(scores (D,), right (D,) bool, bins) -> float


def _calibration(scores: Tensor, right: Tensor, bins: int, gap=torch.abs, number=usual_bin) -> float:
    confidence, share, counts = in_bins(scores, right, number(scores, bins), bins)
    return float((counts * gap(confidence - share)).sum() / len(scores))


def _mean_of_bins(scores: Tensor, right: Tensor, bins: int) -> float:
    confidence, share, counts = binned(scores, right, bins)
    return float((confidence - share).abs()[counts > 0].mean())


def _largest(scores: Tensor, right: Tensor, bins: int) -> float:
    confidence, share, _ = binned(scores, right, bins)
    return float((confidence - share).abs().max())


def _from_middle(scores: Tensor, right: Tensor, bins: int) -> float:
    _, share, counts = binned(scores, right, bins)
    middle = (torch.arange(bins) + 0.5) / bins
    return float((counts * (middle - share).abs()).sum() / len(scores))


def _calibration_cases() -> list[tuple]:
    def case(bins, *pairs):
        scores, right = zip(*pairs, strict=True)
        return torch.tensor(scores), torch.tensor(right, dtype=torch.bool), bins

    generator = torch.Generator().manual_seed(22)
    scores = torch.rand(40, generator=generator)
    return [
        case(2, (0.9, 1), (0.8, 1), (0.7, 0), (0.3, 0)),
        case(5, (0.95, 1), (0.93, 0), (0.45, 1), (0.5, 1), (0.15, 0), (0.1, 0)),
        case(4, (1.0, 1), (1.0, 0), (0.8, 0), (0.3, 1)),
        case(10, (0.55, 1)),
        (scores, torch.rand(40, generator=generator) < scores**2, 5),
    ]


calibration_error = Check(
    "calibration_error",
    _calibration,
    _calibration_cases,
    misconceptions(
        "Every bin weighs the same in your mean: a bin counts by the number of its detections.",
        _mean_of_bins,
        "Too sure in one bin and too modest in another cancel: take the absolute difference bin by bin.",
        partial(_calibration, gap=lambda gaps: gaps),
        "You compare all scores at once: |mean score - share right| hides bins that err in opposite ways.",
        lambda scores, right, bins: float((scores.double().mean() - right.double().mean()).abs()),
        "You compare each score with its own 0 or 1: a single detection is never right 0.7 times. Average within a "
        "bin first.",
        lambda scores, right, bins: float((scores.double() - right.double()).abs().mean()),
        "You take the middle of the bin for its score: it is the mean of the scores in it.",
        _from_middle,
        "That is the largest gap; the mean over all detections is asked for.",
        _largest,
        "The differences are squared in your version: take their absolute value.",
        partial(_calibration, gap=torch.square),
        "A score of just 1 falls out of your bins: it belongs to the last one.",
        partial(_calibration, number=lambda scores, bins: (scores.double() * bins).long()),
        "Your bins are shifted by half their width: you round the scores to the nearest border.",
        partial(_calibration, number=lambda scores, bins: (scores.double() * bins).round().long().clamp(max=bins - 1)),
        "That is a percentage; the error lies between 0 and 1.",
        lambda *given: 100 * _calibration(*given),
    ),
    picture=beside(draw_calibration),
)


# ---- bug_hunt(scores (D,), right (D,) bool, photos (D,) the photo of each, objects (P,) a photo's) -> AP of the set


def _ap(scores: Tensor, right: Tensor, objects: float, order: Tensor | None = None) -> float:
    """Area AP of one list. order: of the detections; None for best score first."""
    order = scores.argsort(descending=True, stable=True) if order is None else order
    hits = right[order].cumsum(0).double()
    return area_ap(hits / torch.arange(1, len(hits) + 1), hits / objects)


def _one_list(scores, right, photos, objects, ranks=lambda scores, photos: None, count=torch.sum):
    return _ap(scores, right, float(count(objects)), ranks(scores, photos))


def _photo_by_photo(scores, right, photos, objects, weighted=False):
    """The mean of the photos' own APs; photos without objects have none."""
    some = objects.nonzero()[:, 0].tolist()
    aps = torch.tensor([_ap(scores[photos == i], right[photos == i], float(objects[i])) for i in some])
    weights = objects[some].float() if weighted else torch.ones(len(some))
    return float((weights * aps).sum() / weights.sum())


def _each_photo_sorted(scores: Tensor, photos: Tensor) -> Tensor:
    order = scores.argsort(descending=True, stable=True)
    return order[photos[order].argsort(stable=True)]


def _only_photos_with_objects(scores, right, photos, objects):
    kept = objects[photos] > 0
    return _one_list(scores[kept], right[kept], photos[kept], objects)


def _hunt_cases() -> list[tuple]:
    def case(*photos):
        """photos: (number of objects, then a pair (score, right) a detection)."""
        rows = [(score, bool(hit), photo) for photo, (_, *pairs) in enumerate(photos) for score, hit in pairs]
        return *(torch.tensor(column) for column in zip(*rows, strict=True)), torch.tensor([one[0] for one in photos])

    return [
        case((2, (0.9, 1), (0.8, 0), (0.7, 1))),
        case((1, (0.3, 1)), (1, (0.9, 0), (0.8, 1))),
        case((3, (0.9, 1), (0.6, 1)), (1, (0.5, 0), (0.2, 1)), (2, (0.7, 0), (0.4, 1))),
        case((1, (0.6, 1)), (0, (0.9, 0), (0.7, 0)), (3, (0.5, 0), (0.85, 1))),
    ]


bug_hunt = Check(
    "bug_hunt",
    _one_list,
    _hunt_cases,
    misconceptions(
        f"{STILL}: a sure false alarm on one photo costs nothing on the others. Whom is a detection ranked with?",
        _photo_by_photo,
        "Photos with more objects weigh more now, but each photo still has a ranking of its own.",
        partial(_photo_by_photo, weighted=True),
        "You join the photos' rankings one after the other: rank all detections of the set in one list.",
        partial(_one_list, ranks=_each_photo_sorted),
        "One list, but unsorted: best score first, over all photos.",
        partial(_one_list, ranks=lambda scores, photos: torch.arange(len(scores))),
        "The false alarms on photos without objects are left out: the set's ranking holds them too.",
        _only_photos_with_objects,
        "Recall divides by the objects of all photos, not by those of the last one.",
        partial(_one_list, count=lambda objects: objects[-1]),
        "Recall divides by the number of photos in your version; it is the share of all objects.",
        partial(_one_list, count=len),
        "The worst comes first in your ranking.",
        partial(_one_list, ranks=lambda scores, photos: scores.argsort(stable=True)),
    ),
    picture=beside(draw_curve),
)
