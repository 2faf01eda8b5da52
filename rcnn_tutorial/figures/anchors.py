"""Figures of notebook 02: shapes at a cell, where each shape fits, overlap, and which objects anchors can reach."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.figures.style import AFTER, BEFORE, CHOSEN, OTHER, PALETTE, from_any_device, height_share, style
from rcnn_tutorial.stages.anchors import anchor_sizes

_ON_PHOTOS = (PALETTE[3], PALETTE[1], OTHER)  # light, because photos are mostly dark
_DASHES = ("solid", "dashed", "dotted", "dashdot")


@from_any_device
def shapes_figure(image: Tensor, anchors: Tensor, config: AnchorConfig, width: float = 8.0) -> Figure:
    """One cell's anchors (A, 4), ratio-major, on the image (3, H, W), every ratio with a dash and a line of its own."""
    sizes = [f"{w:g} × {h:g}" for w, h in anchor_sizes(config).tolist()]
    with style():
        figure = Figure(figsize=(width, width * height_share(*image.shape[-2:]) + 1.0))
        axes = figure.add_subplot()
        _show(axes, image)
        for number, box in enumerate(anchors.tolist()):
            ratio, scale = divmod(number, len(config.scales))
            same_ratio = ", ".join(sizes[number : number + len(config.scales)])
            label = None if scale else f"ratio {config.ratios[ratio]:g}: {same_ratio}"
            _rectangle(axes, box, _ON_PHOTOS[ratio % 3], _DASHES[ratio % 4], label)
        x, y = (anchors[0, :2] + anchors[0, 2:]) / 2
        axes.plot(x, y, "o", color="white", markeredgecolor="black", markersize=9)
        ground = {"frameon": True, "facecolor": "0.25", "framealpha": 1, "labelcolor": "white"}
        figure.legend(loc="outside lower center", fontsize=13, **ground)
    return figure


@from_any_device
def inside_figure(inside: Tensor, config: AnchorConfig, stride: int, size: tuple[int, int]) -> Figure:
    """For every shape of anchor, the cells at which it stays inside the image.

    inside: (rows, columns, A) bool. size: height and width of the image. Dots fit, crosses leave the image.
    """
    rows, columns = len(config.ratios), len(config.scales)
    with style():
        figure = Figure(figsize=(3.1 * columns, 2.6 * rows + 0.4))
        grid = figure.subplots(rows, columns, squeeze=False)
        for number, (axes, (width, height)) in enumerate(zip(grid.flat, anchor_sizes(config).tolist(), strict=True)):
            y, x = inside[:, :, number].nonzero(as_tuple=True)
            fits = axes.plot(*_centers(x, y, stride, config), ".", color=AFTER, markersize=3)
            y, x = (~inside[:, :, number]).nonzero(as_tuple=True)
            leaves = axes.plot(*_centers(x, y, stride, config), "x", color=BEFORE, markersize=2.5, markeredgewidth=0.7)
            axes.set(xlim=(0, size[1]), ylim=(size[0], 0), xticks=[], yticks=[], aspect="equal")
            axes.set_title(f"{width:g} × {height:g}: {int(inside[:, :, number].sum()):,} fit")
        marks, names = [*fits, *leaves], ["centered here, the shape fits", "centered here, it leaves the image"]
        figure.legend(marks, names, loc="outside lower center", ncols=2, fontsize=13, markerscale=3)
    return figure


@from_any_device
def iou_figure(first: Tensor, second: Tensor, iou: float) -> Figure:
    """Two boxes (4,) with their intersection hatched and the two areas named."""
    with style():
        figure = Figure(figsize=(6.4, 4))
        axes = figure.add_subplot()
        shared = [*torch.maximum(first, second)[:2].tolist(), *torch.minimum(first, second)[2:].tolist()]
        if shared[0] < shared[2] and shared[1] < shared[3]:
            corner, size = shared[:2], (shared[2] - shared[0], shared[3] - shared[1])
            axes.add_patch(Rectangle(corner, *size, facecolor=CHOSEN, alpha=0.35, hatch="//", label="intersection"))
        _rectangle(axes, first.tolist(), BEFORE, "dashed", "first box")
        _rectangle(axes, second.tolist(), AFTER, "solid", "second box")
        axes.autoscale_view()
        axes.invert_yaxis()
        axes.set(aspect="equal", xlabel="x (pixels)", ylabel="y (pixels)", title=f"IoU = {iou:.4f}")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=12)
    return figure


@from_any_device
def reach_figure(sides: Tensor, curves: Mapping[str, Tensor], thresholds: tuple[float, float] = (0.3, 0.7)) -> Figure:
    """Best IoU that any anchor reaches with a square object, by the object's side (K,) in pixels."""
    with style():
        figure = Figure(figsize=(9.5, 4.2))
        axes = figure.add_subplot()
        for number, (name, best) in enumerate(curves.items()):
            axes.plot(sides, best, color=(BEFORE, CHOSEN, AFTER)[number % 3], ls=_DASHES[number % 4], label=name)
        for threshold, says in zip(thresholds, ("below {}:\nbackground", "from {} on:\nforeground"), strict=True):
            axes.axhline(threshold, color="0.45", lw=1)
            axes.text(1.01, threshold, says.format(threshold), transform=axes.get_yaxis_transform(), va="center")
        axes.set_xscale("log", base=2)
        axes.set_xticks([side for side in (16, 32, 64, 128, 256, 512) if sides[0] <= side <= sides[-1]])
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
        axes.set(xlabel="side of a square object (pixels)", ylabel="best IoU of any anchor", ylim=(0, 1.02))
        axes.legend(loc="lower right", fontsize=12)
    return figure


def _show(axes: Axes, image: Tensor) -> None:
    """The image, with box coordinates at the pixels' edges."""
    height, width = image.shape[-2:]
    pixels = image.permute(1, 2, 0).clamp(0, 1).numpy()  # (H, W, 3)
    axes.imshow(pixels, extent=(0, width, height, 0), interpolation="antialiased")
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))


def _rectangle(axes: Axes, box: list[float], color: str, dash: str, label: str | None = None) -> None:
    x1, y1, x2, y2 = box
    options = {"fill": False, "edgecolor": color, "linestyle": dash, "linewidth": 3, "label": label}
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **options))


def _centers(x, y, stride: int, config: AnchorConfig):
    return x * stride + config.base_size / 2, y * stride + config.base_size / 2
