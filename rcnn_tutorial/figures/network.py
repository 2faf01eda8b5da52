"""The network as a map: its layers in the order of the data, each with the shape of what it gives."""

import itertools
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from rcnn_tutorial.figures.rpn_loss import layer_shapes
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.model import FasterRCNN


class Row(NamedTuple):
    """One step of the network and the shape of what it gives."""

    part: str  # image | head | RPN | proposal layer | crop pooling | tail | classification layer
    step: str
    shape: tuple[int, ...]


@torch.no_grad()
def network_rows(model: FasterRCNN, height: int, width: int) -> list[Row]:
    """Shapes at every step for one image of height x width pixels (scaled), found by running the model's own layers.

    A model built under `torch.device("meta")` has shapes but no values, so that this costs nothing even for ResNet-50.
    The number of ROIs is what the proposal layer keeps at most.
    """
    device = model.rpn.scores.weight.device
    image = torch.empty(1, 3, height, width, device=device)
    rois = model.config.proposals.test_post_nms_top_n
    rows = [Row("image", "preprocessed image", tuple(image.shape)), *_head_rows(model, image)]
    features = torch.empty(rows[-1].shape, device=device)
    rpn = layer_shapes(model.rpn, features)
    crops = torch.empty(rois, features.shape[1], *[model.config.crop_pooling.size] * 2, device=device)
    fc7 = model.tail(crops)
    scores, coefficients = model.classification(fc7)
    return rows + [
        Row("RPN", "3×3 conv, ReLU", rpn["rpn_net"]),
        Row("RPN", "1×1 conv to scores", rpn["scores"]),
        Row("RPN", "1×1 conv to coefficients", rpn["coefficients"]),
        Row("RPN", "anchor by anchor: scores", rpn["flat scores"]),
        Row("RPN", "anchor by anchor: coefficients", rpn["flat coefficients"]),
        Row("proposal layer", "ROIs", (1, rois, 4)),
        Row("crop pooling", "crops", tuple(crops.shape)),
        Row("tail", "fc7", tuple(fc7.shape)),
        Row("classification layer", "linear to scores", tuple(scores.shape)),
        Row("classification layer", "linear to coefficients", tuple(coefficients.flatten(1).shape)),
    ]


def _head_rows(model: FasterRCNN, image: Tensor) -> Iterator[Row]:
    """The head block by block; blocks without a name of their own are taken together while the size stays the same."""
    outputs = []  # (name, shape) of every block
    for name, block in model.head.named_children():
        image = block(image)
        outputs.append((name, tuple(image.shape)))
    for key, group in itertools.groupby(outputs, lambda item: item[1][-2:] if item[0].isdigit() else item[0]):
        group = list(group)
        first, (last, shape) = group[0][0], group[-1]
        name = key if isinstance(key, str) else f"block {first}" if first == last else f"blocks {first} to {last}"
        yield Row("head", name, shape)


_PART_COLORS = {  # light tones under black type; the titles over the columns say the same in words
    "image": "#F2F2F2", "head": "#CFE8F7", "RPN": "#FBE3B5", "proposal layer": "#F2F2F2", "crop pooling": "#F2F2F2",
    "tail": "#CFE8F7", "classification layer": "#C9EBDD",
}  # fmt: skip
_COLUMNS = (  # title, center and width in inches, parts
    ("Head", 1.35, 2.5, ("image", "head")),
    ("Region proposal network", 5.1, 3.6, ("RPN", "proposal layer")),
    ("Classification network", 9.75, 3.6, ("crop pooling", "tail", "classification layer")),
)
_BOX, _HEIGHT, _GAP = 0.74, 5.3, 0.12  # inches: height of a box, of a column; between boxes side by side


class _Place(NamedTuple):
    """A box of the diagram, inches; y counts upward from the top of the columns."""

    x: float  # center
    y: float  # center
    width: float


@from_any_device
def network_figure(rows: list[Row]) -> Figure:
    """The three networks side by side, what every step gives written into its box."""
    with plots(11.8, 6.2) as (figure, axes):
        for title, center, _, _ in _COLUMNS:
            axes.text(center, 0.1, title, ha="center", va="bottom", fontsize=14, weight="bold")
        places = {}
        for _, center, width, parts in _COLUMNS:
            levels = _levels([row for row in rows if row.part in parts])
            places |= _places(levels, center, width)
            for above, below in itertools.pairwise(levels):
                _join_levels(axes, [places[row] for row in above], [places[row] for row in below])
        for row, place in places.items():
            _draw_row(axes, row, place)
        last = {row.part: place for row, place in places.items()}
        _join_columns(axes, last, rpn=next(place for row, place in places.items() if row.part == "RPN"))
        axes.set(xlim=(0, 11.7), ylim=(-_HEIGHT - 0.35, 0.45), aspect="equal")
        axes.set_axis_off()
    return figure


def _levels(rows: list[Row]) -> list[list[Row]]:
    """Steps from top to bottom; scores and coefficients, computed from the same input, stand side by side."""
    together = itertools.groupby(rows, lambda row: row.step.replace("coefficients", "scores"))
    return [list(level) for _, level in together]


def _places(levels: list[list[Row]], center: float, width: float) -> dict[Row, _Place]:
    places = {}
    for number, level in enumerate(levels):
        y = -_BOX / 2 - number * (_HEIGHT - _BOX) / max(len(levels) - 1, 1)
        share = (width + _GAP) / len(level)  # of a box and the gap beside it
        for k, row in enumerate(level):
            places[row] = _Place(center + (k - (len(level) - 1) / 2) * share, y, share - _GAP)
    return places


def _draw_row(axes: Axes, row: Row, place: _Place) -> None:
    """A box with what is done, and below it the shape of what comes out."""
    corner = place.x - place.width / 2, place.y - _BOX / 2
    look = {"facecolor": _PART_COLORS[row.part], "edgecolor": "#444444", "boxstyle": "round,pad=0,rounding_size=0.08"}
    axes.add_patch(FancyBboxPatch(corner, place.width, _BOX, **look))
    shown = row.part not in ("image", "RPN", "classification layer")
    step = textwrap.fill(f"{row.part}: {row.step}" if shown else row.step, 17 if place.width < 2 else 40)
    shape = " × ".join(f"{side:,}" for side in row.shape)
    axes.text(place.x, place.y + _BOX / 2 - 0.05, step, ha="center", va="top", fontsize=12, linespacing=1.0)
    axes.text(place.x, place.y - _BOX / 2 + 0.05, shape, ha="center", va="bottom", fontsize=12, weight="bold")


def _join_levels(axes: Axes, above: list[_Place], below: list[_Place]) -> None:
    """Straight down, at the narrower of the two boxes."""
    for k in range(max(len(above), len(below))):
        start, end = above[min(k, len(above) - 1)], below[min(k, len(below) - 1)]
        x = start.x if start.width < end.width else end.x
        _arrow(axes, [(x, start.y - _BOX / 2), (x, end.y + _BOX / 2)])


def _join_columns(axes: Axes, last: dict[str, _Place], rpn: _Place) -> None:
    """The features go to the RPN and to crop pooling, the ROIs to crop pooling. last: the last box of every part."""
    features, rois, crops = last["head"], last["proposal layer"], last["crop pooling"]
    start, end = features.x + features.width / 2, rpn.x - rpn.width / 2
    turn = (start + end) / 2
    _arrow(axes, [(start, features.y), (turn, features.y), (turn, rpn.y), (end, rpn.y)])
    start, end = rois.x + rois.width / 2, crops.x - crops.width / 2
    inner, outer = start + (end - start) / 3, start + (end - start) * 2 / 3
    upper, lower, floor = crops.y + 0.12, crops.y - 0.12, -_HEIGHT - 0.25
    _arrow(axes, [(start, rois.y), (inner, rois.y), (inner, upper), (end, upper)])
    below = features.y - _BOX / 2
    _arrow(axes, [(features.x, below), (features.x, floor), (outer, floor), (outer, lower), (end, lower)])
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    halfway = (rois.y + crops.y) / 2
    for x, y, text in (
        (turn, (features.y + rpn.y) / 2, "features"),
        (inner, halfway, "ROIs"),
        (outer, halfway, "features"),
    ):
        axes.text(x, y, text, rotation=90, fontsize=12, ha="center", va="center", bbox=paper)


def _arrow(axes: Axes, points: list[tuple[float, float]]) -> None:
    """A line through the points with a head at the last."""
    axes.plot(*zip(*points, strict=True), color="#444444", linewidth=1.5, solid_joinstyle="miter")
    arrow = {"arrowstyle": "-|>", "color": "#444444", "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", points[-1], points[-2], arrowprops=arrow)
