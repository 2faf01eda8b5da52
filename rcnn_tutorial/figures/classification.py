"""Pictures of the classification layer: the scores of ROIs, and a ROI as its crop squeezes it."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import centers_and_sizes, encode
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Lines, Points, Scene

INK = Role("#000000")
_WRITTEN = 0.1  # a probability from here on is written into its cell


@from_any_device
def scores_figure(probabilities: Tensor, classes: Sequence[str], names: Sequence[str] = ()) -> Figure:
    """The array of scores: a row a ROI, a column a class, the largest of each row framed.

    probabilities: (R, C + 1), background first. names: one a row; the row's number without.
    """
    rows, columns = probabilities.shape
    with plots(10, 2.0 + 0.36 * rows) as (figure, axes):
        shown = axes.imshow(probabilities.numpy(), cmap="viridis", vmin=0, vmax=1, aspect="auto")
        for row, values in enumerate(probabilities.tolist()):
            best = values.index(max(values))
            axes.add_patch(Rectangle((best - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=roles.RED, linewidth=3))
            for column, value in enumerate(values):
                if value >= _WRITTEN:
                    ink = "white" if value < 0.6 else "black"
                    axes.text(column, row, f"{value:.1f}", ha="center", va="center", color=ink, fontsize=12)
        axes.set_xticks(range(columns), ["background", *classes], rotation=60, ha="left", rotation_mode="anchor")
        axes.set_yticks(range(rows), list(names) or range(rows))
        axes.xaxis.tick_top()
        axes.spines[:].set_visible(False)
        figure.colorbar(shown, ax=axes, label="probability", pad=0.01)
    return figure


@from_any_device
def invariance_figure(roi: Tensor, target: Tensor) -> Figure:
    """A ROI and its object on the image, and the same two as the crop sees them: squeezed into a square.

    roi, target: (4,). The coefficients, computed on either side from what is drawn, stand under each.
    """
    size = (roi[2:] - roi[:2])[[0, 1, 0, 1]]  # (4,)
    squeezed = [(box - roi[[0, 1, 0, 1]]) / size for box in (roi, target)]
    return figure_of([_pair(roi, target, "on the image"), _pair(*squeezed, "in the square crop")], 9.0, legend="shared")


def _pair(roi: Tensor, target: Tensor, title: str) -> Scene:
    """Both boxes (4,) in as much room as they need, the way from center to center, and the four coefficients."""
    low, high = torch.minimum(roi, target)[:2], torch.maximum(roi, target)[2:]
    corner = low - 0.08 * (high - low)  # (2,)
    columns, rows = (1.16 * (high - low)).tolist()
    moved = torch.stack([roi, target]) - corner[[0, 1, 0, 1]]  # (2, 4)
    way, _ = centers_and_sizes(moved)  # (2, 2)
    layers = [
        Boxes(moved[:1], roles.ROI, width=4),
        Boxes(moved[1:], roles.FOREGROUND, width=4, name="object"),
        Lines(way[None], INK, arrow=True, width=4),
        Points(way[:1], INK),
    ]
    width, height = (roi[2:] - roi[:2]).tolist()
    coefficients = zip(("t_x", "t_y", "t_w", "t_h"), encode(target, roi).tolist(), strict=True)
    first, second, *rest = (f"${name} = {value:.3f}$" for name, value in coefficients)
    caption = f"{first},  {second}\n" + ",  ".join(rest)
    return Scene(None, layers, f"{title}: ROI {width:.3g} × {height:.3g}", caption, (rows, columns), ground=roles.WHITE)
