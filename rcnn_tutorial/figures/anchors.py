"""Figures of lesson 02 and of the command `anchors`: the overlap of two boxes, and which objects anchors can reach."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.figures.drawing import plot_layers
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.roles import DASHES, Role
from rcnn_tutorial.scene import Boxes

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


@from_any_device
def shapes_figure(sizes: Tensor, best: Tensor, anchors: Mapping[str, Tensor]) -> Figure:
    """Widths and heights of objects and of anchors, in scaled pixels, and how well the best anchor fits each object.

    sizes: (M, 2). best: (M,) the best IoU of any anchor. anchors: {name: (A, 2)}, at most two sets.
    """
    groups = {
        "IoU from 0.7 on": (best >= 0.7, roles.PALETTE[9], "o", 3),
        "0.5 to 0.7": ((best >= 0.5) & (best < 0.7), roles.BLUE, ".", 5),
        "below 0.5": (best < 0.5, roles.PALETTE[8], "x", 5),
    }
    with plots(9.6, 6.4) as (figure, axes):
        for name, (mask, color, marker, size) in groups.items():
            if mask.any():
                label = f"object, {name}: {int(mask.sum())}"
                axes.plot(*sizes[mask].unbind(1), ls="", marker=marker, ms=size, color=color, label=label)
        for (name, shapes), (role, marker) in zip(anchors.items(), _ANCHOR_MARKS, strict=False):
            style = {"marker": marker, "ms": 10, "mfc": "none", "mew": 2, "color": role.color}
            axes.plot(*shapes.unbind(1), ls="", label=f"{name}: {len(shapes)}", **style)
        _square_log_axes(axes, torch.cat([sizes, *anchors.values()]))
        axes.set(xlabel="width (scaled pixels)", ylabel="height (scaled pixels)", title=_shares(best))
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1), fontsize=11)
    return figure


_ANCHOR_MARKS = (roles.ANCHOR, "s"), (roles.AFTER, "D")


def _shares(best: Tensor) -> str:
    low, high = (float((best >= threshold).double().mean()) for threshold in (0.5, 0.7))
    return f"{len(best)} object{'s' * (len(best) > 1)}\n{low:.0%} reached at IoU 0.5, {high:.0%} at IoU 0.7"


def _square_log_axes(axes: Axes, sizes: Tensor) -> None:
    """Both axes in powers of two over the same range, with the line of squares."""
    low, high = (float(value) for value in sizes.aminmax())
    limits = low / 1.2, high * 1.2
    axes.plot(limits, limits, color="0.6", lw=1, zorder=0)
    ticks = [2**k for k in range(-7, 16) if limits[0] <= 2**k <= limits[1]]
    for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        scale("log", base=2)
        axis.set_ticks(ticks)
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(xlim=limits, ylim=limits)
    axes.set_aspect("equal", adjustable="box")
