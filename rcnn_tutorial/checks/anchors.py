"""Checks of lesson 02's exercises: the nine sizes, the grid, intersection over union, squares about one center."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rcnn_tutorial import boxes
from rcnn_tutorial.answers import report as report
from rcnn_tutorial.checks.checking import STILL, Check, misconceptions
from rcnn_tutorial.checks.pictures import INPUT, RIGHT, TEXT, Sketch, beside, corners, role_of, table, versus, write
from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.roles import GROUND_TRUTH, PLAIN
from rcnn_tutorial.scene import Boxes, Lines, Points
from rcnn_tutorial.stages import anchors as stage


def _sizes(shape, scale_outside: bool = False):
    """A wrong `anchor_sizes`: `shape(base_size, scale, ratio)` gives width and height of one anchor."""

    def sizes(base_size, scales, ratios):
        pairs = [(s, r) for s in scales for r in ratios] if scale_outside else [(s, r) for r in ratios for s in scales]
        return torch.tensor([shape(base_size, s, r) for s, r in pairs], dtype=torch.float64)

    return sizes


def _rounded(base_size: int, scale: float, ratio: float) -> tuple[float, float]:
    width = round((base_size**2 / ratio) ** 0.5)
    return width * scale, round(width * ratio) * scale


def _unrounded(base_size: int, scale: float, ratio: float) -> tuple[float, float]:
    width = (base_size**2 / ratio) ** 0.5
    return width * scale, width * ratio * scale


def _draw_sizes(arguments, value, good, wrong) -> Sketch:
    """The anchors in their order, line by line as one writes: a line for each ratio."""
    columns = len(arguments[1])
    place = torch.arange(len(good))
    slot = good.amax(dim=0) * 1.15
    centers = torch.stack([place % columns, place // columns], dim=1) * slot
    boxes = torch.cat([centers - value / 2, centers + value / 2], dim=1)
    layers = [Boxes(boxes[~wrong], RIGHT), Boxes(boxes[wrong], role_of(value, good), width=4.0)]
    texts = [f"{width:.4g}×{height:.4g}" for width, height in value.tolist()]
    texts = Points(centers + slot * torch.tensor([-0.2, 0.54]), TEXT, labels=texts, radius=0.0, name="")
    first = int(wrong.int().argmax())
    return Sketch([*layers, texts], f"anchor {first} is {texts.labels[first]}, width × height.")


anchor_sizes = Check(
    "anchor_sizes",
    lambda base_size, scales, ratios: stage.anchor_sizes(AnchorConfig(base_size, scales, ratios)),
    lambda: [(16, (8, 16, 32), (0.5, 1, 2)), (16, (4, 8), (0.5, 2)), (8, (8,), (1,)), (32, (2, 3), (0.25, 1, 3))],
    misconceptions(
        "Your ratio is width / height; here it is height / width, so a ratio of 2 is a tall anchor.",
        _sizes(lambda b, s, r: _rounded(b, s, r)[::-1]),
        "The sizes are right but in another order: the ratio is the outer loop, the scale the inner one.",
        _sizes(_rounded, scale_outside=True),
        "You keep the width and stretch the height; a ratio keeps the area and changes both.",
        _sizes(lambda b, s, r: (b * s, round(b * r) * s)),
        "You round after scaling; the reference rounds the small shapes first and then multiplies.",
        _sizes(lambda b, s, r: tuple(round(side) for side in _unrounded(b, s, r))),
        "You never round; 22.63 × 11.31 becomes 23 × 12 before it is scaled.",
        _sizes(_unrounded),
        "You take the scale for a side in pixels; it multiplies the base size.",
        _sizes(lambda b, s, r: _rounded(s, 1, r)),
        "Your scale multiplies the area; it multiplies each side.",
        _sizes(lambda b, s, r: tuple(side / s**0.5 for side in _rounded(b, s, r))),
    ),
    by_package=True,
    picture=beside(_draw_sizes),
)


def _grid(rows, columns, stride, shapes, order=(0, 1, 2), moves=(1, 1, 1, 1), start=0.0) -> Tensor:
    """All shapes at all cells; `order` of (y, x, a), corners that move, place of the first cell in strides."""
    y, x = torch.meshgrid(torch.arange(rows) + start, torch.arange(columns) + start, indexing="ij")
    shifts = torch.stack([x, y, x, y], dim=-1) * stride * torch.tensor(moves)  # (rows, columns, 4)
    anchors = shifts[:, :, None] + shapes  # (rows, columns, A, 4)
    return anchors.permute(*order, 3).reshape(-1, 4)


def _shapes(*sizes: tuple[float, float]) -> Tensor:
    size = torch.tensor(sizes)  # (A, 2)
    return torch.cat([8 - size / 2, 8 + size / 2], dim=1)


def _draw_grid(arguments, value, good, wrong) -> Sketch:
    """The first anchor that is wrong, over the others; a line leads through their centers in their order."""
    rows, columns, stride, _shapes = arguments
    row = int(wrong.int().argmax())
    centers = (value[:, :2] + value[:, 2:]) / 2
    layers = [
        Boxes([[0.0, 0, columns * stride, rows * stride]], PLAIN._replace(name="all cells"), width=2.0),
        Boxes(value, role_of(value, good), width=1.0, opacity=0.4, name=""),
        Lines(centers[None], GROUND_TRUTH._replace(name="order"), arrow=True, width=2.0),
        Points(centers[:1], GROUND_TRUTH, labels=["0"], name=""),
        Boxes(value[row : row + 1], role_of(value, good), labels=[str(row)], width=4.0, fill=0.3),
    ]
    return Sketch(layers, f"anchor {corners(value, wrong)[4:]}")


anchor_grid = Check(
    "anchor_grid",
    _grid,
    lambda: [
        (2, 3, 16, _shapes((20.0, 10.0), (16.0, 16.0))),
        (4, 2, 8, _shapes((12.0, 30.0), (8.0, 8.0), (40.0, 20.0))),
        (1, 5, 16, _shapes((16.0, 16.0))),
    ],
    misconceptions(
        "You go down the columns; the flat order is row by row: y outer, then x, then the shape.",
        lambda *given: _grid(*given, order=(1, 0, 2)),
        "You list all cells of the first shape, then all of the second; the shape is the innermost index.",
        lambda *given: _grid(*given, order=(2, 0, 1)),
        "Your cells are one pixel apart; they are `stride` pixels apart.",
        lambda rows, columns, stride, shapes: _grid(rows, columns, 1, shapes),
        "Only the top left corners move, so the anchors shrink; a shift moves both corners.",
        lambda *given: _grid(*given, moves=(1, 1, 0, 0)),
        "You shift x by the row and y by the column.",
        lambda rows, columns, stride, shapes: _grid(rows, columns, stride, shapes[:, [1, 0, 3, 2]])[:, [1, 0, 3, 2]],
        "Your first cell is one stride too far: counting starts at 0.",
        lambda *given: _grid(*given, start=1.0),
        "You add half a stride; the shapes are already centered on their cell.",
        lambda *given: _grid(*given, start=0.5),
    ),
    picture=beside(_draw_grid),
)


def _overlap(a: Tensor, b: Tensor, extra: float = 0.0, clamp: bool = True) -> Tensor:
    """Intersection (N, M) of boxes (N, 4) and (M, 4); `extra` pixels are added to every side length."""
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2]) + extra
    return (sides.clamp(min=0) if clamp else sides).prod(-1)


def _area(boxes: Tensor, extra: float = 0.0) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2] + extra).prod(-1)


def _iou(a: Tensor, b: Tensor, extra: float = 0.0, clamp: bool = True) -> Tensor:
    shared = _overlap(a, b, extra, clamp)
    return shared / (_area(a, extra)[:, None] + _area(b, extra) - shared)


def _as_sizes(a: Tensor, b: Tensor) -> Tensor:
    a, b = (torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1) for boxes in (a, b))
    return boxes.box_iou(a, b)


def _random_boxes(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner, size = torch.rand(2, count, 2, generator=generator) * 60
    return torch.cat([corner, corner + size + 4], dim=1)


def _draw_iou(arguments, value, good, wrong) -> Sketch:
    """The boxes, and at their right the table: a row for each box of a, a column for each of b."""
    a, b = arguments
    everything = torch.cat([a, b])
    low, high = everything[:, :2].amin(dim=0), everything[:, 2:].amax(dim=0)
    side = float((high - low).max())
    cell = side / max(2, *value.shape)
    x, y = float(high[0]) + 0.25 * side, float(low[1]) + 0.15 * side
    layers = [
        Boxes(a, INPUT._replace(name="a"), labels=[f"a{i}" for i in range(len(a))], fill=0.3),
        Boxes(b, GROUND_TRUTH._replace(name="b"), labels=[f"b{i}" for i in range(len(b))], fill=0.3),
        *table(value, good, (x, y), (cell, cell / 2), digits=3 if value.numel() < 5 else 2),
        *(write(x - 0.13 * side, y + (i + 0.8) * cell / 2, f"a{i}") for i in range(len(a))),
        *(write(x + (i + 0.3) * cell, y - 0.01 * side, f"b{i}") for i in range(len(b))),
    ]
    row = int(wrong.int().argmax())
    return Sketch(
        layers, f"IoU of a{row} with each box of b: {', '.join(f'{one:.3f}' for one in value[row].tolist())}."
    )


iou = Check(
    "iou",
    boxes.box_iou,
    lambda: [
        (torch.tensor([[100.0, 100, 200, 200]]), torch.tensor([[110.0, 115, 210, 215]])),
        (torch.tensor([[0.0, 0, 10, 10], [30, 30, 40, 50]]), torch.tensor([[20.0, 20, 30, 30]])),  # apart; touching
        (_random_boxes(4, 0), _random_boxes(3, 1)),
        (_random_boxes(5, 2), _random_boxes(5, 3)),
    ],
    misconceptions(
        "Off by one pixel (+1): with continuous corners the width is x2 - x1, nothing is added.",
        lambda a, b: _iou(a, b, extra=1.0),
        "Boxes that lie apart overlap: a negative width times a negative height is positive; stop both at 0.",
        lambda a, b: _iou(a, b, clamp=False),
        "You divide by the sum of the areas; the union counts the shared part once, so subtract it.",
        lambda a, b: _overlap(a, b) / (_area(a)[:, None] + _area(b)),
        "You divide by the first box's area alone; the union has both.",
        lambda a, b: _overlap(a, b) / _area(a)[:, None],
        "You divide by the smaller area, which makes any box inside another a perfect match; take the union.",
        lambda a, b: _overlap(a, b) / torch.minimum(_area(a)[:, None], _area(b)[None]),
        "You return the intersection in square pixels; divide it by the union.",
        _overlap,
        "You read a box as x, y, width, height; it is x1, y1, x2, y2.",
        _as_sizes,
        "Your table has a row for each box of b; rows belong to a, columns to b.",
        lambda a, b: boxes.box_iou(a, b).T,
        "It works for one box, not for N: you compare only the first box of a with the first of b.",
        lambda a, b: boxes.box_iou(a[:1], b[:1]),
    ),
    by_package=True,
    picture=beside(_draw_iou),
)


# ---- bug_hunt(base_size, scales) -> (scales, 4)


def _squares(center: Callable, side: Callable = lambda base, scale: base * scale) -> Callable:
    """A function like `bug_hunt`: centers (x, y), and sides, by base size and scale."""

    def squares(base_size: int, scales: tuple) -> Tensor:
        boxes = []
        for scale in scales:
            (x, y), half = center(base_size, scale), side(base_size, scale) / 2
            boxes.append([x - half, y - half, x + half, y + half])
        return torch.tensor(boxes, dtype=torch.float32)

    return squares


def _base_center(base: int, _scale: float) -> tuple[float, float]:
    return base / 2, base / 2


bug_hunt = Check(
    "bug_hunt",
    _squares(_base_center),
    lambda: [(16, (8, 16, 32)), (16, (1,)), (8, (2, 4)), (32, (0.5, 3))],
    misconceptions(
        f"{STILL}: with scale 1 all is well, a larger square has another center, to the right and below. "
        "Which point of a square stays in place when its corners are multiplied?",
        _squares(lambda base, scale: (base * scale / 2, base * scale / 2)),
        "All squares have one center now, but it is (0, 0): that of the base square is half its side further.",
        _squares(lambda base, scale: (0.0, 0.0)),
        "Your center is the base square's far corner: it is half a base size, not a whole one.",
        _squares(lambda base, scale: (base, base)),
        "x is centered now, y is not: both coordinates grow about the center.",
        _squares(lambda base, scale: (base / 2, base * scale / 2)),
        "You move every scaled square by the same half base size: how far it has to move depends on its scale.",
        _squares(lambda base, scale: (base * scale / 2 - base / 2, base * scale / 2 - base / 2)),
        "You move by the whole growth: the far corners stay now; the growth is to be shared by both sides.",
        _squares(lambda base, scale: (base - base * scale / 2, base - base * scale / 2)),
        "The centers are right, but the scale is added to the side: it multiplies it.",
        _squares(_base_center, lambda base, scale: base + scale),
        "The centers are right, but every square has the base size: the scale is gone.",
        _squares(_base_center, lambda base, scale: base),
    ),
    picture=beside(lambda _given, value, good, wrong: Sketch(versus(value, good, wrong), corners(value, wrong))),
)
