"""Self-checks of the seventh notebook: the likeliest class, the box of a class, the box loss, the class loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial.answers import report
from rcnn_tutorial.boxes import centers_and_sizes, decode
from rcnn_tutorial.checks.checking import STILL, Check, misconceptions
from rcnn_tutorial.checks.pictures import INPUT, RIGHT, Bar, Sketch, bars, beside, corners, role_of
from rcnn_tutorial.roles import FOREGROUND, OTHER
from rcnn_tutorial.scene import Boxes
from rcnn_tutorial.stages.classification import RoiOutputs, classification_loss
from rcnn_tutorial.stages.proposal_target import ProposalTargets
from rcnn_tutorial.stages.rpn_loss import smooth_l1

__all__ = ["box_loss", "bug_hunt", "class_box", "likeliest", "report"]


# ---- likeliest(scores (S, C + 1)) -> labels (S,), probabilities (S,)


def _largest(values: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
    """Where each row is largest, its columns counted from `first`, and the value there."""
    best = values.max(dim=-1)
    return best.indices + first, best.values


def _likeliest(scores: Tensor) -> tuple[Tensor, Tensor]:
    return _largest(scores.softmax(dim=-1))


def _unguarded(scores):
    return scores.exp() / scores.exp().sum(dim=-1, keepdim=True)


def _likeliest_cases() -> list[tuple]:
    few = torch.tensor([[2.0, 1, 0, -1], [0, 1, 3, 2], [0.5, 2, 1, 2.5], [-1, -2, 0.5, 0.25], [1.5, 1.4, 1.3, -3]])
    spread = torch.randn(6, 21, generator=torch.Generator().manual_seed(6)) * 2
    return [(few,), (spread,), (few[1:2],), (torch.tensor([[1000.0, 0, 990], [-999, -1000, -1001]]),)]


def _draw_probabilities(_arguments, value, good, wrong) -> Sketch:
    """A bar for each ROI, as long as its probability."""
    rows = [
        Bar(f"label {label:.4g}: {probability:.3f}", probability, role_of(value, good) if wrong[i] else RIGHT)
        for i, (label, probability) in enumerate(zip(*(part.tolist() for part in value), strict=True))
    ]
    row = int(wrong.int().argmax())
    return Sketch(bars(rows, 1.0, 1.0, "probability 1"), f"ROI {row} gets {rows[row].text}.")


likeliest = Check(
    "likeliest",
    _likeliest,
    _likeliest_cases,
    misconceptions(
        "Your softmax runs over the ROIs: the classes of one ROI compete with each other, so normalize each row.",
        lambda scores: _largest(scores.softmax(dim=0)),
        "You drop background before the softmax: it competes with the classes, and where it wins there is nothing.",
        lambda scores: _largest(scores[:, 1:].softmax(dim=-1), first=1),
        "Background can never win in your version: label 0 is a legal answer here (inference leaves it out later).",
        lambda scores: _largest(scores.softmax(dim=-1)[:, 1:], first=1),
        "You cut off column 0 and count from there, so all labels are one too small: column c belongs to label c.",
        lambda scores: _largest(scores.softmax(dim=-1)[:, 1:]),
        "Your labels are one too small: label 0 is background, so column c belongs to label c already.",
        lambda scores: (scores.argmax(dim=-1) - 1, _likeliest(scores)[1]),
        "You return the score itself: softmax makes it a probability.",
        _largest,
        "A sigmoid asks every class by itself, and the row does not add up to 1; softmax lets the classes compete.",
        lambda scores: _largest(scores.sigmoid()),
        "That is the logarithm of the probability (log_softmax); take softmax, or exp of what you have.",
        lambda scores: _largest(scores.log_softmax(dim=-1)),
        "exp of a large score overflows to infinity: subtract the row's largest score first, it changes no ratio.",
        lambda scores: _largest(_unguarded(scores)),
        "exp of a large score overflows to infinity: subtract the row's largest score first, it changes no ratio.",
        lambda scores: (scores.argmax(dim=-1), _unguarded(scores).max(dim=-1).values),
        "The order is swapped: first the labels, then the probabilities.",
        lambda scores: _likeliest(scores)[::-1],
        "You return the probabilities of all classes; only that of the likeliest is asked for.",
        lambda scores: (scores.argmax(dim=-1), scores.softmax(dim=-1)),
    ),
    picture=beside(_draw_probabilities),
)


# ---- class_box(rois (S, 4), coefficients (S, C + 1, 4), labels (S,), stds (4,)) -> (S, 4)


def _pick(coefficients: Tensor, labels: Tensor) -> Tensor:
    """Row `labels[s]` of every ROI: (S, 4)."""
    return coefficients[torch.arange(len(labels)), labels]


def _class_box(rois: Tensor, coefficients: Tensor, labels: Tensor, stds: Tensor) -> Tensor:
    return decode(_pick(coefficients, labels) * stds, rois)


def _picking(choose: Callable[[Tensor], Tensor]):
    """A wrong answer that looks into another class's row, `choose(labels)`."""
    return lambda rois, coefficients, labels, stds: _class_box(rois, coefficients, choose(labels), stds)


def _decoding(wrong_decode: Callable[[Tensor, Tensor], Tensor]):
    """A wrong answer with the right coefficients, used as `wrong_decode(coefficients, rois)` uses them."""
    return lambda rois, coefficients, labels, stds: wrong_decode(_pick(coefficients, labels) * stds, rois)


def _around_corner(t: Tensor, rois: Tensor) -> Tensor:
    size = rois[:, 2:] - rois[:, :2]
    corner = rois[:, :2] + t[:, :2] * size
    return torch.cat([corner, corner + size * t[:, 2:].exp()], dim=1)


def _without_exp(t: Tensor, rois: Tensor) -> Tensor:
    center, size = centers_and_sizes(rois)
    center, size = center + t[:, :2] * size, size * (1 + t[:, 2:])
    return torch.cat([center - size / 2, center + size / 2], dim=1)


def _class_box_cases() -> list[tuple]:
    generator = torch.Generator().manual_seed(7)
    rois = torch.tensor([[100.0, 100, 300, 200], [20, 40, 60, 220], [0, 0, 32, 32], [210, 15, 400, 90]])
    labels, stds = torch.tensor([2, 1, 3, 1]), torch.tensor([0.1, 0.1, 0.2, 0.2])
    coefficients = torch.randn(4, 4, 4, generator=generator) * 2
    other = torch.tensor([0.05, 0.2, 0.3, 0.1])
    return [(rois, coefficients, labels, stds), (rois[:1], coefficients[:1], labels[:1], other)]


def _draw_box(arguments, value, good, wrong) -> Sketch:
    """The first ROI whose box is wrong."""
    row = int(wrong.int().argmax())
    one = slice(row, row + 1)
    roi = Boxes(arguments[0][one], INPUT._replace(name="ROI"))
    box = Boxes(value[one], role_of(value, good)._replace(name=f"box of class {arguments[2][row]}"), width=4.0)
    return Sketch([roi, *[Boxes(good[one], RIGHT, width=2.0)] * (value is not good), box], corners(value, wrong))


class_box = Check(
    "class_box",
    _class_box,
    _class_box_cases,
    misconceptions(
        "The coefficients are still normalized: multiply them by the standard deviations before you decode.",
        lambda rois, coefficients, labels, stds: decode(_pick(coefficients, labels), rois),
        "You divide by the standard deviations: that is what the targets went through; undo it by multiplying.",
        lambda rois, coefficients, labels, stds: decode(_pick(coefficients, labels) / stds, rois),
        "You take the row of the class before: row 0 belongs to background, so label c owns row c.",
        _picking(lambda labels: labels - 1),
        "All your ROIs use the class of the first one; each has a label of its own.",
        _picking(lambda labels: labels[:1].expand_as(labels)),
        "You use the four of background (row 0), which no training ever touched; use those of the ROI's label.",
        _picking(torch.zeros_like),
        "Your box decodes around the corner: the first two coefficients move the center.",
        _decoding(_around_corner),
        "You use 1 + t for the size: the last two coefficients are logarithms, so the size grows by exp(t).",
        _decoding(_without_exp),
        "You return center and size; corners x1, y1, x2, y2 are asked for.",
        _decoding(lambda t, rois: torch.cat(centers_and_sizes(decode(t, rois)), dim=1)),
        "x and y are swapped: the coefficients come as t_x, t_y, t_w, t_h.",
        _decoding(lambda t, rois: decode(t[:, [1, 0, 3, 2]], rois)),
        "Off by one pixel (+1): corners are continuous here, so the width of a ROI is x2 - x1.",
        _decoding(lambda t, rois: decode(t, rois + torch.tensor([0, 0, 1, 1]))),
        "Works for one ROI, not for N: the first ROI decodes all the others.",
        lambda rois, coefficients, labels, stds: _class_box(rois[:1], coefficients, labels, stds),
    ),
    picture=beside(_draw_box),
)


# ---- box_loss(coefficients (S, C + 1, 4), labels (S,), targets (S, 4)) -> ()


def _box_loss(coefficients: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    outputs = RoiOutputs(None, None, None, coefficients.new_zeros(1, *coefficients.shape[:2]), coefficients[None])
    wanted = ProposalTargets(None, labels[None], targets[None], None, None, None)
    return classification_loss(outputs, wanted).box_loss


def _smooth_l1(difference: Tensor) -> Tensor:
    return smooth_l1(difference, sigma=1.0)


def _foreground_losses(coefficients, labels, targets, distance: Callable[[Tensor], Tensor] = _smooth_l1) -> Tensor:
    """One loss for each foreground ROI: (F,)."""
    return distance((_pick(coefficients, labels) - targets)[labels > 0]).sum(dim=1)


def _all_classes(coefficients, labels, targets):
    losses = _smooth_l1(coefficients - targets[:, None]).sum(dim=(1, 2))  # (S,)
    return (losses * (labels > 0)).mean()


def _box_loss_cases() -> list[tuple]:
    generator = torch.Generator().manual_seed(8)
    cases = []
    for labels in ([2, 0, 1, 3, 0, 0], [0, 0, 3, 0], [0, 0, 0], [1]):
        coefficients = torch.randn(len(labels), 4, 4, generator=generator)
        targets = torch.randn(len(labels), 4, generator=generator) * 1.5
        cases.append((coefficients, torch.tensor(labels), targets))
    return cases


_MEAN_OVER_FOREGROUND = (
    "You divide by the number of foreground ROIs: the sum is divided by all sampled ROIs, so that an image with few "
    "objects does not shout."
)


def _draw_parts(arguments, value, good, _wrong) -> Sketch:
    """What each ROI adds to the right loss, over the loss itself."""
    coefficients, labels, targets = arguments
    each = _smooth_l1(_pick(coefficients, labels) - targets).sum(dim=1) / len(labels)  # (S,)
    rows = [
        Bar(
            f"label {label}" + ("" if label else " (not counted)"),
            part,
            FOREGROUND if label else OTHER._replace(name="background"),
        )
        for label, part in zip(labels.tolist(), each.tolist(), strict=True)
    ]
    rows.append(Bar(f"loss {value:.3f}", value, role_of(value, good)))
    words = f"loss {value:.3f}. Above it what each ROI has to add: its own loss / {len(labels)}."
    return Sketch(bars(rows, max(good, float(each.max()))), words)


box_loss = Check(
    "box_loss",
    _box_loss,
    _box_loss_cases,
    misconceptions(
        "Background ROIs have no object to move to: leave them out of the sum (but count them when you divide).",
        lambda coefficients, labels, targets: _smooth_l1(_pick(coefficients, labels) - targets).sum(dim=1).mean(),
        "You compare every class's four with the target: only those of the right class are asked.",
        _all_classes,
        "You take the row of the class before: row 0 belongs to background, so label c owns row c.",
        lambda coefficients, labels, targets: _box_loss(coefficients.roll(1, dims=1), labels, targets),
        _MEAN_OVER_FOREGROUND,
        lambda *given: _foreground_losses(*given).mean(),
        _MEAN_OVER_FOREGROUND,
        lambda *given: _foreground_losses(*given).sum() / max(1, int((given[1] > 0).sum())),
        "You forgot to divide by the number of ROIs: the loss would grow with the batch.",
        lambda *given: _foreground_losses(*given).sum(),
        "You average over the four coefficients: they are summed, and only the ROIs are averaged.",
        lambda *given: _box_loss(*given) / 4,
        "That is sigma = 3, the RPN's: here sigma is 1, so the loss turns linear at a difference of 1.",
        lambda *given: _foreground_losses(*given, lambda x: smooth_l1(x, sigma=3.0)).sum() / len(given[1]),
        "Plain L1 has a kink at 0; smooth L1 is half the square while the difference is below 1.",
        lambda *given: _foreground_losses(*given, torch.abs).sum() / len(given[1]),
        "Half the square everywhere lets one bad box rule the sum; smooth L1 goes on as a line beyond 1.",
        lambda *given: _foreground_losses(*given, lambda x: x**2 / 2).sum() / len(given[1]),
    ),
    by_package=True,
    picture=beside(_draw_parts),
)


# ---- bug_hunt(scores (S, C + 1), labels (S,)) -> ()


def _hunt_cases() -> list[tuple]:
    generator = torch.Generator().manual_seed(9)
    few = torch.tensor([[2.0, 1, 0, -1], [0, 1, 3, 2], [0.5, 2, 1, 2.5]])
    many = torch.randn(6, 21, generator=generator) * 3
    certain = torch.tensor([[9.0, 0, 0], [0, 0, 9], [0, 9, 0], [9, 0, 0]])
    apart = torch.tensor([[0.0, 200, 0, 0], [0, 0, 3, 1]])
    return [
        (few, torch.tensor([0, 2, 1])),
        (many, torch.tensor([4, 0, 0, 20, 7, 0])),
        (certain, torch.tensor([0, 2, 1, 0])),
        (apart, torch.tensor([2, 3])),
    ]


def _draw_class_loss(arguments, value, good, _wrong) -> Sketch:
    """What each ROI adds to the right loss, over the loss itself."""
    scores, labels = arguments
    each = F.cross_entropy(scores, labels, reduction="none") / len(labels)  # (S,)
    rows = [Bar(f"label {u}: {part:.3f}", part, OTHER) for u, part in zip(labels.tolist(), each.tolist(), strict=True)]
    rows.append(Bar(f"loss {value:.3f}", value, role_of(value, good)))
    words = f"loss {value:.3f}. Above it what each of {len(labels)} ROIs has to add, its own loss / {len(labels)}."
    return Sketch(bars(rows, max(good, float(each.max()))), words)


bug_hunt = Check(
    "bug_hunt",
    F.cross_entropy,
    _hunt_cases,
    misconceptions(
        f"{STILL}: even a ROI that is right with certainty costs 2.1. What does F.cross_entropy do to what it gets?",
        lambda scores, labels: F.cross_entropy(scores.softmax(dim=1), labels),
        "Another function in place of the softmax, and F.cross_entropy still takes its own: give it the bare scores.",
        lambda scores, labels: F.cross_entropy(scores.sigmoid(), labels),
        "F.nll_loss takes no logarithm: from probabilities it makes minus their mean, which is below 0.",
        lambda scores, labels: F.nll_loss(scores.softmax(dim=1), labels),
        "Now there is no softmax at all: F.nll_loss only picks, so the scores are taken for logarithms.",
        F.nll_loss,
        "A small probability is 0 in float32, its logarithm infinite: take both in one, as F.cross_entropy does.",
        lambda scores, labels: F.nll_loss(scores.softmax(dim=1).log(), labels),
        "The softmax runs over the ROIs: the classes of one ROI compete.",
        lambda scores, labels: F.nll_loss(scores.log_softmax(dim=0), labels),
        "1 - p costs at most 1, however sure the network is of the wrong class; the loss is -ln p.",
        lambda scores, labels: (1 - _pick(scores.softmax(dim=1), labels)).mean(),
        "You leave background ROIs out: background is a right answer too (only the box loss skips it).",
        lambda scores, labels: F.cross_entropy(scores[labels > 0], labels[labels > 0]),
        "That is the sum over the ROIs; the mean is asked for.",
        lambda scores, labels: F.cross_entropy(scores, labels, reduction="sum"),
        "You ask for the class before the right one: label 0 is background, so column u belongs to label u.",
        lambda scores, labels: F.cross_entropy(scores.roll(1, dims=1), labels),
    ),
    picture=beside(_draw_class_loss),
)
