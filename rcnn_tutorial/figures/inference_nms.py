"""Pictures of inference: anchors becoming proposals, what suppression removes, which order keeps which box, the AP."""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.evaluation import Curve, area_ap, eleven_point_ap
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Scene
from rcnn_tutorial.stages.nms import bottom_y, nms

ELEVEN_RECALLS = np.arange(11) * 0.1  # of VOC 2007


@from_any_device
def projected_figure(image: Tensor, boxes: Tensor, scale: float) -> Figure:
    """Boxes in pixels of the scaled image, drawn as they are (red) and divided by the scale (green).

    image: (3, H, W) in [0, 1], the photo; the ground around it is as large as the scaled image. boxes: (N, 4).
    """
    height, width = image.shape[-2:]
    ground = image.new_full((3, max(height, round(height * scale)), max(width, round(width * scale))), 0.25)
    ground[:, :height, :width] = image
    roles_of = roles.BEFORE._replace(name="in scaled pixels"), roles.AFTER._replace(name="divided by the scale")
    layers = [_numbered(drawn, role) for drawn, role in zip((boxes, boxes / scale), roles_of, strict=True)]
    return figure_of([Scene(ground, layers)], 8.0)


@from_any_device
def refined_figure(image: Tensor, anchors: Tensor, proposals: Tensor) -> Figure:
    """Anchors in red and what the RPN's coefficients made of each in green; equal numbers belong together.

    image: (3, H, W) in [0, 1]. anchors, proposals: (N, 4) in the image's pixels.
    """
    layers = [_numbered(anchors, roles.ANCHOR), _numbered(proposals, roles.PROPOSAL)]
    return figure_of([Scene(image, layers)], 8.0)


def _numbered(boxes: Tensor, role: Role) -> Boxes:
    return Boxes(boxes, role, labels=[str(k + 1) for k in range(len(boxes))])


@from_any_device
def suppressed_figure(image: Tensor, before: Tensor, after: Tensor) -> Figure:
    """The first few boxes before suppression (left, red) and the first few after it (right, green).

    image: (3, H, W) in [0, 1]. before: (N, 4), after: (M, 4), both best first, in the image's pixels.
    """
    left = Scene(image, [_numbered(before, roles.BEFORE)], f"The best {len(before)} before suppression")
    right = Scene(image, [_numbered(after, roles.AFTER)], f"The best {len(after)} after it")
    return figure_of([left, right], 11.0, legend="")


@from_any_device
def orders_figure(boxes: Tensor, scores: Tensor, threshold: float) -> Figure:
    """The appendix's figure: the same boxes thinned out in the order of the score and in that of the bottom right y.

    boxes: (N, 4). scores: (N,). threshold: IoU above which a box is silenced.
    """
    panels = {
        "before": (torch.arange(len(boxes)), Role("#767676")),
        "highest score first": (nms(boxes, scores, threshold), roles.AFTER),
        "lowest in the picture first": (nms(boxes, bottom_y(boxes), threshold), roles.BEFORE),
    }
    low, high = boxes[:, :2].amin(dim=0), boxes[:, 2:].amax(dim=0)  # (2,) each
    corner = (low - 0.08 * (high - low))[[0, 1, 0, 1]]  # (4,)
    columns, rows = (1.16 * (high - low)).tolist()
    scenes = []
    for title, (kept, role) in panels.items():
        texts = [f"{score:.2f}" for score in scores[kept].tolist()]
        layers = [Boxes(boxes[kept] - corner, role, width=4, labels=texts)]
        scenes.append(Scene(None, layers, title, size=(rows, columns), ground=roles.WHITE))
    return figure_of(scenes, 11.0, legend="")


@from_any_device
def average_precision_figure(curve: Curve, title: str = "") -> Figure:
    """The curve of one class, the best precision at each recall or beyond, and the eleven points of VOC 2007.

    curve: as `evaluation.precision_recall` gives it.
    """
    with plots(7.5, 5.2) as (figure, axes):
        _draw_area(axes, curve)
        measured = curve.recall.tolist(), curve.precision.tolist()
        axes.plot(*measured, "o", color=roles.RED, markersize=8, label="after each detection")
        cross = {"color": "black", "markersize": 9, "markeredgewidth": 2.5, "label": "the eleven points"}
        axes.plot(ELEVEN_RECALLS, best_precision(curve), "x", **cross)
        _number(axes, curve)
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.03, 1.03), ylim=(-0.03, 1.1), title=title)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
        eleven, area = eleven_point_ap(curve.precision, curve.recall), area_ap(curve.precision, curve.recall)
        axes.text(1.0, 1.0, f"11 points: {eleven:.4f}\narea: {area:.4f}", ha="right", va="top", fontsize=14)
    return figure


def best_precision(curve: Curve, recalls: np.ndarray = ELEVEN_RECALLS) -> np.ndarray:
    """The best precision at each recall (R,) or beyond; 0 where the recall is never reached: (R,)."""
    reached = curve.recall.numpy() >= recalls[:, None]  # (R, D)
    return np.where(reached, curve.precision.numpy(), 0.0).max(axis=1, initial=0.0)


def _draw_area(axes: Axes, curve: Curve) -> None:
    """The staircase whose area VOC counts since 2010."""
    stairs = best_precision(curve, curve.recall.numpy()), [0.0, *curve.recall.tolist()]
    if len(curve.recall):
        axes.stairs(*stairs, fill=True, color=roles.PALETTE[1], alpha=0.45)
        axes.stairs(*stairs, color=roles.BLUE, linewidth=2.5, baseline=None, label="best at this recall or beyond")


def _number(axes: Axes, curve: Curve) -> None:
    """The rank of each detection beside its point; detections that found nothing new share a recall."""
    for rank, (x, y) in enumerate(zip(curve.recall.tolist(), curve.precision.tolist(), strict=True), start=1):
        axes.annotate(f"{rank}", (x, y), xytext=(9, -4), textcoords="offset points", weight="bold", color=roles.RED)
