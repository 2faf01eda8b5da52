"""Self-checks of the sixth notebook: theta, bilinear sampling at one point, the sample positions; a bug hunt."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial.answers import report
from rcnn_tutorial.checks.checking import STILL, Check, misconceptions
from rcnn_tutorial.checks.pictures import INPUT, RIGHT, YOURS, Sketch, beside, frame, role_of, table, write
from rcnn_tutorial.roles import GROUND_TRUTH
from rcnn_tutorial.scene import Boxes, Lines, Points
from rcnn_tutorial.stages.crop_pooling import crop_theta

__all__ = ["bilinear", "bug_hunt", "crop_grid", "report", "theta"]


# ---- theta(roi, stride, rows, columns) -> (2, 3)


def _both_axes(axis):
    """A wrong theta from a wrong axis(first, last, cells) -> (scale, shift), first and last in cells."""

    def wrong(roi, stride, rows, columns):
        x1, y1, x2, y2 = (roi / stride).tolist()
        (scale_x, shift_x), (scale_y, shift_y) = axis(x1, x2, columns), axis(y1, y2, rows)
        return torch.tensor([[scale_x, 0.0, shift_x], [0.0, scale_y, shift_y]])

    return wrong


def _draw_crop(arguments, value, good, _wrong) -> Sketch:
    """The square of the crop where theta puts it on the feature map; a dot at its top left corner."""
    roi, stride, rows, columns = arguments
    square = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], dtype=value.dtype)
    middle = torch.tensor([columns - 1, rows - 1]) / 2
    right, own = ((square @ theta.T + 1) * middle for theta in (good, value))  # (4, 2) cells
    layers = [
        frame(rows - 1, columns - 1, "feature map"),
        Boxes(roi[None] / stride, INPUT._replace(name="ROI"), width=5.0),
        Lines(right[None], RIGHT, closed=True),
    ]
    role = role_of(value, good)
    if role is YOURS:
        layers.append(Lines(own[None], role, closed=True, width=4.0))
    layers.append(Points(own[:1], role, name="", radius=5.0))
    return Sketch(layers, f"the crop reaches from {_pair(own[0])} to {_pair(own[2])}, in cells.")


def _pair(point: Tensor) -> str:
    return f"({point[0]:.4g}, {point[1]:.4g})"


theta = Check(
    "theta",
    lambda roi, stride, rows, columns: crop_theta(roi, stride, (rows, columns)),
    lambda: [
        (torch.tensor([160.0, 80, 480, 400]), 16, 38, 50),
        (torch.tensor([0.0, 0, 784, 592]), 16, 38, 50),
        (torch.tensor([37.5, 120, 101.25, 512]), 8, 75, 100),
        (torch.tensor([300.0, 16, 790, 90]), 16, 24, 50),
    ],
    misconceptions(
        "Rows and columns are swapped: x runs along the columns, so its row of theta divides by columns - 1.",
        lambda roi, stride, rows, columns: crop_theta(roi, stride, (columns, rows)),
        "Your ROI is still in pixels: divide it by the stride first, because theta counts cells.",
        lambda roi, stride, rows, columns: crop_theta(roi, 1, (rows, columns)),
        "You divide by W' and H', not by W' - 1 and H' - 1: with align_corners=True, -1 and 1 are the centers of "
        "the outermost cells, W' - 1 cells apart.",
        _both_axes(lambda a, b, n: ((b - a) / n, (a + b - n) / n)),
        "Your scale is half of what it should be: the crop's square is 2 wide, from -1 to 1, and so is the map.",
        _both_axes(lambda a, b, n: ((b - a) / (n - 1) / 2, (a + b - n + 1) / (n - 1))),
        "Your scale is twice what it should be: x of the crop runs from -1 to 1, so a scale of 1 spans the whole map.",
        _both_axes(lambda a, b, n: ((b - a) / (n - 1) * 2, (a + b - n + 1) / (n - 1))),
        "The shift is measured from the map's corner: in grid_sample's coordinates 0 is the middle of the map, so "
        "subtract 1 (that is, (W' - 1) / (W' - 1)).",
        _both_axes(lambda a, b, n: ((b - a) / (n - 1), (a + b) / (n - 1))),
        "Your shift puts the middle of the crop onto the ROI's top left corner; it belongs onto the ROI's center.",
        _both_axes(lambda a, b, n: ((b - a) / (n - 1), (2 * a - n + 1) / (n - 1))),
        "Off by one (+1): corners are continuous here, so the width of a ROI is x2 - x1.",
        _both_axes(lambda a, b, n: ((b - a + 1) / (n - 1), (a + b - n + 1) / (n - 1))),
        "Your rows are in the wrong order: the first row of theta yields x, the second y.",
        lambda roi, stride, rows, columns: crop_theta(roi, stride, (rows, columns)).flip(0),
        "x and y of the ROI are swapped: its numbers come as x1, y1, x2, y2.",
        lambda roi, stride, rows, columns: crop_theta(roi[[1, 0, 3, 2]], stride, (rows, columns)),
    ),
    by_package=True,
    picture=beside(_draw_crop),
)


# ---- bilinear(cells, x, y) -> float


def _bilinear(cells: Tensor, x: float, y: float) -> Tensor:
    rows, columns = cells.shape
    padded = F.pad(cells, (1, 1, 1, 1))  # with zeros, so that a point outside finds its neighbors too
    at = torch.tensor([(x + 1) / (columns + 1), (y + 1) / (rows + 1)]) * 2 - 1
    return F.grid_sample(padded[None, None], at[None, None, None], align_corners=True)[0, 0, 0, 0]


def _four(at, cells: Tensor, x: float, y: float, weights=lambda fx, fy: ((1 - fx, fx), (1 - fy, fy))) -> float:
    """The weighted sum of the four neighbors; at(cells, row, column) reads one of them."""
    column, row = math.floor(x), math.floor(y)
    across, down = weights(x - column, y - row)
    return sum(down[j] * across[i] * at(cells, row + j, column + i) for j in (0, 1) for i in (0, 1))


def _or_zero(cells: Tensor, row: int, column: int) -> float:
    inside = 0 <= row < cells.shape[0] and 0 <= column < cells.shape[1]
    return float(cells[row, column]) if inside else 0.0


def _clamped(cells: Tensor, row: int, column: int) -> float:
    return float(cells[min(max(row, 0), cells.shape[0] - 1), min(max(column, 0), cells.shape[1] - 1)])


def _wrapped(cells: Tensor, row: int, column: int) -> float:
    below = row < cells.shape[0] and column < cells.shape[1]  # only a negative index wraps in Python
    return float(cells[row, column]) if below else 0.0


def _by_distance(cells: Tensor, x: float, y: float) -> float:
    column, row = math.floor(x), math.floor(y)
    total = weights = 0.0
    for j in (0, 1):
        for i in (0, 1):
            weight = 1 / (math.hypot(x - column - i, y - row - j) + 1e-9)
            total, weights = total + weight * _or_zero(cells, row + j, column + i), weights + weight
    return total / weights


def _bilinear_cases() -> list[tuple]:
    cells = torch.tensor([[1.0, 4, 2, 9, 3], [7, 0, 5, 1, 8], [2, 6, 3, 4, 10], [5, 12, 8, 6, 7]])
    points = [(1.25, 0.75), (2.0, 1.0), (0.5, 2.9), (3.6, 1.2), (4.0, 3.0), (-0.4, 1.5), (2.3, 3.7), (4.8, -0.25)]
    return [(cells, x, y) for x, y in points]


def _draw_point(arguments, value, good, _wrong) -> Sketch:
    """The cells with the point, and at their right the value in the same colors."""
    cells, x, y = arguments
    limits = float(cells.min()), float(cells.max())
    one = torch.tensor([[value]]), torch.tensor([[good]], dtype=torch.float32)
    layers = [
        *table(cells, cells, limits=limits, digits=0),
        *table(*one, (cells.shape[1] * 10.0 + 6, 9.0), (14.0, 10.0), limits),
        write(cells.shape[1] * 10.0 + 6, 8.5, "value"),
        Points([[(x + 0.5) * 10, (y + 0.5) * 6]], GROUND_TRUTH._replace(name="point"), radius=6.0),
    ]
    return Sketch(layers, f"{value:.2f} at x = {x:g}, y = {y:g}.")


bilinear = Check(
    "bilinear",
    _bilinear,
    _bilinear_cases,
    misconceptions(
        "This is the nearest cell: the value must change smoothly with x and y, or no gradient reaches them.",
        lambda cells, x, y: _or_zero(cells, math.floor(y + 0.5), math.floor(x + 0.5)),
        "This drops the fraction and reads the upper left neighbor alone, as RoIPool's rounding does.",
        lambda cells, x, y: _or_zero(cells, math.floor(y), math.floor(x)),
        "The weights sit on the wrong sides: the closer a neighbor, the more it counts, so left gets 1 - fx.",
        lambda cells, x, y: _four(_or_zero, cells, x, y, lambda fx, fy: ((fx, 1 - fx), (fy, 1 - fy))),
        "Your four neighbors count the same: each should count by how close the point is to it.",
        lambda cells, x, y: _four(_or_zero, cells, x, y, lambda fx, fy: ((0.5, 0.5), (0.5, 0.5))),
        "You read cells[x, y]: the first index of a tensor is the row, so it is cells[y, x].",
        lambda cells, x, y: _four(_or_zero, cells, y, x),
        "The fractions of x and y are swapped: fx weighs columns, fy weighs rows.",
        lambda cells, x, y: _four(_or_zero, cells, x, y, lambda fx, fy: ((1 - fy, fy), (1 - fx, fx))),
        "This weighs by 1 / distance; bilinear weights are products, (1 - fx) (1 - fy) and so on.",
        _by_distance,
        "Outside the map you repeat the border; a neighbor that does not exist counts as 0 here.",
        lambda cells, x, y: _four(_clamped, cells, x, y),
        "An index of -1 is Python's last row or column: a point left of the map reads the map's right end.",
        lambda cells, x, y: _four(_wrapped, cells, x, y),
    ),
    picture=beside(_draw_point),
)


# ---- crop_grid(roi, size, stride) -> (size, size, 2)


def _grid(roi: Tensor, shares: Tensor) -> Tensor:
    """The points (size, size, 2) at these shares (size,) of the way from side to side of the ROI, in its unit."""
    y, x = torch.meshgrid(shares, shares, indexing="ij")
    return roi[:2] + torch.stack([x, y], dim=-1) * (roi[2:] - roi[:2])


def _crop_grid(roi: Tensor, size: int, stride: int) -> Tensor:
    return _grid(roi / stride, torch.linspace(0, 1, size))


def _draw_samples(arguments, value, good, wrong) -> Sketch:
    """The sample positions; an arrow runs along the first row of the grid."""
    roi, _size, stride = arguments
    layers = [Boxes(roi[None] / stride, INPUT._replace(name="ROI")), Points(good.flatten(0, 1), RIGHT, radius=4.0)]
    if value is not good:
        layers.append(Points(value.flatten(0, 1), YOURS, shape="ring", radius=5.0))
    layers.append(Lines(value[:1], role_of(value, good)._replace(name="first row"), arrow=True))
    row = int(wrong.int().argmax())
    return Sketch(layers, f"row {row} runs from {_pair(value[row, 0])} to {_pair(value[row, -1])}, in cells.")


crop_grid = Check(
    "crop_grid",
    _crop_grid,
    lambda: [
        (torch.tensor([160.0, 80, 480, 400]), 7, 16),
        (torch.tensor([64.0, 272, 464, 568]), 7, 16),
        (torch.tensor([10.0, 20, 75, 300]), 4, 8),
        (torch.tensor([0.0, 0, 96, 48]), 2, 16),
    ],
    misconceptions(
        "These are the centers of bins, as RoIAlign has them; crop pooling's first and last samples lie on the "
        "ROI's sides.",
        lambda roi, size, stride: _grid(roi / stride, (torch.arange(size) + 0.5) / size),
        "The last sample does not reach x2: between `size` samples there are size - 1 steps.",
        lambda roi, size, stride: _grid(roi / stride, torch.arange(size) / size),
        "These are pixels of the photo: divide by the stride, because the feature map counts cells.",
        lambda roi, size, stride: _crop_grid(roi, size, 1),
        "Rows and columns are swapped: along a row of the grid x changes, down a column y does.",
        lambda roi, size, stride: _crop_grid(roi, size, stride).transpose(0, 1),
        "The last dimension must hold x, then y; yours holds y, then x.",
        lambda roi, size, stride: _crop_grid(roi, size, stride).flip(-1),
        "You round to whole cells: that is RoIPool, and the reason why small objects shift under it.",
        lambda roi, size, stride: _crop_grid((roi / stride).round(), size, 1),
        "y runs upward in your grid; in images it grows downward, so row 0 belongs to y1.",
        lambda roi, size, stride: _crop_grid(roi, size, stride).flip(0),
        "Off by one (+1): the ROI's last column is x2 itself, because corners are continuous here.",
        lambda roi, size, stride: _crop_grid(roi + torch.tensor([0.0, 0, stride, stride]), size, stride),
    ),
    picture=beside(_draw_samples),
)


# ---- bug_hunt(roi, stride, image_size, batch_size) -> (2, 2)


def _ends(roi: Tensor, stride: int, size: tuple[int, int], gap: int = 1, whole=math.ceil) -> Tensor:
    """First and last sample (2, 2), x, y from -1 to 1 over a map of a size in pixels; gap: cells less than it has."""
    rows, columns = (whole(side / stride) for side in size)
    return 2 * roi.reshape(2, 2) / stride / torch.tensor([columns - gap, rows - gap]) - 1


def _draw_ends(arguments, value, good, _wrong) -> Sketch:
    """The crop's extent on the batch's feature map, where the image's own part ends."""
    stride = arguments[1]
    (own_rows, own_columns), (rows, columns) = ([math.ceil(n / stride) for n in size] for size in arguments[2:])
    right, own = ((ends + 1) / 2 * torch.tensor([columns - 1, rows - 1]) for ends in (good, value))  # (2, 2) cells
    layers = [
        frame(rows - 1, columns - 1, "map of the batch"),
        frame(own_rows - 1, own_columns - 1, "the image's part"),
        Boxes(right.reshape(1, 4), RIGHT),
    ]
    if (role := role_of(value, good)) is YOURS:
        layers.append(Boxes(own.reshape(1, 4), role, width=4.0))
    return Sketch(layers, f"the crop reads from {_pair(own[0])} to {_pair(own[1])}, in cells.")


bug_hunt = Check(
    "bug_hunt",
    lambda roi, stride, image_size, batch_size: _ends(roi, stride, batch_size),
    lambda: [
        (torch.tensor([160.0, 160, 640, 480]), 16, (600, 800), (600, 902)),
        (torch.tensor([37.5, 120, 101.25, 512]), 16, (600, 800), (1000, 800)),
        (torch.tensor([300.0, 16, 590, 90]), 16, (600, 605), (710, 905)),
        (torch.tensor([24.0, 40, 200, 133]), 8, (300, 417), (300, 417)),
    ],
    misconceptions(
        f"{STILL}: alone every image is right, in a batch the ROIs of a smaller one are stretched, the farther from "
        "the top left, the more. Over which map does grid_sample count from -1 to 1?",
        lambda roi, stride, image_size, batch_size: _ends(roi, stride, image_size),
        "Now the map is the batch's, but W' cells are W' - 1 apart: -1 and 1 are the centers of the outermost ones.",
        lambda roi, stride, image_size, batch_size: _ends(roi, stride, batch_size, gap=0),
        "Only across is it the batch's map: an image may be padded below as well.",
        lambda roi, stride, image_size, batch_size: _ends(roi, stride, (image_size[0], batch_size[1])),
        "Only down is it the batch's map: an image may be padded on the right as well.",
        lambda roi, stride, image_size, batch_size: _ends(roi, stride, (batch_size[0], image_size[1])),
        "Now the map is the batch's, but height and width are exchanged: a size comes as height, width.",
        lambda roi, stride, image_size, batch_size: _ends(roi, stride, batch_size[::-1]),
        "Now the map is the batch's, but a part of a cell is a cell too: the head rounds up.",
        lambda roi, stride, image_size, batch_size: _ends(roi, stride, batch_size, whole=math.floor),
        "You shrink about the middle of the map. The padding is on the right and below, so pixel 0 stays at -1.",
        lambda roi, stride, image_size, batch_size: _ends(roi, stride, image_size) * _share(image_size, batch_size),
        "You shrink the ROI as well: it was right, only the map that it was measured on was not.",
        lambda roi, stride, image_size, batch_size: _ends(
            roi * _share(image_size, batch_size).repeat(2), stride, batch_size
        ),
    ),
    picture=beside(_draw_ends),
)


def _share(image_size: tuple[int, int], batch_size: tuple[int, int]) -> Tensor:
    """Which part of the batch's width and height the image fills: (2,)."""
    return torch.tensor([image_size[1] / batch_size[1], image_size[0] / batch_size[0]])
