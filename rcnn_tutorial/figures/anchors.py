"""Figures of notebook 02: shapes at a cell, where each shape fits, overlap, and which objects anchors can reach."""

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou, centers_and_sizes
from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.figures.drawing import figure_of, plot_layers
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.roles import DASHES, Role
from rcnn_tutorial.scene import Boxes, Points, Scene
from rcnn_tutorial.stages.anchors import anchor_sizes

# None of them is a role's, which the pictures need beside them; the largest scale comes first.
_SCALE_COLORS = (*(roles.PALETTE[k] for k in (0, 6, 1, 9)), "#44AA99", "#DDCC77")  # teal and sand: Tol's "muted"
_DASHES = tuple(DASHES)
SHARED = Role(roles.PALETTE[1], "solid", "intersection")


def scale_colors(scales: Sequence[float]) -> dict[float, str]:
    """A color for each scale; after six of them they repeat."""
    ranked = sorted(scales, reverse=True)
    return {scale: _SCALE_COLORS[rank % len(_SCALE_COLORS)] for rank, scale in enumerate(ranked)}


def with_room(image: Tensor, room: int) -> Tensor:
    """The image (3, H, W) in the middle of a dark one (3, H + 2 room, W + 2 room): room for boxes that leave it."""
    return F.pad(image, (room, room, room, room), value=int(roles.GROUND[1:3], 16) / 255)


@from_any_device
def shapes_figure(image: Tensor, anchors: Tensor, config: AnchorConfig) -> Figure:
    """One cell's anchors (A, 4), ratio-major, on the image (3, H, W), every scale with a color and a dash of its own.

    Around the image there is as much room as they need.
    """
    height, width = image.shape[-2:]
    out = torch.cat([-anchors[:, :2], anchors[:, 2:] - torch.tensor([width, height])]).max()
    room = max(0, math.ceil(float(out)) + 8)
    sizes = [f"{w:g} × {h:g}" for w, h in anchor_sizes(config).tolist()]
    layers, scales = [], len(config.scales)
    for k, scale in enumerate(config.scales):
        name = f"scale {scale:g}: {', '.join(sizes[k::scales])}"
        role = Role(scale_colors(config.scales)[scale], _DASHES[k % 4], name)
        layers.append(Boxes(anchors[k::scales] + room, role, width=5))
    layers.append(Points(centers_and_sizes(anchors[:1])[0] + room, roles.CHOSEN, radius=7, name="the cell"))
    return figure_of([Scene(with_room(image, room), layers)], 8.0)


@from_any_device
def inside_figure(inside: Tensor, config: AnchorConfig, stride: int, size: tuple[int, int]) -> Figure:
    """For every shape of anchor, the cells at which it stays inside the image.

    inside: (rows, columns, A) bool. size: height and width of the image. At large dots the shape fits.
    """
    rows, columns = len(config.ratios), len(config.scales)
    with plots(3.1 * columns, 2.6 * rows + 0.4, rows, columns, squeeze=False) as (figure, grid):
        for number, (axes, (width, height)) in enumerate(zip(grid.flat, anchor_sizes(config).tolist(), strict=True)):
            fit, leave = (_centers(cells, stride, config) for cells in (inside[:, :, number], ~inside[:, :, number]))
            fits = axes.plot(*fit, ".", color=roles.GREEN, markersize=4)
            leaves = axes.plot(*leave, ".", color=roles.RED, markersize=1)
            axes.set(xlim=(0, size[1]), ylim=(size[0], 0), xticks=[], yticks=[], aspect="equal")
            axes.set_title(f"{width:g} × {height:g}: {int(inside[:, :, number].sum()):,} fit")
        marks, names = [*fits, *leaves], ["centered here, the shape fits", "centered here, it leaves the image"]
        figure.legend(marks, names, loc="outside lower center", ncols=2, fontsize=13, markerscale=3)
    return figure


@from_any_device
def iou_figure(first: Tensor, second: Tensor, iou: float) -> Figure:
    """Two boxes (4,) and their intersection."""
    with plots(6.4, 4) as (figure, axes):
        shared = torch.cat([torch.maximum(first, second)[:2], torch.minimum(first, second)[2:]])  # (4,)
        layers = [Boxes(first[None], roles.BEFORE, name="first box")]
        layers.append(Boxes(second[None], roles.AFTER, name="second box"))
        if bool((shared[:2] < shared[2:]).all()):
            layers.insert(0, Boxes(shared[None], SHARED, fill=0.35))
        plot_layers(axes, layers)
        axes.set_title(f"IoU = {iou:.4f}")
    return figure


@from_any_device
def closest_figure(image: Tensor, objects: Tensor, anchors: Tensor) -> Figure:
    """The part of an image around its objects, and the one anchor that overlaps an object most.

    image: (3, H, W). objects: (G, 4), anchors: (N, 4), both in its pixels, at least one of each.
    """
    overlaps = box_iou(objects, anchors)  # (G, N)
    best = anchors[int(overlaps.argmax()) % len(anchors)]  # (4,)
    corners = torch.cat([objects, best[None]]).view(-1, 2, 2)  # (G + 1, 2, 2)
    height, width = image.shape[-2:]
    left, top = (corners[:, 0].amin(dim=0).long() - 16).clamp(min=0).tolist()
    right, bottom = (corners[:, 1].amax(dim=0).long() + 16).tolist()
    part = image[:, top : min(bottom, height), left : min(right, width)]
    moved = torch.tensor([left, top, left, top])
    label = f"IoU {float(overlaps.max()):.4f}"
    layers = [
        Boxes(objects - moved, roles.GROUND_TRUTH, width=2),
        Boxes(best[None] - moved, roles.ANCHOR, width=4, labels=[label], name="the closest anchor"),
    ]
    return figure_of([Scene(part, layers)], 7.0)


@from_any_device
def reach_figure(sides: Tensor, curves: Mapping[str, Tensor]) -> Figure:
    """Best IoU that any anchor reaches with a square object, by the object's side (K,) in pixels."""
    with plots(9.5, 4.2) as (figure, axes):
        for number, (name, best) in enumerate(curves.items()):
            color = (roles.RED, roles.BLUE, roles.GREEN)[number % 3]
            axes.plot(sides, best, color=color, ls=_DASHES[number % 4], label=name)
        for threshold, meaning in ((0.3, "below 0.3:\nbackground"), (0.7, "from 0.7 on:\nforeground")):
            axes.axhline(threshold, color="0.45", lw=1)
            axes.text(1.01, threshold, meaning, transform=axes.get_yaxis_transform(), va="center")
        axes.set_xscale("log", base=2)
        axes.set_xticks([side for side in (16, 32, 64, 128, 256, 512) if sides[0] <= side <= sides[-1]])
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
        axes.set(xlabel="side of a square object (pixels)", ylabel="best IoU of any anchor", ylim=(0, 1.02))
        axes.legend(loc="lower right", fontsize=12)
    return figure


def _centers(cells: Tensor, stride: int, config: AnchorConfig) -> tuple[Tensor, Tensor]:
    """The x and the y of the centers of the cells (rows, columns) that are True."""
    y, x = cells.nonzero(as_tuple=True)
    return x * stride + config.base_size / 2, y * stride + config.base_size / 2
