"""Checks of the fourth notebook: regression coefficients, anchor labels, smooth L1."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial.boxes import box_iou, centers_and_sizes
from rcnn_tutorial.boxes import encode as right_encode
from rcnn_tutorial.checks.checking import Check, misconceptions
from rcnn_tutorial.config import AnchorTargetConfig
from rcnn_tutorial.stages.anchor_target import BACKGROUND, DONT_CARE, FOREGROUND, assign_anchors
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.rpn_loss import smooth_l1 as right_smooth_l1

__all__ = ["encode", "label_anchors", "smooth_l1"]

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


def _join(shift: Tensor, scale: Tensor) -> Tensor:
    return torch.cat([shift, scale], dim=1)


def _parts(boxes: Tensor, references: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Shift of the center, size, size of the reference, logarithm of the size ratio: (N, 2) each."""
    center, size = centers_and_sizes(boxes)
    reference_center, reference_size = centers_and_sizes(references)
    return center - reference_center, size, reference_size, torch.log(size / reference_size)


def _corner_encode(boxes, references):
    _, _, size, scale = _parts(boxes, references)
    return _join((boxes[:, :2] - references[:, :2]) / size, scale)


def _far_corner_encode(boxes, references):
    _, _, size, scale = _parts(boxes, references)
    return _join((boxes[:, 2:] - references[:, 2:]) / size, scale)


def _ratio_encode(boxes, references):
    shift, target_size, size, _ = _parts(boxes, references)
    return _join(shift / size, target_size / size)


def _pixel_encode(boxes, references):
    shift, _, _, scale = _parts(boxes, references)
    return _join(shift, scale)


def _target_sized_encode(boxes, references):
    shift, target_size, _, scale = _parts(boxes, references)
    return _join(shift / target_size, scale)


def _crosswise_encode(boxes, references):
    shift, _, size, scale = _parts(boxes, references)
    return _join(shift / size.flip(1), scale)


def _half_sized_encode(boxes, references):
    shift, _, size, scale = _parts(boxes, references)
    return _join(shift / (size / 2), scale)


def _flipped_shift_encode(boxes, references):
    shift, _, size, scale = _parts(boxes, references)
    return _join(-shift / size, scale)


def _inclusive_encode(boxes, references):
    def parts(b):
        size = b[:, 2:] - b[:, :2] + 1
        return b[:, :2] + size / 2, size

    (center, size), (reference_center, reference_size) = parts(boxes), parts(references)
    return _join((center - reference_center) / reference_size, torch.log(size / reference_size))


def _decimal_encode(boxes, references):
    shift, target_size, size, _ = _parts(boxes, references)
    return _join(shift / size, torch.log10(target_size / size))


encode = Check(
    "encode",
    right_encode,
    encode_cases,
    misconceptions(
        "Your t_x and t_y move the top left corner, as the post's text has it; coefficients move the center.",
        _corner_encode,
        "Your t_x and t_y move the bottom right corner; coefficients move the center.",
        _far_corner_encode,
        "Your t_w and t_h are the size ratios themselves; their logarithm is meant.",
        _ratio_encode,
        "Your t_w and t_h use the logarithm to base 10; decode undoes it with exp, so it is the natural one.",
        _decimal_encode,
        "Your t_x and t_y are still in pixels; they count in sizes of the reference.",
        _pixel_encode,
        "You divide the shift by the target's size; decode knows only the reference's, so that is the unit.",
        _target_sized_encode,
        "You divide the shift by half the size of the reference, not by its size.",
        _half_sized_encode,
        "Swapped: these coefficients lead from the box to the reference, not from the reference to the box.",
        lambda boxes, references: right_encode(references, boxes),
        "The center moves the wrong way: it is target minus reference.",
        _flipped_shift_encode,
        "Swapped x and y: the horizontal shift is divided by the height and the vertical one by the width.",
        _crosswise_encode,
        "The four come in the order t_x, t_w, t_y, t_h; it is t_x, t_y, t_w, t_h.",
        lambda boxes, references: right_encode(boxes, references)[:, [0, 2, 1, 3]],
        "Off by one pixel: our corners are continuous, so the width is x2 - x1 without + 1.",
        _inclusive_encode,
        "It works for one box, not for N: every row is compared with the first reference.",
        lambda boxes, references: right_encode(boxes, references[:1]),
    ),
    by_package=True,
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


def _label(anchors, objects, positive, negative, type_a=None, type_b=None, background=None) -> Tensor:
    """Labels (N,) with one of the three rules replaced; a rule takes the overlaps (N, G) and returns (N,) bool."""
    overlaps = box_iou(anchors, objects)  # (N, G)
    closest = overlaps.amax(dim=1)  # (N,)
    labels = torch.full((len(anchors),), DONT_CARE)
    labels[closest < negative if background is None else background(overlaps)] = BACKGROUND
    labels[_best(overlaps) if type_a is None else type_a(overlaps)] = FOREGROUND
    labels[closest >= positive if type_b is None else type_b(overlaps)] = FOREGROUND
    return labels


def _best(overlaps: Tensor) -> Tensor:
    best = overlaps.amax(dim=0)  # (G,)
    return ((overlaps == best) & (best > 0)).any(dim=1)  # (N,)


def _first_best_labels(*arguments):
    def first(overlaps):
        marked = torch.zeros(len(overlaps), dtype=torch.bool)
        marked[overlaps.argmax(dim=0)[overlaps.amax(dim=0) > 0]] = True
        return marked

    return _label(*arguments, type_a=first)


def _argmax_labels(*arguments):
    """Take the argmax without a thought for the object that nothing touches: its "best" anchor is the first one."""

    def first(overlaps):
        marked = torch.zeros(len(overlaps), dtype=torch.bool)
        marked[overlaps.argmax(dim=0)] = True
        return marked

    return _label(*arguments, type_a=first)


def _clobbered_labels(anchors, objects, positive, negative):
    labels = _label(anchors, objects, positive, negative)
    labels[box_iou(anchors, objects).amax(dim=1) < negative] = BACKGROUND
    return labels


def _no_dont_care_labels(*arguments):
    labels = _label(*arguments)
    return torch.where(labels == DONT_CARE, BACKGROUND, labels)


def _swapped_values_labels(*arguments):
    labels = _label(*arguments)
    return torch.where(labels == FOREGROUND, labels, -1 - labels)


label_anchors = Check(
    "label_anchors",
    right_label_anchors,
    label_cases,
    misconceptions(
        "You forgot type A: an object that no anchor overlaps by the positive threshold gets no foreground at all.",
        lambda *arguments: _label(*arguments, type_a=lambda overlaps: torch.zeros(len(overlaps), dtype=torch.bool)),
        "You forgot that ties count: every anchor that reaches an object's best IoU is type A; argmax names one.",
        _first_best_labels,
        "Two things about type A: ties count (argmax names only one), and an object with best IoU 0 has no anchor.",
        _argmax_labels,
        "An object that no anchor touches has best IoU 0, and every anchor ties with it; that is no type A.",
        lambda *arguments: _label(*arguments, type_a=lambda overlaps: (overlaps == overlaps.amax(dim=0)).any(dim=1)),
        "Only the best anchor of the whole image is type A here; every object has a best anchor of its own.",
        lambda *arguments: _label(*arguments, type_a=lambda overlaps: overlaps.amax(dim=1) == overlaps.max()),
        "Background overwrites type A: an object's best anchor stays foreground, however low its IoU.",
        _clobbered_labels,
        "Type B includes the threshold: IoU >= positive, not >.",
        lambda *arguments: _label(*arguments, type_b=lambda overlaps: overlaps.amax(dim=1) > arguments[2]),
        "Background excludes the threshold: IoU < negative, not <=.",
        lambda *arguments: _label(*arguments, background=lambda overlaps: overlaps.amax(dim=1) <= arguments[3]),
        "Background means below the negative threshold with all objects, not with some: take the largest IoU.",
        lambda *arguments: _label(*arguments, background=lambda overlaps: (overlaps < arguments[3]).any(dim=1)),
        "Type B needs one object above the threshold, not all of them: take the largest IoU.",
        lambda *arguments: _label(*arguments, type_b=lambda overlaps: (overlaps >= arguments[2]).all(dim=1)),
        "Nothing is don't care: what lies between the thresholds is neither foreground nor background (-1).",
        _no_dont_care_labels,
        "Swapped 0 and -1: background is 0, don't care is -1.",
        _swapped_values_labels,
    ),
    by_package=True,
)

# ---- smooth_l1(difference, sigma) -> loss


def smooth_l1_cases() -> list[tuple[Tensor, float]]:
    """(difference, sigma), with differences on both sides of every bend."""
    difference = torch.tensor([-2.0, -0.6, -0.3, -0.1, -0.05, 0.0, 0.02, 0.1, 0.2, 0.45, 0.9, 3.0])
    return [(difference, 3.0), (difference, 1.0), (difference.view(3, 4), 2.0), (difference, 0.5)]


def _piecewise(x: Tensor, bend: float, inner: Tensor, outer: Tensor) -> Tensor:
    return torch.where(x.abs() < bend, inner, outer)


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
)
