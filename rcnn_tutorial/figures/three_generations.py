"""Pictures of the tenth notebook: seconds by part, recall by number of proposals, warped crops, what came after."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import centers_and_sizes
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.scene import Boxes, Points, Scene

_LOOKS = ((roles.PALETTE[1], ""), (roles.PALETTE[0], "//"), (roles.PALETTE[2], ".."))  # color and hatch of a part
_SHORTEST = 0.09  # of the longest bar: a shorter piece of it has no room for its number
CUT = roles.BEFORE._replace(name="what is cut")
ROI = roles.AFTER._replace(name="ROI")


@from_any_device
def seconds_figure(seconds: Mapping[str, Mapping[str, float]]) -> Figure:
    """Seconds that each generation takes for a photo, as bars in pieces: a piece for each part of the work.

    seconds: generation -> part -> seconds; the same parts in all, in the order in which they are done.
    """
    parts = list(next(iter(seconds.values())))
    longest = max(sum(pieces.values()) for pieces in seconds.values())
    paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 1.5}
    with plots(9, 0.62 * len(seconds) + 1.4) as (figure, axes):
        for row, pieces in enumerate(seconds.values()):
            left = 0.0
            for part, (color, hatch) in zip(parts, _LOOKS, strict=True):
                label, width = part if row == 0 else None, pieces[part]
                axes.barh(row, width, left=left, color=color, hatch=hatch, edgecolor="white", label=label)
                if width > _SHORTEST * longest:
                    axes.text(left + width / 2, row, f"{width:.2f}", ha="center", va="center", bbox=paper)
                left += width
            axes.text(left + 0.01 * longest, row, f"{left:.2f} s", va="center", weight="bold")
        axes.set_yticks(range(len(seconds)), list(seconds))
        axes.set(xlim=(0, 1.12 * longest), xlabel="seconds a photo")
        axes.invert_yaxis()
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(parts))
    return figure


@from_any_device
def recall_figure(counts: Sequence[int], recall: Mapping[str, Sequence[float]]) -> Figure:
    """How many of the objects the first so many proposals cover, for each way to propose.

    counts: numbers of proposals, ascending. recall: way -> the share of the objects at each count.
    """
    looks = [(roles.BLUE, "o", "solid"), (roles.RED, "s", "dashed"), (roles.PALETTE[9], "^", "dotted")]
    with plots(7.5, 2.8) as (figure, axes):
        for (way, shares), (color, marker, dash) in zip(recall.items(), looks, strict=False):
            axes.plot(counts, shares, color=color, marker=marker, linestyle=dash, markersize=7, label=way)
        axes.set_xscale("log")
        axes.set_xticks(counts, [f"{count:,}" for count in counts])
        axes.minorticks_off()
        axes.set(ylim=(-0.02, 1.02), xlabel="proposals a photo", ylabel="objects covered (IoU 0.5 or more)")
        axes.legend(loc="lower right")
        axes.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    return figure


def cut_boxes(rois: Tensor, size: int, context: int) -> Tensor:
    """What R-CNN cuts for ROIs (R, 4), so that each fills the crop but for `context` pixels a side: (R, 4)."""
    center, sides = centers_and_sizes(rois)
    half = sides / 2 * size / (size - 2 * context)
    return torch.cat([center - half, center + half], dim=-1)


@from_any_device
def warped_figure(image: Tensor, rois: Tensor, crops: Tensor, plain: Tensor, context: int = 16) -> Figure:
    """ROIs and what is cut for them on the photo; beside it these pixels warped to squares, with and without context.

    image: (3, H, W) in [0, 1]. rois: (R, 4) in its pixels. crops, plain: (R, 3, size, size), with context and without.
    """
    size = crops.shape[-1]
    numbers = [str(k) for k in range(1, len(rois) + 1)]
    cut = cut_boxes(rois, size, context)
    photo = Scene(image, [Boxes(cut, CUT), Boxes(rois, ROI, labels=numbers)], title="photo")
    rows = [torch.cat(list(row), dim=2) for row in (crops, plain)]  # (3, size, R * size) each
    corner = torch.tensor([[k * size + 0.04 * size, size * (r + 0.97)] for r in range(2) for k in range(len(rois))])
    names = Points(corner, roles.PLAIN, radius=0, labels=numbers * 2)
    filled = [[k * size + context, context, (k + 1) * size - context, size - context] for k in range(len(rois))]
    warped = Scene(
        torch.cat(rows, dim=1),
        [Boxes(torch.tensor(filled), ROI, width=1.5), names],
        title=f"warped with context {context}; below: without",
    )
    return figure_of([photo, warped], 9, shares=[1.25, 0.5 * len(rois)])


# ---- what came after: small diagrams


class _Part(NamedTuple):
    """A box of a diagram, in a plane 10 wide and 6 high, y upward."""

    x: float  # left
    y: float  # below
    width: float
    height: float
    text: str
    kind: str = "network"


_COLORS = {  # light tones under black type
    "image": "#F2F2F2", "network": "#CFE8F7", "map": "#FBE3B5", "new": "#C9EBDD", "out": "#FFFFFF",
}  # fmt: skip


def _diagram(axes: Axes, title: str, parts: Mapping[str, _Part], arrows: Sequence[tuple[str, str]], words: str) -> None:
    for part in parts.values():
        look = {"boxstyle": "round,pad=0.02,rounding_size=0.2", "facecolor": _COLORS[part.kind]}
        heavy = 2.2 if part.kind == "new" else 1.0
        axes.add_patch(
            FancyBboxPatch((part.x, part.y), part.width, part.height, edgecolor="#444444", linewidth=heavy, **look)
        )
        middle = part.x + part.width / 2, part.y + part.height / 2
        axes.text(*middle, part.text, ha="center", va="center", fontsize=9.5, linespacing=1.05)
    for start, end in arrows:
        _arrow(axes, parts[start], parts[end])
    axes.text(5, -0.15, words, ha="center", va="top", fontsize=10)
    axes.set(xlim=(-0.1, 10.1), ylim=(-1.5, 6.1), aspect="equal", title=title)
    axes.set_axis_off()


def _arrow(axes: Axes, start: _Part, end: _Part) -> None:
    """From one part to the next: sideways where one lies beside the other, else up or down."""
    (x, y), (to_x, to_y) = ((part.x + part.width / 2, part.y + part.height / 2) for part in (start, end))
    if end.x >= start.x + start.width - 0.01:
        x, to_x = start.x + start.width, end.x
    elif end.x + end.width <= start.x + 0.01:
        x, to_x = start.x, end.x + end.width
    else:
        y, to_y = (start.y + start.height, end.y) if to_y > y else (start.y, end.y + end.height)
    look = {"arrowstyle": "-|>", "color": "#444444", "linewidth": 1.3, "shrinkA": 1, "shrinkB": 1}
    axes.annotate("", (to_x, to_y), (x, y), arrowprops=look)


def _faster(axes: Axes) -> None:
    parts = {
        "photo": _Part(0, 2, 1.5, 1.6, "photo", "image"),
        "head": _Part(2.1, 2, 1.5, 1.6, "head"),
        "map": _Part(4.2, 2, 1.3, 1.6, "map", "map"),
        "rpn": _Part(3.9, 4.5, 1.9, 1.1, "RPN"),
        "tail": _Part(6.3, 2, 1.5, 1.6, "tail"),
        "out": _Part(8.4, 2, 1.6, 1.6, "class\nbox", "out"),
    }
    arrows = [("photo", "head"), ("head", "map"), ("map", "rpn"), ("map", "tail"), ("tail", "out"), ("rpn", "tail")]
    _diagram(axes, "Faster R-CNN", parts, arrows, "two stages on one map")


def _pyramid(axes: Axes) -> None:
    sides = (2.6, 1.9, 1.2)
    parts = {"photo": _Part(0, 0.4, 1.3, 1.3, "photo", "image")}
    for k, side in enumerate(sides):
        parts[f"up{k}"] = _Part(2.9 - side / 2 + 0.3, 0.4 + 1.9 * k, side, 1.3, "")
        kind = _Part(6.2 - side / 2, 0.4 + 1.9 * k, side, 1.3, "map", "new")
        parts[f"map{k}"] = kind
        parts[f"out{k}"] = _Part(8.1, 0.4 + 1.9 * k, 1.9, 1.3, "RPN\nROIs", "out")
    arrows = [("photo", "up0"), ("up0", "up1"), ("up1", "up2"), ("map2", "map1"), ("map1", "map0")]
    arrows += [pair for k in range(3) for pair in ((f"up{k}", f"map{k}"), (f"map{k}", f"out{k}"))]
    _diagram(axes, "FPN", parts, arrows, "a map for each size of object")


def _cascade(axes: Axes) -> None:
    parts = {"map": _Part(0, 2.2, 1.4, 1.5, "map", "map"), "rpn": _Part(1.9, 4.5, 1.6, 1.0, "RPN")}
    for k, threshold in enumerate((0.5, 0.6, 0.7)):
        kind = "network" if k == 0 else "new"
        parts[f"tail{k}"] = _Part(2.0 + 2.15 * k, 2.2, 1.75, 1.5, f"tail\nIoU {threshold}", kind)
    parts["out"] = _Part(8.6, 2.2, 1.4, 1.5, "class\nbox", "out")
    arrows = [("map", "tail0"), ("rpn", "tail0"), ("tail0", "tail1"), ("tail1", "tail2"), ("tail2", "out")]
    _diagram(axes, "Cascade R-CNN", parts, arrows, "each tail gets the boxes of the one before")


def _mask(axes: Axes) -> None:
    parts = {
        "map": _Part(0, 2.2, 1.5, 1.6, "map", "map"),
        "align": _Part(2.3, 2.2, 2.0, 1.6, "RoIAlign"),
        "tail": _Part(5.2, 3.6, 1.6, 1.4, "tail"),
        "mask": _Part(5.2, 0.7, 1.6, 1.4, "convo-\nlutions", "new"),
        "out": _Part(7.9, 3.6, 2.1, 1.4, "class, box", "out"),
        "shape": _Part(7.9, 0.7, 2.1, 1.4, "mask", "new"),
    }
    arrows = [("map", "align"), ("align", "tail"), ("align", "mask"), ("tail", "out"), ("mask", "shape")]
    _diagram(axes, "Mask R-CNN", parts, arrows, "each ROI's pixels that are the object")


def _one_stage(axes: Axes) -> None:
    parts = {
        "photo": _Part(0, 2.2, 1.5, 1.6, "photo", "image"),
        "head": _Part(2.2, 2.2, 1.6, 1.6, "head"),
        "map": _Part(4.5, 2.2, 1.4, 1.6, "maps", "map"),
        "out": _Part(6.7, 1.8, 3.3, 2.4, "at each cell\nand anchor:\nclass, box", "new"),
    }
    arrows = [("photo", "head"), ("head", "map"), ("map", "out")]
    _diagram(axes, "SSD, YOLO, RetinaNet", parts, arrows, "an RPN that knows the classes; no ROIs")


def _detr(axes: Axes) -> None:
    parts = {
        "photo": _Part(0, 2.2, 1.4, 1.6, "photo", "image"),
        "head": _Part(2.0, 2.2, 1.4, 1.6, "head"),
        "map": _Part(4.0, 2.2, 1.2, 1.6, "map", "map"),
        "transformer": _Part(5.8, 2.2, 2.1, 1.6, "trans-\nformer", "new"),
        "queries": _Part(5.8, 4.6, 2.1, 1.0, "queries", "new"),
        "out": _Part(8.5, 2.2, 1.5, 1.6, "class\nbox", "out"),
    }
    arrows = [("photo", "head"), ("head", "map"), ("map", "transformer"), ("queries", "transformer")]
    _diagram(axes, "DETR", parts, [*arrows, ("transformer", "out")], "no anchors, no suppression")


SUCCESSORS: tuple[Callable[[Axes], None], ...] = (_faster, _pyramid, _cascade, _mask, _one_stage, _detr)


@from_any_device
def successors_figure() -> Figure:
    """Faster R-CNN and what came after it, as diagrams; what is new in each is green and has a heavy border."""
    with plots(12, 4.7, 2, 3) as (figure, grid):
        for draw, axes in zip(SUCCESSORS, grid.flat, strict=True):
            draw(axes)
    return figure
