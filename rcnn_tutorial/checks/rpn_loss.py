"""Checks of the fourth notebook: regression coefficients, anchor labels, smooth L1, the mean of the class loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial.answers import report
from rcnn_tutorial.boxes import box_iou, centers_and_sizes, decode
from rcnn_tutorial.boxes import encode as right_encode
from rcnn_tutorial.checks.checking import STILL, Check, misconceptions
from rcnn_tutorial.checks.pictures import INPUT, RIGHT, YOURS, Bar, Chart, Sketch, bars, beside, role_of
from rcnn_tutorial.config import AnchorTargetConfig
from rcnn_tutorial.roles import BACKGROUND as BACKGROUND_ROLE
from rcnn_tutorial.roles import FOREGROUND as FOREGROUND_ROLE
from rcnn_tutorial.roles import GROUND_TRUTH, OTHER
from rcnn_tutorial.scene import Boxes, Lines
from rcnn_tutorial.stages.anchor_target import BACKGROUND, DONT_CARE, FOREGROUND, AnchorTargets, assign_anchors
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.rpn import RPNOutputs
from rcnn_tutorial.stages.rpn_loss import rpn_loss
from rcnn_tutorial.stages.rpn_loss import smooth_l1 as right_smooth_l1

__all__ = ["bug_hunt", "encode", "label_anchors", "report", "smooth_l1"]

# ---- encode(boxes, references) -> coefficients


def encode_cases() -> list[tuple[Tensor, Tensor]]:
    """(boxes, references), both (N, 4), in pixels."""
    by_hand = (torch.tensor([[120.0, 110, 280, 250]]), torch.tensor([[100.0, 100, 300, 200]]))
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(6, 4, generator=generator) * 300  # (N, 4)
    sizes = 20 + torch.rand(6, 4, generator=generator) * 200  # (N, 4)
    boxes = torch.cat([corners[:, :2], corners[:, :2] + sizes[:, :2]], dim=1)
    references = torch.cat([corners[:, 2:], corners[:, 2:] + sizes[:, 2:]], dim=1)
    return [by_hand, (boxes, references)]


_ONE_PIXEL_MORE = torch.tensor([0.0, 0, 1, 1])


def _shifting(shift=lambda moved, size, reference: moved / reference, point=lambda boxes: centers_and_sizes(boxes)[0]):
    """A wrong `encode`: t_x, t_y are `shift(way of point(boxes), size, reference's size)`, (N, 2) all."""

    def wrong(boxes, references):
        size, reference_size = centers_and_sizes(boxes)[1], centers_and_sizes(references)[1]
        moved = shift(point(boxes) - point(references), size, reference_size)
        return torch.cat([moved, torch.log(size / reference_size)], dim=1)

    return wrong


def _scaling(scale: Callable[[Tensor], Tensor]):
    """A wrong `encode`: t_w, t_h are `scale(size ratio)`, (N, 2) both."""

    def wrong(boxes, references):
        shift, log_ratio = right_encode(boxes, references).split(2, dim=1)
        return torch.cat([shift, scale(log_ratio.exp())], dim=1)

    return wrong


def _draw_decoded(arguments, value, good, wrong) -> Sketch:
    """Where the coefficients lead from the reference, for the first row that is wrong."""
    row = int(wrong.int().argmax())
    box, reference = (part[row : row + 1] for part in arguments)
    layers = [
        Boxes(reference, INPUT._replace(name="reference")),
        Boxes(box, GROUND_TRUTH._replace(name="target"), width=5.0),
        Boxes(decode(value[row : row + 1], reference), role_of(value, good)._replace(name="decoded"), width=4.0),
    ]
    numbers = ", ".join(f"{number:.2f}" for number in value[row].tolist())
    return Sketch(layers, f"from the reference, ({numbers}) lead here.")


encode = Check(
    "encode",
    right_encode,
    encode_cases,
    misconceptions(
        "Your t_x and t_y move the top left corner, as the post's text has it; coefficients move the center.",
        _shifting(point=lambda boxes: boxes[:, :2]),
        "Your t_x and t_y move the bottom right corner; coefficients move the center.",
        _shifting(point=lambda boxes: boxes[:, 2:]),
        "Your t_w and t_h are the size ratios themselves; their logarithm is meant.",
        _scaling(lambda ratio: ratio),
        "Your t_w and t_h use the logarithm to base 10; decode undoes it with exp, so it is the natural one.",
        _scaling(torch.log10),
        "Your t_x and t_y are still in pixels; they count in sizes of the reference.",
        _shifting(lambda moved, size, reference: moved),
        "You divide the shift by the target's size; decode knows only the reference's, so that is the unit.",
        _shifting(lambda moved, size, reference: moved / size),
        "You divide the shift by half the size of the reference, not by its size.",
        _shifting(lambda moved, size, reference: moved / (reference / 2)),
        "Swapped: these coefficients lead from the box to the reference, not from the reference to the box.",
        lambda boxes, references: right_encode(references, boxes),
        "The center moves the wrong way: it is target minus reference.",
        _shifting(lambda moved, size, reference: -moved / reference),
        "Swapped x and y: the horizontal shift is divided by the height and the vertical one by the width.",
        _shifting(lambda moved, size, reference: moved / reference.flip(1)),
        "The four come in the order t_x, t_w, t_y, t_h; it is t_x, t_y, t_w, t_h.",
        lambda boxes, references: right_encode(boxes, references)[:, [0, 2, 1, 3]],
        "Off by one pixel: our corners are continuous, so the width is x2 - x1 without + 1.",
        lambda boxes, references: right_encode(boxes + _ONE_PIXEL_MORE, references + _ONE_PIXEL_MORE),
        "It works for one box, not for N: every row is compared with the first reference.",
        lambda boxes, references: right_encode(boxes, references[:1]),
    ),
    by_package=True,
    picture=beside(_draw_decoded),
)

# ---- label_anchors(anchors, objects, positive, negative) -> labels


def label_cases() -> list[tuple[Tensor, Tensor, float, float]]:
    """(anchors (N, 4), objects (G, 4), positive, negative). Whole numbers, so that ties are ties in any arithmetic."""
    squares = torch.tensor([[0.0, 0, 8, 8], [8, 0, 16, 8], [0, 8, 8, 16], [40, 40, 48, 48]])
    middle = torch.tensor([[6.0, 6, 10, 10]])  # touches three of the squares alike
    steps = torch.tensor([[0.0, 0, 8, 8], [0, 0, 8, 4], [0, 0, 8, 2], [0, 0, 4, 2], [0, 0, 2, 1], [30, 0, 38, 8]])
    exact = torch.tensor([[0.0, 0, 8, 8]])  # overlaps of exactly 1, 1/2, 1/4, 1/8, 1/32 and 0
    two = torch.tensor([[0.0, 0, 8, 8], [30, 0, 38, 6]])
    far = torch.tensor([[0.0, 0, 8, 8], [100, 100, 104, 104]])  # the second touches nothing
    small = torch.tensor([[0.0, 0, 8, 8], [30, 30, 32, 32]])
    anchors = torch.cat([steps, torch.tensor([[28.0, 28, 36, 36], [29, 29, 37, 37]])])
    return [
        (squares, middle, 0.75, 0.25),
        (steps, exact, 0.5, 0.25),
        (steps, two, 0.75, 0.125),
        (steps.flip(0), far, 0.5, 0.25),
        (steps[1:], exact, 0.75, 0.25),  # the best lies between the thresholds
        (anchors, small, 0.5, 0.25),
    ]


def right_label_anchors(anchors: Tensor, objects: Tensor, positive: float, negative: float) -> Tensor:
    """The stage's own labels (N,), all anchors counted as inside the image."""
    truth = GroundTruth(objects[None], torch.ones(1, len(objects), dtype=torch.long))
    config = AnchorTargetConfig(positive_overlap=positive, negative_overlap=negative)
    inside = torch.ones(1, len(anchors), dtype=torch.bool)
    return assign_anchors(anchors, truth, inside, config).labels[0]


def _best(overlaps: Tensor) -> Tensor:
    best = overlaps.amax(dim=0)  # (G,)
    return ((overlaps == best) & (best > 0)).any(dim=1)  # (N,)


def _argmax(overlaps: Tensor, touched_only: bool) -> Tensor:
    """The anchors (N,) that argmax names; for an object that nothing touches it names the first one."""
    named = overlaps.argmax(dim=0)  # (G,)
    if touched_only:
        named = named[overlaps.amax(dim=0) > 0]
    return torch.isin(torch.arange(len(overlaps)), named)


def _label(
    anchors,
    objects,
    positive,
    negative,
    type_a=_best,
    type_b=lambda overlaps, positive: overlaps.amax(dim=1) >= positive,
    background=lambda overlaps, negative: overlaps.amax(dim=1) < negative,
) -> Tensor:
    """Labels (N,) with one of the three rules replaced; a rule takes the overlaps (N, G) and returns (N,) bool."""
    overlaps = box_iou(anchors, objects)  # (N, G)
    labels = torch.full((len(anchors),), DONT_CARE)
    labels[background(overlaps, negative)] = BACKGROUND
    labels[type_a(overlaps)] = FOREGROUND
    labels[type_b(overlaps, positive)] = FOREGROUND
    return labels


def _swapped_values_labels(*arguments):
    labels = _label(*arguments)
    return torch.where(labels == FOREGROUND, labels, -1 - labels)


def _draw_labels(arguments, value, good, wrong) -> Sketch | None:
    """The anchors by their label, the wrong ones filled."""
    anchors, objects = arguments[:2]
    roles = {FOREGROUND: FOREGROUND_ROLE, BACKGROUND: BACKGROUND_ROLE, DONT_CARE: OTHER._replace(name="don't care")}
    if not set(value.tolist()) <= set(roles):
        return None
    layers = [Boxes(objects, GROUND_TRUTH, width=5.0)]
    for label, role in roles.items():
        here = value == label
        if here.any():
            layers.append(Boxes(anchors[here], role, labels=[f"{label}"] * int(here.sum())))
    if value is not good:
        layers.append(Boxes(anchors[wrong], YOURS._replace(name="wrong"), fill=0.4, width=1.0))
    return Sketch(layers, f"labels {', '.join(f'{label:.0f}' for label in value.tolist())}.")


label_anchors = Check(
    "label_anchors",
    right_label_anchors,
    label_cases,
    misconceptions(
        "You forgot type A: an object that no anchor overlaps by the positive threshold gets no foreground at all.",
        partial(_label, type_a=lambda overlaps: torch.zeros(len(overlaps), dtype=torch.bool)),
        "You forgot that ties count: every anchor that reaches an object's best IoU is type A; argmax names one.",
        partial(_label, type_a=partial(_argmax, touched_only=True)),
        "Two things about type A: ties count (argmax names only one), and an object with best IoU 0 has no anchor.",
        partial(_label, type_a=partial(_argmax, touched_only=False)),
        "An object that no anchor touches has best IoU 0, and every anchor ties with it; that is no type A.",
        partial(_label, type_a=lambda overlaps: (overlaps == overlaps.amax(dim=0)).any(dim=1)),
        "Only the best anchor of the whole image is type A here; every object has a best anchor of its own.",
        partial(_label, type_a=lambda overlaps: overlaps.amax(dim=1) == overlaps.max()),
        "Background overwrites type A: an object's best anchor stays foreground, however low its IoU.",
        lambda *given: torch.where(box_iou(*given[:2]).amax(dim=1) < given[3], BACKGROUND, _label(*given)),
        "Type B includes the threshold: IoU >= positive, not >.",
        partial(_label, type_b=lambda overlaps, positive: overlaps.amax(dim=1) > positive),
        "Background excludes the threshold: IoU < negative, not <=.",
        partial(_label, background=lambda overlaps, negative: overlaps.amax(dim=1) <= negative),
        "Background means below the negative threshold with all objects, not with some: take the largest IoU.",
        partial(_label, background=lambda overlaps, negative: (overlaps < negative).any(dim=1)),
        "Type B needs one object above the threshold, not all of them: take the largest IoU.",
        partial(_label, type_b=lambda overlaps, positive: (overlaps >= positive).all(dim=1)),
        "Nothing is don't care: what lies between the thresholds is neither foreground nor background (-1).",
        partial(_label, background=lambda overlaps, _: torch.ones(len(overlaps), dtype=torch.bool)),
        "Swapped 0 and -1: background is 0, don't care is -1.",
        _swapped_values_labels,
    ),
    by_package=True,
    picture=beside(_draw_labels),
)

# ---- smooth_l1(difference, sigma) -> loss


def smooth_l1_cases() -> list[tuple[Tensor, float]]:
    """(difference, sigma), with differences on both sides of every bend."""
    difference = torch.tensor([-2.0, -0.6, -0.3, -0.1, -0.05, 0.0, 0.02, 0.1, 0.2, 0.45, 0.9, 3.0])
    return [(difference, 3.0), (difference, 1.0), (difference.view(3, 4), 2.0), (difference, 0.5)]


def _piecewise(x: Tensor, bend: float, inner: Tensor, outer: Tensor) -> Tensor:
    return torch.where(x.abs() < bend, inner, outer)


def _draw_curve(arguments, value, good, wrong) -> Sketch:
    """The loss over the difference."""
    difference, sigma = arguments
    x, order = difference.flatten().sort()
    chart = Chart((float(x[0]), float(x[-1])), (0.0, round(float(good.max()), 2)))
    layers = [*chart.axes("difference", "loss"), Lines(chart.points(x, good.flatten()[order])[None], RIGHT)]
    if value is not good:
        layers.append(Lines(chart.points(x, value.flatten()[order])[None], YOURS, width=4.0))
    first = int(wrong.int().argmax())
    return Sketch(layers, f"with sigma {sigma:g} the loss of {difference[first]:.3g} is {value[first]:.3g}.")


smooth_l1 = Check(
    "smooth_l1",
    right_smooth_l1,
    smooth_l1_cases,
    misconceptions(
        "Sigma changes nothing here: this is smooth L1 with sigma 1 throughout.",
        lambda x, sigma: right_smooth_l1(x, 1.0),
        "Sigma without its square, in all three places: the bend lies at 1 / sigma^2.",
        lambda x, sigma: F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none", beta=1 / sigma),
        "PyTorch's beta is not sigma: beta is where the bend lies, which is 1 / sigma^2.",
        lambda x, sigma: F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none", beta=sigma),
        "PyTorch's beta is the bend itself, 1 / sigma^2; you pass sigma^2.",
        lambda x, sigma: F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none", beta=sigma**2),
        "The bend is in the wrong place: compare |x| with 1 / sigma^2, not with 1 / sigma.",
        lambda x, sigma: _piecewise(x, 1 / sigma, sigma**2 * x**2 / 2, x.abs() - 0.5 / sigma**2),
        "The bend stays at 1: compare |x| with 1 / sigma^2.",
        lambda x, sigma: _piecewise(x, 1.0, sigma**2 * x**2 / 2, x.abs() - 0.5 / sigma**2),
        "The quadratic part has sigma without its square, so the two parts do not meet.",
        lambda x, sigma: _piecewise(x, 1 / sigma**2, sigma * x**2 / 2, x.abs() - 0.5 / sigma**2),
        "The quadratic part lacks the half, so the two parts do not meet.",
        lambda x, sigma: _piecewise(x, 1 / sigma**2, sigma**2 * x**2, x.abs() - 0.5 / sigma**2),
        "The linear part takes off 0.5 whatever sigma is, so the curve jumps: it is 0.5 / sigma^2.",
        lambda x, sigma: _piecewise(x, 1 / sigma**2, sigma**2 * x**2 / 2, x.abs() - 0.5),
        "The linear part is |x| without the offset 0.5 / sigma^2, so the curve jumps.",
        lambda x, sigma: _piecewise(x, 1 / sigma**2, sigma**2 * x**2 / 2, x.abs()),
        "Without the absolute value every negative difference counts as small, however large it is.",
        lambda x, sigma: torch.where(x < 1 / sigma**2, sigma**2 * x**2 / 2, x.abs() - 0.5 / sigma**2),
        "The linear part has x where it needs |x|: a loss may not be negative.",
        lambda x, sigma: _piecewise(x, 1 / sigma**2, sigma**2 * x**2 / 2, x - 0.5 / sigma**2),
        "The two parts are swapped: quadratic near 0, linear far away.",
        lambda x, sigma: _piecewise(x, 1 / sigma**2, x.abs() - 0.5 / sigma**2, sigma**2 * x**2 / 2),
        "This is plain L1: there is no quadratic part.",
        lambda x, sigma: x.abs(),
        "This is quadratic everywhere: large errors would pull without limit.",
        lambda x, sigma: sigma**2 * x**2 / 2,
        "You add the losses up; one loss for every entry is asked for, of the input's shape.",
        lambda x, sigma: right_smooth_l1(x, sigma).sum(),
        "You average the losses; one loss for every entry is asked for, of the input's shape.",
        lambda x, sigma: right_smooth_l1(x, sigma).mean(),
    ),
    by_package=True,
    picture=beside(_draw_curve),
)

# ---- bug_hunt(scores, labels) -> class loss


def loss_cases() -> list[tuple[Tensor, Tensor]]:
    """(scores (N, 2), labels (N,)); in the first case every anchor is in the loss."""
    generator = torch.Generator().manual_seed(0)
    all_in = torch.tensor([1, 0, 0, 1, 0, 0, 0, 1])
    few = torch.tensor([1, -1, 0, -1, -1, 0, -1, 0, -1, -1])
    many = torch.tensor([1] * 40 + [0] * 216 + [-1] * 344)  # 256 of 600 in the loss
    return [(3 * torch.randn(len(labels), 2, generator=generator), labels) for labels in (all_in, few, many)]


def right_class_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """The class loss () of one image, by the stage: scores (N, 2), labels (N,) foreground, background, don't care."""
    nowhere = torch.zeros(1, len(labels), 4)  # (1, N, 4) predicted and target coefficients: no box loss
    targets = AnchorTargets(labels[None], nowhere, torch.zeros(1, len(labels)), assignment=None)
    return rpn_loss(RPNOutputs(scores[None], nowhere), targets).class_loss


def _entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """-ln p of each anchor's label (N,), don't care read as background."""
    return F.cross_entropy(scores, labels.clamp(min=0), reduction="none")


def _mean_of_means(scores: Tensor, labels: Tensor) -> Tensor:
    entropy = _entropy(scores, labels)
    return (entropy[labels == FOREGROUND].mean() + entropy[labels == BACKGROUND].mean()) / 2


def _draw_loss(_, value, good, __) -> Sketch:
    """The loss as a bar; the dashed line is ln 2, what an untrained network pays."""
    ln_2 = 0.6931
    bar = Bar(f"loss {value:.3g}", value, role_of(value, good))
    return Sketch(bars([bar], max(good, ln_2), ln_2, "ln 2"), f"a class loss of {value:.3g}.")


bug_hunt = Check(
    "bug_hunt",
    right_class_loss,
    loss_cases,
    misconceptions(
        f"{STILL}: the more anchors an image has, the smaller its loss. By how many is the sum divided?",
        lambda scores, labels: (_entropy(scores, labels) * (labels >= 0)).mean(),
        "Now don't care anchors pay as background; they are in neither the sum nor the count.",
        lambda scores, labels: _entropy(scores, labels).mean(),
        "You divide by 256, whatever is sampled; an image may fall short of it.",
        lambda scores, labels: _entropy(scores, labels)[labels >= 0].sum() / 256,
        "This is the sum; an image with more sampled anchors would count for more.",
        lambda scores, labels: _entropy(scores, labels)[labels >= 0].sum(),
        "You divide by the number of foreground anchors, but the sum is over background as well.",
        lambda scores, labels: _entropy(scores, labels)[labels >= 0].sum() / (labels == FOREGROUND).sum(),
        "Only foreground is in your mean; background is sampled too, and has label 0, not -1.",
        lambda scores, labels: _entropy(scores, labels)[labels == FOREGROUND].mean(),
        "Only background is in your mean; foreground is sampled too.",
        lambda scores, labels: _entropy(scores, labels)[labels == BACKGROUND].mean(),
        "You average foreground and background apart; every sampled anchor counts alike.",
        _mean_of_means,
        "The logarithm of the mean probability is not the mean of the logarithms: take -ln of each anchor first.",
        lambda scores, labels: -(-_entropy(scores, labels)[labels >= 0]).exp().mean().log(),
        "The columns are swapped: 0 is background, 1 is foreground.",
        lambda scores, labels: _entropy(scores.flip(1), labels)[labels >= 0].mean(),
    ),
    by_package=True,
    picture=beside(_draw_loss),
)
