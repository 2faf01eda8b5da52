"""Pictures of the classification layer: from crop to fc7, the scores of ROIs, the boxes of one, the squeezed one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Stroke
from torch import Tensor

from rcnn_tutorial.boxes import centers_and_sizes, encode
from rcnn_tutorial.figures.style import AFTER, BEFORE, CHOSEN, OTHER, from_any_device, height_share, ink_on, style

INK = "#000000"
GRAY = "#767676"
_WRITTEN = 0.1  # a probability from here on is written into its cell


# ---- what the figures of boxes share


def show_image(axes: Axes, image: Tensor, title: str = "") -> None:
    """An image (3, H, W) in [0, 1]; the axes then count its pixels, with box coordinates at the pixels' edges."""
    height, width = image.shape[-2:]
    pixels = image.detach().permute(1, 2, 0).clamp(0, 1).numpy()
    axes.imshow(pixels, extent=(0, width, height, 0), interpolation="antialiased")
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0), title=title)


def draw_boxes(axes: Axes, boxes: Tensor, color: str, dash: str = "solid", width: float = 2.5, name: str = "") -> None:
    """Outline boxes (N, 4), with a rim that sets them off from any photo. name: their entry in the legend."""
    rim = Stroke(linewidth=width + 2, foreground=ink_on(color))
    for row, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        line = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=color, linewidth=width, linestyle=dash)
        line.set(path_effects=[rim, Stroke(linewidth=width)], label=name if row == 0 else "_")
        axes.add_patch(line)


def write_on_boxes(axes: Axes, boxes: Tensor, texts: Sequence[str], color: str, side: str = "top") -> None:
    """One text a box (N, 4), inside its upper (top) or lower (bottom) side.

    Each stands a little further to the right than the one before, so that boxes with a common corner show all.
    """
    (low, high), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    step = 0.035 * (high - low) if len(boxes) > 1 else 0.0
    ground = {"facecolor": color, "edgecolor": ink_on(color), "linewidth": 0.6, "pad": 2}
    for row, ((x1, y1, x2, y2), text) in enumerate(zip(boxes.tolist(), texts, strict=True)):
        x = max(x1, low, min(max(x1, low) + row * step, x2 - step))
        y = max(y1, top) if side == "top" else min(y2, bottom)
        look = {"color": ink_on(color), "fontsize": 12, "weight": "bold", "clip_on": True}
        axes.text(x, y, text, va=side, bbox=ground, **look)


def legend_below(axes: Axes, columns: int = 4) -> None:
    """The names of the boxes under the picture, on gray, where white lines can be seen."""
    if axes.get_legend_handles_labels()[0]:
        legend = axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=columns, frameon=True)
        legend.get_frame().set(facecolor="#404040", edgecolor="none", alpha=1)
        for text in legend.get_texts():
            text.set_color("white")


# ---- figures


@from_any_device
def class_boxes_figure(
    image: Tensor, roi: Tensor, boxes: Tensor, label: int, classes: Sequence[str], objects: Tensor | None = None
) -> Figure:
    """One ROI in red, the box that one class makes of it in blue, those of all other classes in white.

    image: (3, H, W) in [0, 1]. roi: (4,). boxes: (C + 1, 4), row 0 (background) is left out. objects: (G, 4), drawn in
    yellow. All in the image's pixels.
    """
    others = [c for c in range(1, len(boxes)) if c != label]
    with style():
        figure = Figure(figsize=(8, 8 * height_share(*image.shape[-2:]) + 0.7))
        axes = figure.add_subplot()
        show_image(axes, image)
        draw_boxes(axes, boxes[others], OTHER, "dotted", 1.3, name="the other classes")
        if objects is not None:
            draw_boxes(axes, objects, "#F0E442", "dashdot", 2, name="annotated objects")
        draw_boxes(axes, roi[None], BEFORE, "dashed", 3, name="the ROI")
        draw_boxes(axes, boxes[[label]], CHOSEN, "solid", 4, name=classes[label - 1])
        legend_below(axes)
    return figure


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
        axes.bar(last.tolist(), fc7[last].tolist(), width=max(3.0, len(fc7) / 250), color=CHOSEN)
        for channel in last.tolist():
            axes.annotate(f"{channel}", (channel, float(fc7[channel])), ha="center", va="bottom", fontsize=12)
        axes.set(
            xlim=(-0.5, len(fc7) - 0.5), ylabel="fc7", xlabel=f"channel, 0 to {len(fc7) - 1}: the mean of each map"
        )
    return figure


def _show_channels(figure: Figure, grid, row: int, values: Tensor, channels: Tensor, title: str) -> None:
    for column, channel in enumerate(channels.tolist()):
        axes = figure.add_subplot(grid[row, column])
        axes.imshow(values[channel].detach().numpy(), cmap="viridis")
        axes.set(xticks=[], yticks=[], xlabel=f"{channel}")
        if column == 0:
            axes.set_ylabel(title, rotation=0, ha="right", va="center")


@from_any_device
def scores_figure(probabilities: Tensor, classes: Sequence[str], names: Sequence[str] = ()) -> Figure:
    """The array of scores: a row a ROI, a column a class, the largest of each row framed.

    probabilities: (R, C + 1), background first. names: one a row; the row's number without.
    """
    rows, columns = probabilities.shape
    with style():
        figure = Figure(figsize=(10, 2.0 + 0.36 * rows))
        axes = figure.add_subplot()
        shown = axes.imshow(probabilities.detach().numpy(), cmap="viridis", vmin=0, vmax=1, aspect="auto")
        for row, values in enumerate(probabilities.tolist()):
            best = values.index(max(values))
            axes.add_patch(Rectangle((best - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=BEFORE, linewidth=3))
            for column, value in enumerate(values):
                if value >= _WRITTEN:
                    ink = "white" if value < 0.6 else INK
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
    size = roi[2:] - roi[:2]
    squeezed = [(box - roi[[0, 1, 0, 1]]) / size[[0, 1, 0, 1]] for box in (roi, target)]
    with style():
        figure = Figure(figsize=(9.5, 4.4))
        for axes, boxes, title in zip(
            figure.subplots(1, 2), ((roi, target), squeezed), ("on the image", "in the square crop"), strict=True
        ):
            _show_pair(axes, *boxes, title)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _show_pair(axes: Axes, roi: Tensor, target: Tensor, title: str) -> None:
    """Both boxes, the way from center to center, and the four coefficients."""
    draw_boxes(axes, roi[None], BEFORE, "dashed", 3, name="ROI")
    draw_boxes(axes, target[None], AFTER, "solid", 3, name="object")
    start, end = (centers_and_sizes(box)[0].tolist() for box in (roi, target))
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 2, "mutation_scale": 18})
    axes.plot(*start, "o", color=INK, markersize=6)
    low, high = torch.minimum(roi, target)[:2], torch.maximum(roi, target)[2:]
    margin = 0.08 * (high - low)
    (left, top), (right, bottom) = (low - margin).tolist(), (high + margin).tolist()
    width, height = (roi[2:] - roi[:2]).tolist()
    coefficients = zip(("t_x", "t_y", "t_w", "t_h"), encode(target, roi).tolist(), strict=True)
    first, second, *rest = (f"${name} = {value:.3f}$" for name, value in coefficients)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xticks=[], yticks=[])
    axes.set_title(f"{title}: ROI {width:.3g} × {height:.3g}")
    axes.set_xlabel(f"{first},  {second}\n" + ",  ".join(rest))
