"""Pictures of inference: anchors becoming proposals, what suppression removes, which order keeps which box, the AP."""

from __future__ import annotations

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial.evaluation import Curve, area_ap, eleven_point_ap
from rcnn_tutorial.figures.classification import draw_boxes, legend_below, show_image, write_on_boxes
from rcnn_tutorial.figures.style import AFTER, BEFORE, CHOSEN, from_any_device, height_share, style
from rcnn_tutorial.stages.nms import bottom_y, nms

INK = "#000000"
GRAY = "#767676"


@from_any_device
def refined_figure(image: Tensor, anchors: Tensor, proposals: Tensor, title: str = "") -> Figure:
    """Anchors in red and what the RPN's coefficients made of each in green; equal numbers belong together.

    image: (3, H, W) in [0, 1]. anchors, proposals: (N, 4) in the image's pixels.
    """
    numbers = [str(k + 1) for k in range(len(anchors))]
    with style():
        figure = Figure(figsize=(8, 8 * height_share(*image.shape[-2:]) + 0.9))
        axes = figure.add_subplot()
        show_image(axes, image, title)
        draw_boxes(axes, anchors, BEFORE, "dashed", 2.5, name="anchors")
        draw_boxes(axes, proposals, AFTER, "solid", 3, name="after the RPN's coefficients")
        write_on_boxes(axes, anchors, numbers, BEFORE, "bottom")
        write_on_boxes(axes, proposals, numbers, AFTER, "top")
        legend_below(axes)
    return figure


@from_any_device
def suppressed_figure(image: Tensor, before: Tensor, after: Tensor) -> Figure:
    """The first few boxes before suppression (left, red) and the first few after it (right, green).

    image: (3, H, W) in [0, 1]. before: (N, 4), after: (M, 4), both best first, in the image's pixels.
    """
    with style():
        figure = Figure(figsize=(11, 5.5 * height_share(*image.shape[-2:]) + 0.5))
        left, right = figure.subplots(1, 2)
        show_image(left, image, f"The best {len(before)} before suppression")
        draw_boxes(left, before, BEFORE, "dashed", 2.5)
        write_on_boxes(left, before, [str(k + 1) for k in range(len(before))], BEFORE)
        show_image(right, image, f"The best {len(after)} after it")
        draw_boxes(right, after, AFTER, "solid", 3)
        write_on_boxes(right, after, [str(k + 1) for k in range(len(after))], AFTER)
    return figure


@from_any_device
def orders_figure(boxes: Tensor, scores: Tensor, threshold: float) -> Figure:
    """The appendix's figure: the same boxes thinned out in the order of the score and in that of the bottom right y.

    boxes: (N, 4). scores: (N,). threshold: IoU above which a box is silenced.
    """
    panels = (
        ("before", torch.arange(len(boxes)), GRAY, "solid"),
        ("highest score first", nms(boxes, scores, threshold), AFTER, "solid"),
        ("lowest in the picture first", nms(boxes, bottom_y(boxes), threshold), BEFORE, "dashed"),
    )
    low, high = boxes[:, :2].amin(dim=0), boxes[:, 2:].amax(dim=0)  # (2,) each
    margin = 0.08 * (high - low)
    (left, top), (right, bottom) = (low - margin).tolist(), (high + margin).tolist()
    with style():
        figure = Figure(figsize=(11, 4.2))
        for axes, (title, kept, color, dash) in zip(figure.subplots(1, len(panels)), panels, strict=True):
            axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xticks=[], yticks=[], title=title)
            draw_boxes(axes, boxes[kept], color, dash, 3)
            write_on_boxes(axes, boxes[kept], [f"{score:.2f}" for score in scores[kept].tolist()], color)
            axes.spines[:].set_visible(True)
    return figure


@from_any_device
def precision_recall_figure(curve: Curve, title: str = "") -> Figure:
    """The curve of one class, the best precision at each recall or beyond, and the eleven points of VOC 2007.

    curve: as `evaluation.precision_recall` gives it.
    """
    with style():
        figure = Figure(figsize=(7.5, 5.2))
        axes = figure.add_subplot()
        recalls, best = [i / 10 for i in range(11)], [_best_beyond(curve, i * 0.1) for i in range(11)]
        _draw_area(axes, curve)
        measured = curve.recall.tolist(), curve.precision.tolist()
        axes.plot(*measured, "o", color=BEFORE, markersize=8, label="after each detection")
        axes.plot(recalls, best, "x", color=INK, markersize=9, markeredgewidth=2.5, label="the eleven points")
        _number(axes, curve)
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.03, 1.03), ylim=(-0.03, 1.1), title=title)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
        eleven, area = eleven_point_ap(curve.precision, curve.recall), area_ap(curve.precision, curve.recall)
        axes.text(1.0, 1.0, f"11 points: {eleven:.4f}\narea: {area:.4f}", ha="right", va="top", fontsize=14)
    return figure


def _best_beyond(curve: Curve, recall: float) -> float:
    """The largest precision at `recall` or beyond; 0 where nothing gets that far."""
    reached = curve.precision[curve.recall >= recall]
    return float(reached.max()) if len(reached) else 0.0


def _draw_area(axes: Axes, curve: Curve) -> None:
    """The staircase whose area VOC counts since 2010."""
    recall = [0.0, *curve.recall.tolist()]
    height = [_best_beyond(curve, r) for r in recall[1:]]
    for left, right, top in zip(recall, recall[1:], height, strict=False):
        axes.fill_between([left, right], [top, top], color="#56B4E9", alpha=0.45, linewidth=0)
    if height:
        axes.stairs(height, recall, color=CHOSEN, linewidth=2.5, baseline=None, label="best at this recall or beyond")


def _number(axes: Axes, curve: Curve) -> None:
    """The rank of each detection beside its point; detections that found nothing new share a recall."""
    for rank, (x, y) in enumerate(zip(curve.recall.tolist(), curve.precision.tolist(), strict=True), start=1):
        axes.annotate(f"{rank}", (x, y), xytext=(9, -4), textcoords="offset points", weight="bold", color=BEFORE)
