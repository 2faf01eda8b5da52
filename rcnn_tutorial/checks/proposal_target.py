"""Self-checks of the fifth notebook: ROIs' labels, a step's sample, the 4 (C + 1) expansion, what NMS keeps."""

from __future__ import annotations

import torch
from torch import Tensor

from rcnn_tutorial.answers import report
from rcnn_tutorial.checks.checking import STILL, Check, misconceptions
from rcnn_tutorial.checks.pictures import YOURS, Bar, Sketch, bars, beside, corners, frame, table, versus, write
from rcnn_tutorial.roles import BACKGROUND, FOREGROUND, OTHER
from rcnn_tutorial.scene import Boxes, Layer, Lines
from rcnn_tutorial.stages.nms import nms

__all__ = ["bug_hunt", "expand_to_classes", "label_rois", "report", "sample_rois"]

NEITHER = -1


# ---- label_rois(overlaps, labels, fg_thresh, bg_high, bg_low) -> (R,)


def _label_rois(overlaps: Tensor, labels: Tensor, fg_thresh: float, bg_high: float, bg_low: float) -> Tensor:
    """Each ROI's class, 0 for background, -1 for neither. overlaps: (R, G). labels: (G,)."""
    best, closest = overlaps.max(dim=1)  # (R,) each
    found = torch.full_like(closest, NEITHER)
    found[(best >= bg_low) & (best < bg_high)] = 0
    return torch.where(best >= fg_thresh, labels[closest], found)


def _just_above(threshold: float) -> float:
    return torch.nextafter(torch.tensor(threshold), torch.tensor(2.0)).item()


def _other_numbers(numbers):
    """A wrong answer that writes something else than the class of the closest object: numbers(labels)."""
    return lambda overlaps, labels, *thresholds: _label_rois(overlaps, numbers(labels), *thresholds)


def _first_that_passes(overlaps, labels, fg_thresh, *others):
    found = _label_rois(overlaps, labels, fg_thresh, *others)
    first = (overlaps >= fg_thresh).int().argmax(dim=1)
    return torch.where(overlaps.amax(dim=1) >= fg_thresh, labels[first], found)


def _type_a(overlaps, labels, *thresholds):
    found = _label_rois(overlaps, labels, *thresholds)
    found[overlaps.argmax(dim=0)] = labels
    return found


def _sum_of_overlaps(overlaps, labels, *thresholds):
    total, largest = overlaps.sum(dim=1, keepdim=True), overlaps.amax(dim=1, keepdim=True)  # (R, 1) each
    return _label_rois(torch.where(overlaps == largest, total, overlaps), labels, *thresholds)


def _label_cases() -> list[tuple]:
    by_hand = torch.tensor(
        [[0.75, 0.1], [0.5, 0.0], [0.0, 0.625], [0.3, 0.25], [0.125, 0.0], [0.05, 0.04], [0.0, 0.0], [0.55, 0.6]]
    )
    labels = torch.tensor([12, 15])
    random = torch.rand(40, 3, generator=torch.Generator().manual_seed(7)) ** 2
    return [
        (by_hand, labels, 0.5, 0.5, 0.125),
        (by_hand, labels, 0.625, 0.375, 0.0),
        (random, torch.tensor([7, 7, 2]), 0.5, 0.5, 0.125),
        (random[:, :1] / 2, torch.tensor([3]), 0.75, 0.5, 0.25),
    ]


def _draw_labels(arguments, value, good, wrong) -> Sketch:
    """A bar for each ROI, as long as its largest IoU, in the color of its label; the first eight that tell most."""
    overlaps, _labels, fg_thresh = arguments[:3]
    shown = torch.argsort(wrong.int(), descending=True, stable=True)[:8].sort().values
    rows = []
    for i in shown.tolist():
        label = int(value[i])
        role = (
            YOURS
            if wrong[i] and value is not good
            else {0: BACKGROUND, NEITHER: OTHER._replace(name="neither")}.get(label, FOREGROUND)
        )
        text = {0: "background", NEITHER: "neither"}.get(label, f"class {label}")
        rows.append(Bar(f"ROI {i}: {text} ({label})", float(overlaps[i].max()), role))
    first = int(wrong.int().argmax())
    words = f"ROI {first} gets the label {value[first]:.0f}. A bar is as long as a ROI's largest IoU."
    return Sketch(bars(rows, 1.0, fg_thresh, "foreground from here"), words)


label_rois = Check(
    "label_rois",
    _label_rois,
    _label_cases,
    misconceptions(
        "You make a ROI foreground only above the threshold; at the threshold it is foreground too (>=).",
        lambda overlaps, labels, fg_thresh, *others: _label_rois(overlaps, labels, _just_above(fg_thresh), *others),
        "A ROI at the lower threshold exactly is background: its range is bg_low <= IoU < bg_high.",
        lambda *given: _label_rois(*given[:4], _just_above(given[4])),
        "You call everything below bg_high background; below bg_low a ROI is neither, because it is too easy.",
        lambda overlaps, labels, fg_thresh, bg_high, _bg_low: _label_rois(overlaps, labels, fg_thresh, bg_high, 0.0),
        "You call everything that is not foreground background; outside [bg_low, bg_high) a ROI is neither (-1).",
        lambda overlaps, labels, fg_thresh, _bg_high, _bg_low: _label_rois(overlaps, labels, fg_thresh, fg_thresh, 0.0),
        "You return 1 for foreground, as the RPN does; here a foreground ROI gets the class of its object.",
        _other_numbers(torch.ones_like),
        "You return the number of the closest object (0, 1, ...); look its class up in `labels`.",
        _other_numbers(lambda labels: torch.arange(len(labels))),
        "You return the number of the closest object plus one; look its class up in `labels`.",
        _other_numbers(lambda labels: torch.arange(len(labels)) + 1),
        "You take the first object that passes the threshold; a ROI belongs to the object it overlaps most.",
        _first_that_passes,
        "You also make the best ROI of every object foreground; that is type A of the anchors, and ROIs have none.",
        _type_a,
        "You looked for the best ROI of every object; take the best object of every ROI (dim=1, one label a ROI).",
        lambda overlaps, labels, *thresholds: _label_rois(overlaps.T, labels[:1].expand(len(overlaps)), *thresholds),
        "You add up the overlaps with all objects; only the largest one decides.",
        _sum_of_overlaps,
    ),
    picture=beside(_draw_labels),
)


# ---- sample_rois(foreground, background, batch_size, fraction) -> indices (batch_size,)


def _in_turn(candidates: list[int], count: int) -> list[int]:
    """`count` of them, from the start again when they run out."""
    return [candidates[k % len(candidates)] for k in range(count)] if candidates else []


def _filled_batch(most: int, foreground: list[int], background: list[int], batch_size: int) -> list[int]:
    """Up to `most` of the foreground, then background."""
    first = foreground[:most]
    return first + _in_turn(background, batch_size - len(first))


def _sample_rois(foreground: list[int], background: list[int], batch_size: int, fraction: float) -> list[int]:
    return _filled_batch(round(batch_size * fraction), foreground, background, batch_size)


def _no_refill(foreground, background, batch_size, fraction):
    first = foreground[: round(batch_size * fraction)]
    return first + background[: batch_size - len(first)]


def _filled_up(fill):
    """A wrong answer that does not repeat the background but appends `fill(foreground, background, places left)`."""

    def wrong(foreground, background, batch_size, fraction):
        rows = _no_refill(foreground, background, batch_size, fraction)
        return rows + fill(foreground, background, batch_size - len(rows))

    return wrong


def _fixed_background(foreground, background, batch_size, fraction):
    most = round(batch_size * fraction)
    return foreground[:most] + _in_turn(background, batch_size - most)


def _full_share(foreground, background, batch_size, fraction):
    most = round(batch_size * fraction) if foreground else 0
    return _in_turn(foreground, most) + _in_turn(background, batch_size - most)


def _unused_foreground_fills_up(foreground, background, batch_size, fraction):
    rows = _no_refill(foreground, background, batch_size, fraction)
    rows += foreground[round(batch_size * fraction) :][: batch_size - len(rows)]
    return rows + _in_turn(background, batch_size - len(rows))


def _sample_cases() -> list[tuple]:
    many = list(range(100, 140))
    return [
        ([3, 8, 1, 9, 4], many, 8, 0.25),  # enough of both
        ([3], many, 16, 0.25),  # hardly any foreground
        ([], [5, 2, 7], 8, 0.25),  # none, and little background
        ([6, 2, 4], [9, 1, 5], 12, 0.5),  # little of both
        ([6, 2, 4, 10, 11, 12, 13, 14], [9, 1], 8, 0.25),  # much foreground that stays out
        ([6, 2, 4, 7], many, 6, 0.25),  # a quarter of 6 is 1.5
    ]


def _draw_batch(arguments, value, _good, _wrong) -> Sketch:
    """The places of the batch in a row of four or eight, each with its ROI."""
    foreground, background, batch_size, _fraction = arguments
    roles = (FOREGROUND, BACKGROUND, YOURS._replace(name="no candidate"))
    kind = [0 if roi in foreground else 1 if roi in background else 2 for roi in value.tolist()]
    boxes = torch.tensor([_slot(place) for place in range(max(len(value), batch_size))])
    layers: list[Layer] = [Boxes(boxes[:batch_size], OTHER._replace(name="places of the batch"), width=1.5)]
    for k, role in enumerate(roles):
        mine = [place for place, one in enumerate(kind) if one == k]
        if mine:
            layers.append(Boxes(boxes[mine], role, fill=0.5, width=2.0))
    layers += [write(boxes[i, 0] + 1.0, boxes[i, 3] - 1.0, f"{roi:.0f}") for i, roi in enumerate(value.tolist())]
    counts = f"{kind.count(0)} foreground, {kind.count(1)} background{f', {kind.count(2)} neither' * (2 in kind)}"
    return Sketch(layers, f"{counts}, in {batch_size} places: {', '.join(f'{roi:.0f}' for roi in value.tolist())}.")


def _slot(place: int) -> tuple[float, float, float, float]:
    x, y = place % 8 * 10.0, place // 8 * 8.0
    return x, y, x + 9, y + 7


sample_rois = Check(
    "sample_rois",
    _sample_rois,
    _sample_cases,
    misconceptions(
        "Your batch stays short when there are too few background ROIs; go through them again until it is full.",
        _no_refill,
        "Your background keeps its fixed share; when foreground is scarce, background takes its places too.",
        _fixed_background,
        "You repeat foreground ROIs to fill their share; the share is a ceiling, and only background is repeated.",
        _full_share,
        "You fill the batch up by repeating foreground; repeat background, or the share would be exceeded.",
        _filled_up(lambda foreground, background, count: _in_turn(foreground, count)),
        "You fill the batch up with the foreground that was left over; that breaks the ceiling. Repeat background.",
        _unused_foreground_fills_up,
        "You take that fraction of the foreground candidates; it is a fraction of the batch.",
        lambda fg, bg, size, fraction: _filled_batch(round(len(fg) * fraction), fg, bg, size),
        "You take all the foreground there is; at most round(batch_size * fraction) of the batch may be.",
        lambda fg, bg, size, fraction: _filled_batch(size, fg, bg, size),
        "You cut the share off with int(); the detector rounds it: a quarter of 6 is 2.",
        lambda fg, bg, size, fraction: _filled_batch(int(size * fraction), fg, bg, size),
        "You repeat the last background ROI only; go through all of them again from the first.",
        _filled_up(lambda foreground, background, count: background[-1:] * count),
        "You fill the batch up with 0, which is itself the index of a ROI: repeat background.",
        _filled_up(lambda foreground, background, count: [0] * count),
        "You fill the batch up with -1, which is no ROI (or the last one): repeat background.",
        _filled_up(lambda foreground, background, count: [-1] * count),
        "The background comes first in your batch; the foreground does.",
        lambda *given: sorted(_sample_rois(*given), key=lambda roi: roi in given[0]),
    ),
    picture=beside(_draw_batch, any_length=True),
)


# ---- expand_to_classes(coefficients, labels, classes) -> targets, mask, both (S, 4 * classes)


def _expand(coefficients: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """coefficients: (S, 4). labels: (S,), 0 for background. classes: C + 1, background included."""
    mask = torch.nn.functional.one_hot(labels, classes) * (labels > 0)[:, None]  # (S, classes)
    mask = mask.repeat_interleave(4, dim=1).float()  # (S, 4 * classes)
    return coefficients.repeat(1, classes) * mask, mask


def _background_too(coefficients, labels, classes):
    mask = torch.nn.functional.one_hot(labels, classes).repeat_interleave(4, dim=1).float()
    return coefficients.repeat(1, classes) * mask, mask


def _coefficient_by_coefficient(coefficients, labels, classes):
    parts = _expand(coefficients, labels, classes)
    return tuple(part.unflatten(1, (classes, 4)).transpose(1, 2).flatten(1) for part in parts)


def _label_is_the_column(coefficients, labels, classes):
    targets, mask = torch.zeros(len(labels), 4 * classes + 4), torch.zeros(len(labels), 4 * classes + 4)
    for row, label in enumerate(labels.tolist()):
        if label:
            targets[row, label : label + 4], mask[row, label : label + 4] = coefficients[row], 1.0
    return targets[:, : 4 * classes], mask[:, : 4 * classes]


def _in_every_class(coefficients, labels, classes):
    return coefficients.repeat(1, classes), _expand(coefficients, labels, classes)[1]


def _expand_cases() -> list[tuple]:
    random = torch.randn(12, 4, generator=torch.Generator().manual_seed(3))
    labels = torch.tensor([5, 20, 1, 1, 15, 7, 0, 0, 0, 0, 0, 0])
    return [
        (torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]), torch.tensor([1, 0]), 3),
        (torch.tensor([[0.5, 0.0, -1.0, 0.0], [2.0, -2.0, 1.0, -1.0]]), torch.tensor([2, 3]), 4),
        (random, labels, 21),
    ]


def _draw_tables(_arguments, value, good, wrong) -> Sketch:
    """The targets over the mask, with lines between the classes."""
    rows, columns = good[0].shape
    layers: list[Layer] = []
    for i, name in enumerate(("targets", "mask")):
        top = i * (rows + 1.2) * 8.0
        limits = (float(good[i].min()), float(good[i].max()))
        layers += [*table(value[i], good[i], (0.0, top), (10.0, 8.0), limits, 0), write(0.0, top - 0.5, name)]
        between = [[(40.0 * k, top), (40.0 * k, top + 8 * rows)] for k in range(columns // 4 + 1)]
        layers.append(Lines(between, width=2.0))
    row = int(wrong.int().argmax())
    texts = [" | ".join(" ".join(f"{x:.3g}" for x in one) for one in part[row].split(4)[:4]) for part in value]
    more = " ..." if columns > 16 else ""
    return Sketch(layers, f"row {row} of the targets is {texts[0]}{more}, of the mask {texts[1]}{more}.")


expand_to_classes = Check(
    "expand_to_classes",
    _expand,
    _expand_cases,
    misconceptions(
        "Background rows are live in your result (columns 0 to 3); a background ROI has no box to learn: all 0.",
        _background_too,
        "Your targets are right, but your mask lets background rows count; it is 0 all over a background row.",
        lambda *given: (_expand(*given)[0], _background_too(*given)[1]),
        "Your columns are one class too early: background, class 0, owns the first four; class k starts at 4 k.",
        lambda *given: tuple(part.roll(-4, dims=1) for part in _expand(*given)),
        "You put all t_x first, then all t_y; the four coefficients of one class stand side by side.",
        _coefficient_by_coefficient,
        "You left the background's four columns out; they stay 0, but they are there: 4 (C + 1) columns.",
        lambda *given: tuple(part[:, 4:] for part in _expand(*given)),
        "Your mask has one column a class; it needs one for each coefficient, as many as the targets.",
        lambda *given: (_expand(*given)[0], _expand(*given)[1][:, ::4]),
        "You start at column k for class k; each class before it takes four columns, so start at 4 k.",
        _label_is_the_column,
        "You write the targets into the columns of every class; only the right class holds them, the rest are 0.",
        _in_every_class,
        "You mask where the target is not 0; a target of exactly 0 (do not move) must be learned like any other.",
        lambda *given: (_expand(*given)[0], (_expand(*given)[0] != 0).float()),
        "You return the mask first; targets come first, then the mask.",
        lambda *given: _expand(*given)[::-1],
    ),
    picture=beside(_draw_tables),
)


# ---- bug_hunt(scores, boxes, before, after) -> boxes (at most after, 4)


def _thinned(scores, boxes, before, after, *, order=None, among=None, find=lambda order, kept: order[kept]):
    """The proposal layer from its ranking on; the rows of the boxes are what `find` makes of order and kept."""
    order = scores.argsort(descending=True)[:before] if order is None else order
    kept = nms(boxes[order], (scores[order] if among is None else among), 0.7)[:after]
    return boxes[find(order, kept)]


def _thinning_cases() -> list[tuple]:
    """Boxes in heaps, so that NMS has something to remove; those of the last case are sorted, where nothing shows."""
    generator = torch.Generator().manual_seed(4)
    place, jitter = torch.rand(6, 1, 2, generator=generator) * 60, torch.rand(6, 5, 4, generator=generator) * 5
    boxes = (torch.cat([place, place + 30], dim=2) + jitter).flatten(0, 1)  # (30, 4)
    scores = torch.linspace(0.05, 0.95, 30)[torch.randperm(30, generator=generator)]  # (30,)
    best_first = scores.argsort(descending=True)
    return [
        (scores, boxes, 20, 4),
        (scores.flip(0), boxes, 12, 10),
        (scores[:8], boxes[:8], 8, 3),
        (scores[best_first], boxes[best_first], 24, 5),
    ]


def _draw_kept(_arguments, value, good, wrong) -> Sketch:
    return Sketch([frame(100.0, 100.0, "image"), *versus(value, good, wrong)], corners(value, wrong))


bug_hunt = Check(
    "bug_hunt",
    _thinned,
    _thinning_cases,
    misconceptions(
        f"{STILL}: boxes that came sorted are kept rightly, others are not the good ones. What do the numbers in kept "
        "count: rows of boxes, or of boxes[order]?",
        lambda *given: _thinned(*given, find=lambda _order, kept: kept),
        "You look the numbers up the wrong way round: order[kept] are the boxes' rows, kept[order] or a second argsort "
        "leads elsewhere.",
        lambda *given: _thinned(*given, find=lambda order, kept: order.argsort()[kept]),
        "Now NMS is given boxes and scores in two different orders; row by row they belong together.",
        lambda *given: _thinned(*given, among=given[0][: given[2]]),
        "The worst come first in your ranking: argsort ascends unless it is told not to.",
        lambda *given: _thinned(*given, order=given[0].argsort()[: given[2]]),
        "You keep the best by score alone; order[:after] has not been through NMS.",
        lambda *given: _thinned(*given, find=lambda order, _kept: order[: given[3]]),
        "You cut to the final number before NMS; then it has hardly anything to choose from.",
        lambda *given: _thinned(*given[:2], given[3], given[3]),
        "You let all boxes into NMS; only the best `before` of the ranking go in.",
        lambda *given: _thinned(*given[:2], len(given[0]), given[3]),
        "The right boxes, but no longer the best first: keep NMS's order.",
        lambda *given: _thinned(*given, find=lambda order, kept: order[kept].sort().values),
        "You return what NMS removes; keep the boxes that it names.",
        lambda *given: _thinned(*given, find=lambda order, kept: order[_others(len(order), kept)][: given[3]]),
    ),
    picture=beside(_draw_kept),
)


def _others(count: int, kept: Tensor) -> Tensor:
    """The numbers below count that are not in kept."""
    rest = torch.ones(count, dtype=torch.bool)
    rest[kept] = False
    return rest.nonzero().flatten()
