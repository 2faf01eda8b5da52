"""Self-checks of the eighth notebook: suppression, detections class by class, average precision, a bug to find."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from rcnn_tutorial.answers import report
from rcnn_tutorial.boxes import box_area, box_iou
from rcnn_tutorial.checks.checking import STILL, Check, misconceptions
from rcnn_tutorial.checks.pictures import RIGHT, YOURS, Chart, Sketch, beside, role_of
from rcnn_tutorial.config import InferenceConfig
from rcnn_tutorial.evaluation import area_ap, eleven_point_ap
from rcnn_tutorial.roles import BEFORE, GROUND_TRUTH, OTHER, Role, class_color
from rcnn_tutorial.scene import Boxes, Layer, Lines, Points
from rcnn_tutorial.stages.inference import detect
from rcnn_tutorial.stages.nms import bottom_y
from rcnn_tutorial.stages.nms import nms as greedy_nms

__all__ = ["average_precision", "bug_hunt", "detections", "nms", "report"]


# ---- nms(boxes (N, 4), scores (N,), threshold) -> kept indices (K,)


def _by_score(scores: Tensor) -> Tensor:
    return torch.argsort(scores, descending=True, stable=True)


def _greedy(scores: Tensor, too_close: Tensor) -> Tensor:
    """Keep, best first, what is not too close to a kept one. too_close: (N, N) bool."""
    kept: list[int] = []
    for i in _by_score(scores).tolist():
        if not any(too_close[i, j] for j in kept):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.long)


def _over_smaller(boxes: Tensor) -> Tensor:
    iou, area = box_iou(boxes, boxes), box_area(boxes)
    intersection = iou / (1 + iou) * (area[:, None] + area)  # solves iou = i / (a + b - i) for i
    return intersection / torch.minimum(area[:, None], area)


def _the_dead_still_kill(boxes, scores, threshold):
    order = _by_score(scores)
    too_close = box_iou(boxes[order], boxes[order]) > threshold  # (N, N)
    return order[~too_close.tril(diagonal=-1).any(dim=1)]


def _one_round(boxes, scores, threshold):
    order = _by_score(scores)
    close = box_iou(boxes[order[:1]], boxes[order]).flatten() > threshold  # (N,)
    close[:1] = False
    return order[~close]


def _random_boxes(count: int, generator: torch.Generator) -> Tensor:
    corners = torch.rand(count, 2, generator=generator) * 60
    return torch.cat([corners, corners + 20 + torch.rand(count, 2, generator=generator) * 40], dim=1)


def _nms_cases() -> list[tuple]:
    row = torch.tensor([[8.0, 0, 18, 10], [0, 0, 10, 10], [4, 0, 14, 10]])  # the middle one touches both
    generator = torch.Generator().manual_seed(9)
    many, scores = _random_boxes(14, generator), torch.rand(14, generator=generator)
    return [
        (torch.tensor([[100.0, 100, 200, 200], [110, 115, 210, 215]]), torch.tensor([0.9, 0.8]), 0.5),
        (row, torch.tensor([0.7, 0.9, 0.8]), 0.3),
        (torch.tensor([[0.0, 0, 20, 10], [0, 0, 10, 10]]), torch.tensor([0.3, 0.6]), 0.5),  # IoU exactly 0.5
        (torch.tensor([[0.0, 0, 40, 40], [10, 10, 20, 20]]), torch.tensor([0.9, 0.95]), 0.5),
        (torch.tensor([[0.0, 0, 4, 4], [2, 0, 6, 4]]), torch.tensor([0.6, 0.5]), 0.4),
        (many, scores, 0.3),
        (many[:0], scores[:0], 0.5),
    ]


def _draw_kept(arguments, value, good, wrong) -> Sketch | None:
    """The boxes kept and removed, with their rank and score; those from the first step on that goes wrong stand out."""
    boxes, scores, _threshold = arguments
    kept = [int(i) for i in value.tolist()]
    if len(set(kept)) < len(kept) or not set(kept) <= set(range(len(boxes))):
        return None
    step = int(wrong.int().argmax())
    removed = [i for i in range(len(boxes)) if i not in kept]
    layers: list[Layer] = [Boxes(boxes[removed], BEFORE._replace(name="removed"), labels=_texts(scores, removed))]
    after = RIGHT._replace(name="kept") if value is good else YOURS._replace(name="kept from the wrong step on")
    for role, chosen, first in ((RIGHT._replace(name="kept"), kept[:step], 1), (after, kept[step:], step + 1)):
        if chosen:
            texts = [f"{k}. {text}" for k, text in enumerate(_texts(scores, chosen), start=first)]
            layers.append(Boxes(boxes[chosen], role, labels=texts, fill=0.2))
    if step < len(good) and value is not good:
        due = boxes[int(good[step])][None]
        layers.insert(0, Boxes(due, GROUND_TRUTH._replace(name=f"due in step {step + 1}"), width=7.0))
    does = f"keeps the box of score {scores[kept[step]]:.2f}" if step < len(kept) else "keeps none"
    return Sketch(layers, f"step {step + 1} {does}. Kept in this order: {', '.join(_texts(scores, kept))}.")


def _texts(scores: Tensor, indices: list[int]) -> list[str]:
    return [f"{scores[i]:.2f}" for i in indices]


nms = Check(
    "nms",
    greedy_nms,
    _nms_cases,
    misconceptions(
        "This keeps the lowest box, not the best-scored: order by score, not by the y of the bottom right corner.",
        lambda boxes, scores, threshold: greedy_nms(boxes, bottom_y(boxes), threshold),
        "This keeps the worst of each cluster: begin with the highest score.",
        lambda boxes, scores, threshold: greedy_nms(boxes, -scores, threshold),
        "This takes the boxes as they come: begin with the highest score.",
        lambda boxes, scores, threshold: greedy_nms(boxes, -torch.arange(len(boxes)), threshold),
        "The right boxes in the wrong order: return them best first, not by their index.",
        lambda *given: greedy_nms(*given).sort().values,
        "A box whose IoU only equals the threshold stays: it has to exceed it.",
        lambda boxes, scores, threshold: _greedy(scores, box_iou(boxes, boxes) >= threshold),
        "You remove the boxes that overlap little; those above the threshold are the duplicates.",
        lambda boxes, scores, threshold: _greedy(scores, box_iou(boxes, boxes) <= threshold),
        "A box that was removed still removes others: only boxes that are kept may do so.",
        _the_dead_still_kill,
        "You stop after the first kept box: every box that is kept silences its neighbors in turn.",
        _one_round,
        "You divide by the smaller area, so a small box inside a large one goes; IoU divides by the union.",
        lambda boxes, scores, threshold: _greedy(scores, _over_smaller(boxes) > threshold),
        "Off by one pixel (+1) in the IoU: corners are continuous here, so the width is x2 - x1.",
        lambda boxes, scores, threshold: greedy_nms(boxes + boxes.new_tensor([0, 0, 1, 1]), scores, threshold),
        "These are the removed ones; return those that are kept.",
        lambda boxes, scores, *at: [i for i in _by_score(scores).tolist() if i not in greedy_nms(boxes, scores, *at)],
        "You return the boxes; their indices are asked for, so that scores and labels can follow.",
        lambda boxes, scores, threshold: boxes[greedy_nms(boxes, scores, threshold)],
        "You return a mask; the indices are asked for, best first.",
        lambda boxes, scores, threshold: torch.isin(torch.arange(len(boxes)), greedy_nms(boxes, scores, threshold)),
    ),
    by_package=True,
    picture=beside(_draw_kept, any_length=True),
)


# ---- detections(boxes (R, C + 1, 4), probabilities (R, C + 1), thresholds of score and IoU) -> boxes, labels, scores


def _detections(boxes, probabilities, score_threshold, nms_threshold):
    found = detect(boxes, probabilities, InferenceConfig(score_threshold, nms_threshold))
    return found.boxes, found.labels, found.scores


def _labels_from_zero(*given):
    boxes, labels, scores = _detections(*given)
    return boxes, labels - 1, scores


def _background_too(boxes, probabilities, *thresholds):
    """Put a column in front, which the detector takes for background."""
    boxes, probabilities = (torch.cat([part[:, :1], part], dim=1) for part in (boxes, probabilities))
    return _labels_from_zero(boxes, probabilities, *thresholds)


def _across_classes(boxes, probabilities, score_threshold, nms_threshold):
    found, labels, scores = _detections(boxes, probabilities, score_threshold, 1.0)
    keep = greedy_nms(found, scores, nms_threshold)
    return found[keep], labels[keep], scores[keep]


def _class_by_class(*given):
    boxes, labels, scores = _detections(*given)
    order = torch.argsort(labels, stable=True)
    return boxes[order], labels[order], scores[order]


def _winner_only(boxes, probabilities, *thresholds, first=0):
    """Each ROI may only become the likeliest of its columns from `first` on."""
    best = probabilities[:, first:].argmax(dim=1, keepdim=True) + first
    alone = torch.zeros_like(probabilities).scatter(1, best, probabilities.gather(1, best))
    return _detections(boxes, alone, *thresholds)


def _shared_box(choose: Callable[[Tensor], Tensor]):
    """A wrong answer where all classes of a ROI share one box, that of the class `choose(probabilities)` (R,)."""

    def wrong(boxes, probabilities, *thresholds):
        shared = boxes[torch.arange(len(boxes)), choose(probabilities)][:, None].expand_as(boxes)
        return _detections(shared, probabilities, *thresholds)

    return wrong


def _detections_cases() -> list[tuple]:
    generator = torch.Generator().manual_seed(10)
    rois = _random_boxes(10, generator)
    boxes = rois[:, None] + torch.randn(10, 4, 4, generator=generator) * 3  # (R, C + 1, 4)
    probabilities = (torch.randn(10, 4, generator=generator) * 1.5).softmax(dim=1)
    return [
        (boxes, probabilities, 0.1, 0.3),
        (boxes, probabilities, 0.02, 0.5),
        (boxes[:4], probabilities[:4], 0.3, 0.3),
        (boxes, probabilities, 0.999, 0.3),  # nothing is that certain
    ]


def _draw_detections(_arguments, value, good, wrong) -> Sketch | None:
    """The detections in the colors of their classes, numbered in their order."""
    boxes, labels, scores = value
    if not len(boxes) == len(labels) == len(scores):
        return None
    layers: list[Layer] = [Boxes(good[0], OTHER._replace(name="right boxes"), width=2.0)]
    for label in labels.unique().tolist():
        mine = (labels == label).nonzero()[:, 0].tolist()
        texts = [f"{i + 1}. label {label:g} {scores[i]:.2f}" for i in mine]
        layers.append(Boxes(boxes[mine], Role(class_color(int(label)), "solid", f"label {label:g}"), labels=texts))
    row = int(wrong.int().argmax())
    if row == len(boxes):
        return Sketch(layers, f"{row} detections, no number {row + 1}.")
    place = ", ".join(f"{number:.0f}" for number in boxes[row].tolist())
    return Sketch(layers, f"number {row + 1} of {len(boxes)}: label {labels[row]:g}, {scores[row]:.2f}, at ({place}).")


detections = Check(
    "detections",
    _detections,
    _detections_cases,
    misconceptions(
        "Column 0 is background, which is no detection: leave it out, even where it scores best.",
        _background_too,
        "You suppress across classes: a person must not silence the motorbike below; run NMS class by class.",
        _across_classes,
        "You return them class by class: sort all detections by score, best first, whatever their class.",
        _class_by_class,
        "You keep only the best foreground class of each ROI: every class above the threshold gets its box.",
        lambda *given: _winner_only(*given, first=1),
        "You keep only ROIs whose likeliest class is an object, and only that class: each class above the "
        "threshold counts, whether or not it wins.",
        _winner_only,
        "Your labels are one too small: column 0 is background, so the first class has label 1.",
        _labels_from_zero,
        "Without suppression one object is reported many times: run NMS class by class.",
        lambda boxes, probabilities, threshold, _: _detections(boxes, probabilities, threshold, 1.0),
        "You use the box of background (row 0) for every class: class c has its own box in boxes[:, c].",
        _shared_box(lambda probabilities: torch.zeros(len(probabilities), dtype=torch.long)),
        "All classes of a ROI share the box of its best class in your version: class c has its own in boxes[:, c].",
        _shared_box(lambda probabilities: probabilities[:, 1:].argmax(dim=1) + 1),
        "The order is swapped: boxes, labels, scores.",
        lambda *given: tuple(_detections(*given)[i] for i in (0, 2, 1)),
    ),
    by_package=True,
    picture=beside(_draw_detections, any_length=True),
)


# ---- average_precision(scores (D,), correct (D,) bool, objects) -> float


def _curve(scores: Tensor, correct: Tensor, objects: float) -> tuple[Tensor, Tensor]:
    """Precision and recall after each detection, best score first: (D,) each."""
    right = correct[_by_score(scores)].double().cumsum(0)  # (D,)
    return right / torch.arange(1, len(right) + 1), right / objects


def _average_precision(scores: Tensor, correct: Tensor, objects: int) -> float:
    return eleven_point_ap(*_curve(scores, correct, objects))


def _points(scores, correct, objects, thresholds, reaches=torch.ge, of=torch.amax) -> float:
    """The mean over `thresholds` of `of(the precisions at recalls that reach it)`."""
    precision, recall = _curve(scores, correct, objects)
    reached = [precision[reaches(recall, t)] for t in thresholds]
    return sum(float(of(values)) if len(values) else 0.0 for values in reached) / len(thresholds)


_ELEVEN = [i * 0.1 for i in range(11)]


def _whole_list(scores, correct, objects):
    right = correct[_by_score(scores)].double().cumsum(0)
    return eleven_point_ap(right / max(1, len(right)), right / objects)


def _average_precision_cases() -> list[tuple]:
    def case(objects, *pairs):
        scores, correct = zip(*pairs, strict=True) if pairs else ((), ())
        return torch.tensor(scores, dtype=torch.float32), torch.tensor(correct, dtype=torch.bool), objects

    # No recall here is a multiple of 0.1 other than 0.5 and 1: elsewhere rounding would decide.
    return [
        case(4, (0.9, 1), (0.8, 0), (0.7, 1), (0.6, 1), (0.5, 0)),
        case(3, (0.3, 1), (0.95, 1), (0.5, 0), (0.7, 0)),
        case(7, (0.2, 0), (0.9, 0), (0.8, 1), (0.4, 1), (0.6, 0), (0.3, 1)),
        case(2, (0.9, 1), (0.4, 1)),
        case(2, (0.9, 0), (0.4, 1)),
        case(3, (0.9, 0)),
        case(3),
    ]


def _draw_average(arguments, value, good, _wrong) -> Sketch:
    """Precision over recall, the eleven points, and their mean as a level line: the average precision."""
    precision, recall = _curve(*arguments)
    chart = Chart((0.0, 1.0), (0.0, 1.0))
    best = [max(precision[recall >= t].tolist(), default=0.0) for t in _ELEVEN]
    layers = [
        *chart.axes("recall", "precision"),
        Lines(chart.points(recall, precision)[None], OTHER._replace(name="curve")),
        Points(chart.points(_ELEVEN, best), RIGHT._replace(name="best from here on"), radius=4.0),
        Lines(chart.points([0, 1], [good, good])[None], RIGHT._replace(name="right AP")),
    ]
    if value is not good:
        layers.append(Lines(chart.points([0, 1], [value, value])[None], YOURS._replace(name="your AP"), width=4.0))
    return Sketch(layers, f"an average precision of {value:.3f}.")


average_precision = Check(
    "average_precision",
    _average_precision,
    _average_precision_cases,
    misconceptions(
        "Sort the detections by score first, best first: the curve is what a falling threshold shows.",
        lambda scores, correct, objects: _average_precision(-torch.arange(len(scores)), correct, objects),
        "That is the area under the curve, as VOC counts since 2010; 2007 takes the mean of eleven points.",
        lambda *given: area_ap(*_curve(*given)),
        "You read the precision where each recall is first reached: take the best at that recall or beyond.",
        lambda *given: _points(*given, _ELEVEN, of=lambda values: values[0]),
        "Eleven points, not ten: recall 0 counts too.",
        lambda *given: _points(*given, _ELEVEN[1:]),
        "Eleven points, not ten: recall 1 counts too.",
        lambda *given: _points(*given, _ELEVEN[:-1]),
        "A recall that just equals the point reaches it: compare with >=.",
        lambda *given: _points(*given, _ELEVEN, reaches=torch.gt),
        "Recall is the share of all objects, also of those never found: divide by `objects`.",
        lambda scores, correct, objects: _average_precision(scores, correct, max(1, int(correct.sum()))),
        "Precision after k detections divides by k, not by the length of the whole list.",
        _whole_list,
        "That averages the precision at the right detections; VOC 2007 asks at eleven fixed recalls.",
        lambda scores, correct, n: float(_curve(scores, correct, n)[0][correct[_by_score(scores)]].sum() / n),
        "That is a percentage; an average precision lies between 0 and 1.",
        lambda *given: 100 * _average_precision(*given),
    ),
    picture=beside(_draw_average),
)


# ---- bug_hunt(detections (D, 4) best first, objects (G, 4)) -> D times whether the detection is right


def _matched(detections, objects, used_beyond=0.5, right_beyond=0.5, free=False):
    """VOC's rule; with other arguments, its misreadings. free: whether only objects not found yet are compared."""
    found, verdicts = set(), []
    for row in box_iou(detections, objects).tolist():
        left = [which for which in range(len(row)) if not (free and which in found)] or [0]
        which = max(left, key=row.__getitem__)
        verdicts.append(row[which] > right_beyond and which not in found)
        if row[which] > used_beyond:
            found.add(which)
    return verdicts


def _rows(*starts: int) -> Tensor:
    """Boxes of 50 x 50 beside each other, by their left edges."""
    return torch.tensor([[x, 10.0, x + 50, 60] for x in starts])


def _draw_matches(arguments, value, good, wrong) -> Sketch:
    """The objects, and on them the detections by their rank; those that are judged wrongly stand out."""
    detections, objects = arguments
    texts = [f"{k} {'right' if right else 'wrong'}" for k, right in enumerate(value.tolist(), start=1)]
    layers: list[Layer] = [Boxes(objects, GROUND_TRUTH, width=5.0)]
    for role, rows in ((RIGHT._replace(name="detection"), ~wrong), (role_of(value, good), wrong)):
        layers.append(Boxes(detections[rows], role, labels=[texts[k] for k in rows.nonzero()[:, 0].tolist()]))
    return Sketch(layers, f"{', '.join(texts)}.")


bug_hunt = Check(
    "bug_hunt",
    _matched,
    lambda: [
        (_rows(100, 12, 84), _rows(10, 80)),
        (_rows(300, 12, 14, 200), _rows(10, 80, 208)),
        (_rows(12, 10, 82, 80), _rows(10, 22, 80)),
        (torch.tensor([[0.0, 0, 10, 10], [0, 0, 18, 10]]), torch.tensor([[0.0, 0, 20, 10]])),
    ],
    misconceptions(
        f"{STILL}: a box that lies too far off uses up the object beside it. When is an object found?",
        partial(_matched, used_beyond=-1),
        "Half a repair: a box that only grazes an object still uses it up.",
        partial(_matched, used_beyond=0),
        "Now nothing is ever found: a second box on the same object has become right as well.",
        partial(_matched, used_beyond=1),
        "You note the object before you ask whether it was found, so nothing is right any more.",
        lambda detections, objects: [False] * len(detections),
        "A duplicate looks for another object here; VOC asks for the one that it overlaps most, found or not.",
        partial(_matched, free=True),
        "An IoU of just 0.5 is not enough: it has to exceed the threshold.",
        partial(_matched, right_beyond=0.5 - 1e-6),
        "The threshold got lost: whatever comes first near an object is right in your version.",
        partial(_matched, right_beyond=-1),
    ),
    picture=beside(_draw_matches),
)
