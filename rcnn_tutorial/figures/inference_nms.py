"""Pictures of inference: anchors becoming proposals, the average precision."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.evaluation import Curve, area_ap, eleven_point_ap
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.scene import Boxes, Scene

ELEVEN_RECALLS = np.arange(11) * 0.1  # of VOC 2007


@from_any_device
def refined_figure(image: Tensor, anchors: Tensor, proposals: Tensor) -> Figure:
    """Anchors dashed in orange and what the RPN's coefficients made of each in green; equal numbers belong together.

    image: (3, H, W) in [0, 1]. anchors, proposals: (N, 4) in the image's pixels.
    """
    numbers = [str(k) for k in range(1, len(anchors) + 1)]
    layers = [Boxes(anchors, roles.ANCHOR, labels=numbers), Boxes(proposals, roles.PROPOSAL, labels=numbers)]
    return figure_of([Scene(image, layers)], 6.4)


@from_any_device
def average_precision_figure(curve: Curve, title: str = "") -> Figure:
    """The curve of one class, the best precision at each recall or beyond, and the eleven points of VOC 2007.

    curve: as `evaluation.precision_recall` gives it.
    """
    with plots(7.0, 4.6) as (figure, axes):
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
    """The ranks beside each point; a detection that is ignored leaves the curve where it is."""
    ranks: dict[tuple[float, float], list[str]] = {}
    for rank, point in enumerate(zip(curve.recall.tolist(), curve.precision.tolist(), strict=True), start=1):
        ranks.setdefault(point, []).append(str(rank))
    for point, here in ranks.items():
        look = {"xytext": (9, -4), "textcoords": "offset points", "weight": "bold", "color": roles.RED}
        axes.annotate(", ".join(here), point, **look)
