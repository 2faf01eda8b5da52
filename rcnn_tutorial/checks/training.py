"""Self-checks of the ninth notebook: the rate's schedule, proposal recall, which loss teaches what, a bug hunt."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

import rcnn_tutorial.evaluation as evaluation
import rcnn_tutorial.training as training
from rcnn_tutorial.answers import report
from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.checks.checking import STILL, Check, misconceptions
from rcnn_tutorial.checks.pictures import RIGHT, YOURS, Chart, Sketch, beside, role_of, write
from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.roles import GROUND_TRUTH, OTHER, PLAIN, PROPOSAL
from rcnn_tutorial.scene import Boxes, Layer, Lines, Points

__all__ = ["bug_hunt", "learning_rate", "learns", "proposal_recall", "report"]


# ---- learning_rate(step, steps, warmup, highest) -> float


def _learning_rate(step: int, steps: int, warmup: float, highest: float) -> float:
    config = TrainingConfig(schedule="cosine", warmup=warmup, learning_rate=highest)
    return training.learning_rate(config, step, steps)


def _schedule(
    rise=lambda done, first: 0.01 + 0.99 * done / first,
    fall=lambda step, steps, first: (1 + math.cos(math.pi * (step - first) / (steps - first))) / 2,
    length=lambda warmup, steps: round(warmup * steps),
):
    """A wrong schedule: one of its rise and fall, as shares of the highest rate, and its warm-up's length is wrong."""

    def wrong(step, steps, warmup, highest):
        first = length(warmup, steps)
        return highest * (rise(step, first) if step < first else fall(step, steps, first))

    return wrong


def _learning_rate_cases() -> list[tuple]:
    runs = [(600, 0.15, 0.005), (50, 0.2, 1.0), (70, 0.0, 0.1)]
    return [
        (step, steps, warmup, highest)
        for steps, warmup, highest in runs
        for step in (0, 1, round(warmup * steps / 2), round(warmup * steps), steps // 2, steps - 1)
    ]


def _draw_rate(arguments, value, good, _wrong) -> Sketch:
    """The right schedule, and the rate at this step as a dot."""
    step, steps, warmup, highest = arguments
    chart = Chart((0.0, float(steps)), (0.0, highest))
    rates = [_learning_rate(k, steps, warmup, highest) for k in range(steps)]
    layers = [
        *chart.axes("step", "learning rate"),
        Lines(chart.points(range(steps), rates)[None], RIGHT._replace(name="right schedule")),
        Points(chart.points([step], [good]), RIGHT._replace(name=f"right at step {step}"), radius=6.0),
    ]
    if value is not good:
        layers.append(Points(chart.points([step], [value]), YOURS, radius=6.0))
    return Sketch(layers, f"{value:.3g} at step {step} of {steps}.")


learning_rate = Check(
    "learning_rate",
    _learning_rate,
    _learning_rate_cases,
    misconceptions(
        "There is no warm-up: during the first warmup * steps steps the rate rises, in a straight line.",
        lambda step, steps, warmup, highest: highest * (1 + math.cos(math.pi * step / steps)) / 2,
        "The rate jumps where warm-up ends: the cosine begins there, so count its steps from there.",
        _schedule(fall=lambda step, steps, first: (1 + math.cos(math.pi * step / steps)) / 2),
        "The cosine ends too late: only steps - first steps are left for it after warm-up.",
        _schedule(fall=lambda step, steps, first: (1 + math.cos(math.pi * (step - first) / steps)) / 2),
        "Warm-up begins at 0, where the first step would learn nothing; it begins at a hundredth of the highest.",
        _schedule(rise=lambda done, first: done / first),
        "Warm-up adds 0.01 to the straight line; the line itself runs from 0.01 to 1, so its slope is 0.99.",
        _schedule(rise=lambda done, first: 0.01 + done / first),
        "Steps count from 0 here; yours are one ahead.",
        lambda step, steps, warmup, highest: _learning_rate(step + 1, steps, warmup, highest),
        "The rate falls below 0, which would climb the loss: a cosine runs from 1 to -1, so add 1 and halve.",
        _schedule(fall=lambda step, steps, first: math.cos(math.pi * (step - first) / (steps - first))),
        "The rate starts at twice the highest: 1 + cos runs from 2 to 0, so halve it.",
        _schedule(fall=lambda step, steps, first: 1 + math.cos(math.pi * (step - first) / (steps - first))),
        "The rate comes back up: half a turn of the cosine, pi, brings it to 0; yours makes a whole one.",
        _schedule(fall=lambda step, steps, first: (1 + math.cos(2 * math.pi * (step - first) / (steps - first))) / 2),
        "math.cos takes radians: half a turn is math.pi, not 180.",
        _schedule(fall=lambda step, steps, first: (1 + math.cos(180 * (step - first) / (steps - first))) / 2),
        "After warm-up your rate falls in a straight line; half a cosine stays high first and lands softly.",
        _schedule(fall=lambda step, steps, first: 1 - (step - first) / (steps - first)),
        "After warm-up your rate stays; it should fall to 0 along half a cosine.",
        _schedule(fall=lambda step, steps, first: 1.0),
        "This is a share of the highest rate; multiply it by `highest`.",
        lambda step, steps, warmup, highest: _learning_rate(step, steps, warmup, 1.0),
        "`warmup` is a share of the steps, not their number: there are round(warmup * steps) of them.",
        _schedule(length=lambda warmup, steps: warmup),
    ),
    by_package=True,
    picture=beside(_draw_rate),
)


# ---- proposal_recall(proposals, objects, count) -> float


def _covered(proposals: Tensor, objects: Tensor, threshold: float = 0.5) -> Tensor:
    return box_iou(objects, proposals) >= threshold  # (G, R)


def _proposal_recall(proposals: Tensor, objects: Tensor, count: int) -> float:
    target = {"boxes": objects, "labels": torch.ones(len(objects), dtype=torch.int64)}
    return evaluation.proposal_recall([proposals], [target], (count,))[count]


def _once_each(proposals: Tensor, objects: Tensor, count: int) -> float:
    """Every proposal may cover one object alone."""
    hits, found = _covered(proposals[:count], objects), set()
    for column in hits.T:
        free = [i for i in column.nonzero()[:, 0].tolist() if i not in found]
        found |= set(free[:1])
    return len(found) / len(objects)


def _proposal_recall_cases() -> list[tuple]:
    objects = torch.tensor([[10.0, 10, 50, 50], [14, 12, 54, 52], [60, 20, 100, 80], [5, 70, 45, 110]])
    proposals = torch.tensor(
        [
            [12.0, 11, 52, 51],  # covers the first two objects
            [0, 0, 120, 120],
            [58, 22, 98, 82],
            [59, 21, 99, 81],  # the third object once more
            [10, 10, 70, 70],
            [5, 70, 45, 98],  # IoU 0.7 exactly: 28 of 40 rows
            [5, 70, 45, 90],  # IoU 0.5 exactly: 20 of 40 rows
            [60, 20, 100, 56],  # IoU 0.6
        ]
    )
    late = proposals[[1, 4, 6, 7, 2, 0, 3, 5]]
    between = (torch.tensor([[0.0, 0, 10, 6]]), torch.tensor([[0.0, 0, 10, 10]]), 1)  # IoU 0.6: enough, but not 0.7
    return [between] + [
        (p, o, n) for p in (proposals, late) for o in (objects, objects[2:]) for n in (1, 2, 3, 5, 7, 50)
    ]


def _draw_recall(arguments, value, good, _wrong) -> Sketch:
    """The proposals that count over the objects, those filled that are covered; at the right a bar of the recall."""
    proposals, objects, count = arguments
    covered = _covered(proposals[:count], objects).any(dim=1)
    foot, right = float(objects[:, 3].max()), float(torch.cat([objects, proposals])[:, 2].max())
    tall, wide = foot - float(objects[:, 1].min()), 0.1 * right
    bar, whole = ([[right + wide, foot - share * tall, right + 2 * wide, foot]] for share in (value, 1.0))
    layers: list[Layer] = [
        Boxes(objects, GROUND_TRUTH),
        Boxes(proposals[count:], OTHER._replace(name="later proposals"), width=1.5),
        Boxes(proposals[:count], PROPOSAL),
        Boxes(whole, PLAIN, width=1.5),
        Boxes(
            bar,
            role_of(value, good),
            fill=0.6,
            labels=[f"recall {value:.2f}"],
            name="",
        ),
    ]
    layers.insert(1, Boxes(objects[covered], GROUND_TRUTH._replace(name="covered object"), fill=0.4))
    words = f"a recall of {value:.3g}. {int(covered.sum())} of {len(objects)} objects are covered by the first {count}."
    return Sketch(layers, words)


proposal_recall = Check(
    "proposal_recall",
    _proposal_recall,
    _proposal_recall_cases,
    misconceptions(
        "This is precision, the share of the proposals that cover an object; recall is the share of the objects "
        "that are covered.",
        lambda proposals, objects, count: float(_covered(proposals[:count], objects).any(dim=0).float().mean()),
        "All proposals are counted: only the first `count`, the best, may cover an object.",
        lambda proposals, objects, count: _proposal_recall(proposals, objects, len(proposals)),
        "These are the last `count` proposals; the best come first.",
        lambda proposals, objects, count: _proposal_recall(proposals[-count:], objects, count),
        "An object that two proposals cover is counted twice: count objects, not pairs.",
        lambda proposals, objects, count: float(_covered(proposals[:count], objects).sum()) / len(objects),
        "A proposal that covers two objects covers both: it need not choose.",
        _once_each,
        "IoU of 0.5 exactly covers: the test is >=, not >.",
        lambda proposals, objects, count: float((box_iou(objects, proposals[:count]) > 0.5).any(dim=1).float().mean()),
        "Your threshold is 0.7, as the anchors have it; recall is counted at IoU 0.5.",
        lambda proposals, objects, count: float(_covered(proposals[:count], objects, 0.7).any(dim=1).float().mean()),
        "Any overlap counts in your function; the IoU has to reach 0.5.",
        lambda proposals, objects, count: float((box_iou(objects, proposals[:count]) > 0).any(dim=1).float().mean()),
        "This is the mean of the best IoUs; recall counts how many of them reach 0.5.",
        lambda proposals, objects, count: float(box_iou(objects, proposals[:count]).amax(dim=1).mean()),
        "This is the number of covered objects; divide it by the number of all objects.",
        lambda proposals, objects, count: _proposal_recall(proposals, objects, count) * len(objects),
        "You divide by the number of proposals; recall is a share of the objects.",
        lambda proposals, objects, count: (
            _proposal_recall(proposals, objects, count) * len(objects) / min(count, len(proposals))
        ),
    ),
    by_package=True,
    picture=beside(_draw_recall),
)


# ---- learns(loss, frozen, detach_rois) -> list of module names

MODULES = ("head", "rpn", "tail", "classification")


def _reached(loss: str, detach_rois: bool) -> set[str]:
    """The modules that a gradient of the loss comes to."""
    if loss in training.RPN_LOSSES:
        return {"head", "rpn"}
    return {"head", "tail", "classification"} | (set() if detach_rois else {"rpn"})


def _in_order(names: set[str], frozen: Sequence[str]) -> list[str]:
    return [name for name in MODULES if name in names and name not in frozen]


def _learns(loss: str, frozen: Sequence[str], detach_rois: bool) -> list[str]:
    return _in_order(_reached(loss, detach_rois), frozen)


def _frozen_blocks_gradients(loss: str, frozen: Sequence[str], detach_rois: bool) -> list[str]:
    """A frozen tail or classification layer keeps the gradient from everything before it."""
    cut = {"tail": {"head", "rpn"}, "classification": {"head", "rpn", "tail"}}
    lost = set().union(*(cut.get(name, set()) for name in frozen)) if loss in training.DETECTOR_LOSSES else set()
    return _in_order(_reached(loss, detach_rois) - lost, frozen)


def _learns_cases() -> list[tuple]:
    frozen = [(), ("head",), ("rpn",), ("tail",), ("classification",), ("head", "tail")]
    losses = training.RPN_LOSSES + training.DETECTOR_LOSSES
    return [(loss, names, detach) for loss in losses for names in frozen for detach in (True, False)]


def _amiss(losses: Sequence[str], names: set[str]):
    """A wrong answer where, for these losses, the modules `names` learn if they should not, and not if they should."""

    def wrong(loss, frozen, detach_rois):
        return _in_order(_reached(loss, detach_rois) ^ (names if loss in losses else set()), frozen)

    return wrong


_PLACES = {"head": (0.0, 0.0), "rpn": (52.0, -12.0), "tail": (52.0, 12.0), "classification": (104.0, 12.0)}


def _draw_modules(arguments, value, good, _wrong) -> Sketch | None:
    """The four modules; those filled that learn."""
    if not set(value) <= set(MODULES):
        return None
    loss, frozen, detach_rois = arguments
    boxes = {name: (x, y, x + 46, y + 9) for name, (x, y) in _PLACES.items()}
    ways = [[(46.0, 4.5), (52.0, -7.5)], [(46.0, 4.5), (52.0, 16.5)], [(98.0, 16.5), (104.0, 16.5)]]
    ways.append([(75.0, -3.0), (75.0, 12.0)])
    layers: list[Layer] = [Lines(ways, PLAIN, arrow=True, width=1.5), Boxes(list(boxes.values()), PLAIN, width=1.5)]
    for role, names in ((RIGHT, set(value) & set(good)), (YOURS, set(value) ^ set(good))):
        learn = [boxes[name] for name in MODULES if name in names and name in value]
        lost = [boxes[name] for name in MODULES if name in names and name not in value]
        layers += [
            Boxes(learn, role._replace(name="learns" if role is RIGHT else "should not learn"), fill=0.5)
        ] * bool(learn)
        layers += [Boxes(lost, role._replace(name="should learn"))] * bool(lost)
    layers += [write(x + 1, y + 7, name + " ❄" * (name in frozen)) for name, (x, y) in _PLACES.items()]
    froze = f" with {' and '.join(frozen)} frozen" if frozen else ""
    return Sketch(layers, f"from {loss}{froze}{', ROIs detached' * detach_rois}: {', '.join(value) or 'nothing'}.")


learns = Check(
    "learns",
    _learns,
    _learns_cases,
    misconceptions(
        "All four modules learn from every loss in your function; the RPN's losses never pass the tail or the "
        "classification layer.",
        lambda loss, frozen, detach_rois: _in_order(set(MODULES), frozen),
        "The RPN's losses teach the tail in your function: they are computed before any crop exists.",
        _amiss(training.RPN_LOSSES, {"tail", "classification"}),
        "A frozen module learns nothing: leave those in `frozen` out.",
        lambda loss, frozen, detach_rois: _learns(loss, (), detach_rois),
        "You ignore detach_rois: with it, the detector's losses do not reach the RPN (approximate joint training).",
        lambda loss, frozen, detach_rois: _learns(loss, frozen, False),
        "Without detaching there is a path: detector's loss, crop, ROI coordinates, the RPN's coefficients.",
        lambda loss, frozen, detach_rois: _learns(loss, frozen, True),
        "It is the other way round: detaching cuts the path from the detector's losses to the RPN.",
        lambda loss, frozen, detach_rois: _learns(loss, frozen, not detach_rois),
        "The head learns from all four losses: everything is computed from its features.",
        _amiss(training.RPN_LOSSES + training.DETECTOR_LOSSES, {"head"}),
        "Detaching the ROIs cuts their coordinates alone: the crop still hands its gradient to the features, "
        "and so to the head.",
        lambda loss, frozen, detach_rois: _learns(
            loss, ("head", *frozen) if detach_rois and loss in training.DETECTOR_LOSSES else frozen, detach_rois
        ),
        "The head learns from the RPN's losses too: the RPN reads the same features as the detector.",
        _amiss(training.RPN_LOSSES, {"head"}),
        "The tail learns too: the classification layer's gradient passes through fc7 into it.",
        _amiss(training.DETECTOR_LOSSES, {"tail"}),
        "Freezing does not block the way: gradients pass through a module's fixed weights to what lies before it.",
        _frozen_blocks_gradients,
    ),
    picture=beside(_draw_modules, any_length=True),
)


# ---- bug_hunt(weight, batches, rate) -> list of numbers: the weight after each step


def _steps(
    weight: float,
    batches: Sequence[tuple[Tensor, Tensor]],
    rate: float,
    clear: bool = True,
    gradient=lambda gradients: gradients[-1],
    loss=lambda error: error.square().mean(),
) -> list[float]:
    """The weight of y = weight * x after each step of gradient descent.

    clear: whether a step forgets the gradient of the one before. gradient: what of all gradients so far it follows.
    """
    w, path, gradients = torch.tensor(weight, requires_grad=True), [], []
    for x, y in batches:
        if clear:
            w.grad = None
        loss(w * x - y).backward()
        gradients.append(w.grad.clone())
        with torch.no_grad():
            w -= rate * gradient(gradients)
        path.append(float(w.detach()))
    return path


def _slip(**changed):
    """A wrong way to write it."""
    return lambda weight, batches, rate: _steps(weight, batches, rate, **changed)


def _first_weight_again(weight: float, batches: Sequence[tuple[Tensor, Tensor]], rate: float) -> list[float]:
    return [_steps(weight, [batch], rate)[0] for batch in batches]


def _bug_hunt_cases() -> list[tuple]:
    x = torch.tensor([[1.0, -2.0, 0.5], [2.0, 0.0, 1.0], [-1.0, 1.0, 1.5], [0.5, 0.5, -1.0]])
    offsets = torch.tensor([[0.1, 0.0, -0.2], [0.0, 0.3, 0.1], [-0.1, 0.2, 0.0], [0.2, -0.3, 0.1]])
    batches = [(one, 2 * one + off) for one, off in zip(x, offsets, strict=True)]
    return [(weight, batches[:count], rate) for weight in (0.0, 3.0) for count in (2, 4) for rate in (0.05, 0.3)]


def _draw_path(arguments, value, good, _wrong) -> Sketch:
    """The weight after each step, over the right path."""
    weight, batches, _rate = arguments
    both = torch.cat([value, good, torch.tensor([weight])])
    room = float(both.max() - both.min()) / 20
    chart = Chart((0.0, float(len(batches))), (round(float(both.min()) - room, 2), round(float(both.max()) + room, 2)))
    layers = chart.axes("step", "weight")
    for path, role in ((good, RIGHT), (value, role_of(value, good))):
        points = chart.points(range(len(batches) + 1), [weight, *path.tolist()])  # (steps + 1, 2)
        layers += [Lines(points[None], role), Points(points, role, radius=4.0, name="")]
    return Sketch(layers, f"from {weight:g} to {', '.join(f'{w:.2f}' for w in value.tolist())}.")


bug_hunt = Check(
    "bug_hunt",
    _steps,
    _bug_hunt_cases,
    misconceptions(
        f"{STILL}: the weight never comes to rest. What does `w.grad` hold after the second `backward()`?",
        _slip(clear=False),
        "You forget the gradient between backward() and the step: nothing is left to move the weight.",
        _slip(gradient=lambda gradients: 0 * gradients[-1]),
        "That is the mean of all gradients so far: the old ones still have a say. A step follows its own batch.",
        _slip(gradient=lambda gradients: sum(gradients) / len(gradients)),
        "A smaller rate hides the symptom: the gradients still add up, only the steps are shorter.",
        lambda weight, batches, rate: _steps(weight, batches, rate / 2, clear=False),
        "Half a cure: nine tenths of what was there stay. That is momentum, which an optimizer keeps for itself.",
        _slip(gradient=lambda gradients: sum(g * 0.9**age for age, g in enumerate(reversed(gradients)))),
        "The step comes before backward(): every step follows the gradient of the batch before.",
        _slip(gradient=lambda gradients: gradients[-2] if len(gradients) > 1 else 0.0),
        "Every step starts from the first weight again: the gradient is to be forgotten, not what was learned.",
        _first_weight_again,
        "The step goes up the hill: it subtracts the gradient.",
        _slip(gradient=lambda gradients: -gradients[-1]),
        "The mean over the batch has become a sum: the rate now depends on how many examples there are.",
        _slip(loss=lambda error: error.square().sum()),
    ),
    picture=beside(_draw_path),
)
