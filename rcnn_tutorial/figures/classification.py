"""Pictures of the classification layer: from crop to fc7, the scores of ROIs, the boxes of one, the squeezed one."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import centers_and_sizes, encode
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.style import from_any_device, plots, style
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Lines, Points, Scene

GRAY = "#767676"
INK = Role("#000000")
_WRITTEN = 0.1  # a probability from here on is written into its cell


@from_any_device
def class_boxes_figure(
    image: Tensor, roi: Tensor, boxes: Tensor, label: int, classes: Sequence[str], objects: Tensor | None = None
) -> Figure:
    """One ROI in orange, the box that one class makes of it in blue, those of all other classes in white.

    image: (3, H, W) in [0, 1]. roi: (4,). boxes: (C + 1, 4), row 0 (background) is left out. objects: (G, 4), drawn in
    yellow. All in the image's pixels.
    """
    others = [c for c in range(1, len(boxes)) if c != label]
    layers = [
        Boxes(boxes[others], roles.OTHER, width=1.5),
        Boxes(roi[None], roles.ROI),
        Boxes(boxes[[label]], roles.CHOSEN, width=5, name=classes[label - 1]),
    ]
    if objects is not None:
        layers.append(Boxes(objects, roles.GROUND_TRUTH, width=2))  # on top: a good box hides its object
    return figure_of([Scene(image, layers)], 8.0)


@from_any_device
def fc7_figure(crop: Tensor, maps: Tensor, channels: int = 6) -> Figure:
    """The way of one ROI to fc7: channels of its crop, channels of the tail's output, and their means.

    crop: (K, size, size). maps: (D, h, w), the tail before its spatial mean. Shown are the channels that vary most.
    """
    first, last = (values.std(dim=(1, 2)).topk(channels).indices.sort().values for values in (crop, maps))
    fc7 = maps.mean(dim=(1, 2))  # (D,)
    with style():
        figure = Figure(figsize=(9, 5.6))
        grid = figure.add_gridspec(3, channels, height_ratios=[1, 1, 0.8])
        _show_channels(figure, grid, 0, crop, first, f"crop\n{tuple(crop.shape)}")
        _show_channels(figure, grid, 1, maps, last, f"after the tail\n{tuple(maps.shape)}")
        axes = figure.add_subplot(grid[2, :])
        axes.bar(range(len(fc7)), fc7.tolist(), width=1.0, color=GRAY)
        axes.bar(last.tolist(), fc7[last].tolist(), width=max(3.0, len(fc7) / 250), color=roles.BLUE)
        for channel in last.tolist():
            axes.annotate(f"{channel}", (channel, float(fc7[channel])), ha="center", va="bottom", fontsize=12)
        axes.set(xlim=(-0.5, len(fc7) - 0.5), ylabel="fc7")
        axes.set_xlabel(f"channel, 0 to {len(fc7) - 1}: the mean of each map")
    return figure


def _show_channels(figure: Figure, grid, row: int, values: Tensor, channels: Tensor, title: str) -> None:
    for column, channel in enumerate(channels.tolist()):
        axes = figure.add_subplot(grid[row, column])
        axes.imshow(values[channel].numpy(), cmap="viridis")
        axes.set(xticks=[], yticks=[], xlabel=f"{channel}")
        if column == 0:
            axes.set_ylabel(title, rotation=0, ha="right", va="center")


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
