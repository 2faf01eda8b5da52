"""Self-checks of the first notebook: counting anchors, reading a trace, a ROI back to the photo, an anchor's center."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rcnn_tutorial.answers import report
from rcnn_tutorial.boxes import clip
from rcnn_tutorial.checks.checking import STILL, Check, misconceptions, pairs
from rcnn_tutorial.checks.pictures import RIGHT, Bar, Sketch, bars, beside, corners, frame, role_of, versus
from rcnn_tutorial.roles import PLAIN
from rcnn_tutorial.scene import Boxes, Lines, Points

__all__ = ["bug_hunt", "count_anchors", "read_shapes", "report", "to_photo"]


# ---- count_anchors(height, width, stride, shapes) -> int


def _count_anchors(height: int, width: int, stride: int, shapes: int) -> int:
    return math.ceil(height / stride) * math.ceil(width / stride) * shapes


def _count_with(height, width, stride, shapes, *, down=False, nearest=False, more=False, cells=False, scores=False):
    rounded = math.floor if down else round if nearest else (lambda n: math.floor(n) + 1) if more else math.ceil
    return rounded(height / stride) * rounded(width / stride) * (1 if cells else shapes) * (2 if scores else 1)


def _draw_count(arguments, value, good, _wrong) -> Sketch:
    """The grid over the photo; as many cells filled, row by row, as the anchors are enough for."""
    height, width, stride, shapes = arguments
    rows, columns = math.ceil(height / stride), math.ceil(width / stride)
    full, rest = divmod(value / shapes, columns)
    filled = torch.tensor([[0.0, 0, columns, full], [0, full, rest, full + 1]])[: 2 if rest else 1] * stride
    right, low = columns * stride, rows * stride
    upright = [[(x, 0), (x, low)] for x in range(0, right + 1, stride)]
    level = [[(0, y), (right, y)] for y in range(0, low + 1, stride)]
    layers = [
        Boxes(filled, role_of(value, good)._replace(name="cells counted"), fill=0.5),
        Lines(torch.tensor(upright + level), PLAIN, width=1.0, opacity=0.5),
        frame(height, width, "photo"),
    ]
    return Sketch(layers, f"{value:,.0f} anchors: {shapes} at each of {value / shapes:,.0f} cells.")


count_anchors = Check(
    "count_anchors",
    _count_anchors,
    lambda: [(600, 800, 16, 9), (333, 1000, 16, 9), (600, 902, 16, 9), (100, 130, 8, 3), (601, 801, 32, 6)],
    misconceptions(
        "You round down: a last, incomplete row of pixels gets its own row of cells, so 600 / 16 = 37.5 gives 38.",
        lambda h, w, s, a: (h // s) * (w // s) * a,
        "You round to the nearest cell: an incomplete cell counts, however little of it there is.",
        lambda h, w, s, a: int(h / s + 0.5) * int(w / s + 0.5) * a,
        "You add a cell to every side: where the stride divides the side, there is no further cell.",
        lambda h, w, s, a: (h // s + 1) * (w // s + 1) * a,
        "You multiply first and round afterward, as the post's w/16 × h/16 × 9 does: rows and columns are whole "
        "numbers each, so round each side.",
        lambda h, w, s, a: h / s * w / s * a,
        "You multiply first and round afterward: rows and columns are whole numbers each, so round each side.",
        lambda h, w, s, a: math.ceil(h / s * w / s) * a,
        "These are the cells: at each of them stand as many anchors as there are shapes.",
        lambda h, w, s, a: math.ceil(h / s) * math.ceil(w / s),
        "You put anchors at every pixel: the head leaves one cell for every stride × stride pixels.",
        lambda h, w, s, a: h * w * a,
        "You count the scores: two for every anchor, background and foreground.",
        lambda h, w, s, a: 2 * _count_anchors(h, w, s, a),
        "You divide by the stride once: the grid is coarser in both directions.",
        lambda h, w, s, a: math.ceil(h * w / s) * a,
    ),
    pairs=pairs(
        _count_with,
        down="rounds down, where an incomplete row or column of pixels gets cells of its own",
        nearest="rounds to the nearest cell, where an incomplete one counts, however little of it there is",
        more="adds a cell to a side that the stride divides",
        cells="counts cells, where at each of them stand as many anchors as there are shapes",
        scores="counts two for every anchor, as if they were scores",
    ),
    picture=beside(_draw_count),
)


# ---- read_shapes(features, rpn_scores, roi_scores) -> (anchors a cell, classes)


def _read_shapes(features: Tensor, rpn_scores: Tensor, roi_scores: Tensor) -> tuple[int, int]:
    rows, columns = features.shape[2:]
    return rpn_scores.shape[1] // (rows * columns), roi_scores.shape[2] - 1


def _read_with(
    features, rpn_scores, roi_scores, *, background=False, scores=False, image=False, batch=False, swap=False
):
    rows, columns = features.shape[2:]
    anchors = rpn_scores.shape[1] * (rpn_scores.shape[2] if scores else 1) * (rpn_scores.shape[0] if batch else 1)
    found = anchors // (1 if image else rows * columns), roi_scores.shape[2] - (0 if background else 1)
    return found[::-1] if swap else found


def _draw_two_numbers(_arguments, value, good, wrong) -> Sketch:
    """A bar each for anchors and classes."""
    names = ("anchors a cell", "classes")
    rows = [
        Bar(f"{number:.0f} {name}", number, role_of(value, good) if one else RIGHT)
        for number, one, name in zip(value.tolist(), wrong.tolist(), names, strict=True)
    ]
    return Sketch(bars(rows, float(good.max())), " and ".join(bar.text for bar in rows) + ".")


read_shapes = Check(
    "read_shapes",
    _read_shapes,
    lambda: [
        (torch.zeros(1, 8, 5, 7), torch.zeros(1, 5 * 7 * 9, 2), torch.zeros(1, 30, 20 + 1)),
        (torch.zeros(2, 6, 4, 9), torch.zeros(2, 4 * 9 * 12, 2), torch.zeros(2, 10, 3 + 1)),
        (torch.zeros(3, 16, 8, 8), torch.zeros(3, 8 * 8 * 3, 2), torch.zeros(3, 40, 80 + 1)),
    ],
    misconceptions(
        "You count the background as a class: column 0 of the scores is background, the classes are the others.",
        lambda f, r, s: (r.shape[1] // (f.shape[2] * f.shape[3]), s.shape[2]),
        "You count scores, not anchors: every anchor has two, background and foreground.",
        lambda f, r, s: (r.shape[1] * r.shape[2] // (f.shape[2] * f.shape[3]), s.shape[2] - 1),
        "You read channels as rows: features are (batch, channels, rows, columns).",
        lambda f, r, s: (r.shape[1] // (f.shape[1] * f.shape[2]), s.shape[2] - 1),
        "These are the anchors of the whole image: divide by the number of cells.",
        lambda f, r, s: (r.shape[1], s.shape[2] - 1),
        "You count the anchors of one row of cells: divide by rows × columns.",
        lambda f, r, s: (r.shape[1] // f.shape[2], s.shape[2] - 1),
        "You count the anchors of all images of the batch: dimension 0 is the batch, leave it out.",
        lambda f, r, s: (r.shape[0] * r.shape[1] // (f.shape[2] * f.shape[3]), s.shape[2] - 1),
        "You read the number of ROIs as the number of classes: scores are (batch, ROIs, classes + 1).",
        lambda f, r, s: (r.shape[1] // (f.shape[2] * f.shape[3]), s.shape[1]),
        "Your two numbers are in the wrong order: anchors a cell first, then classes.",
        lambda *given: _read_shapes(*given)[::-1],
    ),
    pairs=pairs(
        _read_with,
        background="counts the background as a class",
        scores="counts two for every anchor, which are its scores",
        image="counts the anchors of the whole image, not of one cell",
        batch="counts the anchors of all images of the batch",
        swap="returns the two numbers in the wrong order: anchors a cell first, then classes",
    ),
    picture=beside(_draw_two_numbers),
)


# ---- to_photo(rois, scale, height, width) -> (N, 4)


def _to_photo(rois: Tensor, scale: float, height: int, width: int) -> Tensor:
    return clip(rois / scale, torch.tensor([height, width]))


def _roi_cases() -> list[tuple]:
    """Photos of odd sizes, so that the scaled image was rounded up and its last ROIs end outside; no scale is 1."""
    inside = torch.tensor([[16.0, 32, 200, 120.5], [0, 0, 50, 30]])
    edge = torch.tensor([[400.0, 100, 801, 600], [10, 300, 700, 600.5], [0, 0, 801, 601]])
    return [
        (inside, 1.6, 375, 500),
        (edge, 1.6, 375, 500),
        (edge * 0.5, 0.8, 375, 500),
        (torch.tensor([[100.0, 50, 1000, 334]]), 1000 / 1500, 500, 1500),
        (torch.zeros(0, 4), 2.0, 300, 400),
    ]


def _to_photo_with(rois, scale, height, width, *, multiply=False, never=False, uncut=False, swap=False, whole=False):
    boxes = rois * scale if multiply else rois if never else rois / scale
    boxes = boxes.round() if whole else boxes
    return boxes if uncut else clip(boxes, torch.tensor([width, height] if swap else [height, width]))


def _draw_on_photo(arguments, value, good, wrong) -> Sketch:
    _rois, _scale, height, width = arguments
    return Sketch([frame(height, width, "photo"), *versus(value, good, wrong)], corners(value, wrong))


to_photo = Check(
    "to_photo",
    _to_photo,
    _roi_cases,
    misconceptions(
        "You multiply by the scale: that leads from the photo to the scaled image; the way back is a division.",
        lambda rois, scale, h, w: clip(rois * scale, torch.tensor([h, w])),
        "You never divide: on the scene, whose scale is 1, nobody would notice; other photos have other scales.",
        lambda rois, scale, h, w: clip(rois, torch.tensor([h, w])),
        "Boxes reach beyond the photo: the scaled image was rounded to whole pixels, so cut at height and width.",
        lambda rois, scale, h, w: rois / scale,
        "Height and width are swapped: x is cut at the width, y at the height.",
        lambda rois, scale, h, w: clip(rois / scale, torch.tensor([w, h])),
        "You cut before you divide: height and width are the photo's, the ROIs are still in scaled pixels.",
        lambda rois, scale, h, w: clip(rois, torch.tensor([h, w])) / scale,
        "Your corners are rounded to whole pixels: corners are continuous, and rounding moves them.",
        lambda rois, scale, h, w: _to_photo(rois, scale, h, w).round(),
        "Your corners are cut to whole pixels: corners are continuous, and int() moves them.",
        lambda rois, scale, h, w: _to_photo(rois, scale, h, w).floor(),
        "Off by one pixel: with continuous corners a box may end at the width itself, not at width - 1.",
        lambda rois, scale, h, w: clip(rois / scale, torch.tensor([h - 1, w - 1])),
        "You take the ROIs for cells of the feature map: they are in scaled pixels, the stride does not enter.",
        lambda rois, scale, h, w: clip(rois * 16 / scale, torch.tensor([h, w])),
        "You cut x and y at the same limit: x is cut at the width, y at the height.",
        lambda rois, scale, h, w: (rois / scale).clamp(0, max(h, w)),
        "It works for one box only: treat all N rows of the tensor.",
        lambda rois, scale, h, w: _to_photo(rois[:1], scale, h, w),
    ),
    pairs=pairs(
        _to_photo_with,
        multiply="multiplies by the scale, where the way back is a division",
        never="never divides by the scale",
        uncut="does not cut at the photo's height and width",
        swap="swaps height and width: x is cut at the width, y at the height",
        whole="rounds corners to whole pixels",
    ),
    picture=beside(_draw_on_photo),
)


# ---- bug_hunt(index, rows, columns, shapes, stride) -> (x, y)


def _center(index: int, rows: int, columns: int, shapes: int, stride: int) -> tuple[float, float]:
    row, column = divmod(index // shapes, columns)
    return stride * (column + 0.5), stride * (row + 0.5)


def _draw_center(arguments, value, good, _wrong) -> Sketch:
    """The grid over the image, and the point on it."""
    _index, rows, columns, _shapes, stride = arguments
    upright = [[(x, 0), (x, rows * stride)] for x in range(0, columns * stride + 1, stride)]
    level = [[(0, y), (columns * stride, y)] for y in range(0, rows * stride + 1, stride)]
    layers = [
        Lines(torch.tensor(upright + level), PLAIN, width=1.0, opacity=0.5),
        frame(rows * stride, columns * stride, "image"),
        Points(value[None], role_of(value, good), radius=6.0),
    ]
    x, y = value.tolist()
    return Sketch(layers, f"({x:g}, {y:g}), on an image of {columns * stride} × {rows * stride} pixels.")


bug_hunt = Check(
    "bug_hunt",
    _center,
    lambda: [(14069, 38, 57, 9, 16), (1000, 38, 50, 9, 16), (0, 5, 7, 3, 16), (98, 5, 7, 3, 32), (700, 10, 20, 12, 8)],
    misconceptions(
        f"{STILL}: on a square map all is well, on a wide one centers land below the image. How many cells fill a row?",
        lambda i, rows, columns, a, s: _center(i, columns, rows, a, s),
        "Now a row is filled with the right number of cells, but x and y are exchanged: x comes from the column.",
        lambda *given: _center(*given)[::-1],
        "You count the cells of the whole image as one row: the quotient by a row's cells is the row.",
        lambda i, rows, columns, a, s: _center(i, rows, rows * columns, a, s),
        "You take the shape as the slowest digit: the shapes of one cell are neighbors; divide by their number first.",
        lambda i, rows, columns, a, s: _center(i % (rows * columns), rows, columns, 1, s),
        "You forget the shapes: several anchors stand at each cell, and the index counts them all.",
        lambda i, rows, columns, a, s: _center(i, rows, columns, 1, s),
        "These are corners: the cell's center is half a stride further, right and down.",
        lambda *given: tuple(value - given[-1] / 2 for value in _center(*given)),
        "You count cells from 1: the first row and the first column have number 0.",
        lambda *given: tuple(value + given[-1] for value in _center(*given)),
        "These are cells, not pixels: a cell is as many pixels wide as the stride.",
        lambda *given: tuple(value / given[-1] for value in _center(*given)),
    ),
    picture=beside(_draw_center),
)
