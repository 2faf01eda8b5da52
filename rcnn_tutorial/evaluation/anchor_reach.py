"""Which objects of a data set the anchors reach: a question of boxes alone, to be asked before any training.

An object whose best IoU stays below 0.7, training's threshold of foreground, is learned from its best anchor alone,
however little that covers of it. Below 0.3 the RPN must make a box of less than a third of the right one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rcnn_tutorial.boxes import box_iou, centers_and_sizes
from rcnn_tutorial.config import AnchorConfig, Config, PreprocessingConfig
from rcnn_tutorial.data.records import tolerating
from rcnn_tutorial.errors import DataError
from rcnn_tutorial.evaluation.coco import SIZES
from rcnn_tutorial.model import build_model
from rcnn_tutorial.stages.anchors import anchor_sizes
from rcnn_tutorial.stages.preprocessing import scale_for
from rcnn_tutorial.targets import classes_of, objects_of, outline_of

LOW, HIGH = 0.5, 0.7  # IoU
COCO_SIDES = (0, 32, 96, math.inf)  # COCO's small, medium and large: sides of squares, in the photo's own pixels
SIDES = (0, 16, 32, 64, 128, 256, 512, math.inf)  # sqrt(width * height) in scaled pixels
RATIOS = (0, 1 / 3, 2 / 3, 3 / 2, 3, math.inf)  # height / width
CHUNK = 20_000  # objects compared at a time, which bounds the memory


class Found(NamedTuple):
    """All objects to learn of a data set, as the detector meets them. M of them."""

    boxes: Tensor  # (M, 4) float64, scaled pixels
    sizes: Tensor  # (M, 2) long, height and width of the scaled image around each
    scales: Tensor  # (M,) float64, scaled pixels per pixel of the photo
    labels: Tensor  # (M,) 1..C
    images: Tensor  # (M,) number of the image
    names: list[str]  # of every image, see `Outline`
    difficult: int  # objects that are not learned, and so not here


class Grid(NamedTuple):
    """Where anchors stand and which of them training may use."""

    stride: int  # pixels per cell
    center: float  # x and y of the anchors of the first cell
    border: float = 0.0  # pixels by which an anchor may leave the image
    whole_cells: bool = False  # a feature map without the last, incomplete cell, as vgg16's


class Reach(NamedTuple):
    """How well anchors fit a group of objects, at least one."""

    objects: int
    low: float  # share of the objects whose best IoU is at least LOW
    high: float  # the same for HIGH
    mean: float  # of the best IoU


def grid_of(config: Config) -> Grid:
    """The grid of a detector. Raises ConfigError for a config that no network can be built from."""
    with torch.device("meta"):  # no weights
        stride = build_model(config).stride
    return Grid(stride, config.anchors.base_size / 2, config.anchor_targets.border, config.backbone.name == "vgg16")


def find_objects(
    dataset, preprocessing: PreprocessingConfig, on_bad_file: str = "fail", progress: bool = True
) -> Found:
    """The objects of a whole data set in scaled pixels; photos are read only where the data set cannot do without.

    dataset: as `rcnn_tutorial.data` describes it. on_bad_file: "fail", or "skip" to leave out images that cannot be
    read, with a warning that names each. Raises DataError where no object is left, and for a target that breaks the
    rule of `rcnn_tutorial.targets`.
    """
    names, parts, difficult = [], [], 0
    classes = len(classes_of(dataset))
    for index in tqdm(range(len(dataset)), desc="anchors", unit="image", file=sys.stderr, disable=not progress):
        with tolerating(on_bad_file):
            outline = outline_of(dataset, index)
            objects = objects_of(outline.target, classes, outline.name)
            learned = ~objects.difficult  # (G,)
            parts.append(_scaled(objects.boxes[learned], objects.labels[learned], outline.size, preprocessing))
            parts[-1].append(torch.full((int(learned.sum()),), len(names)))
            names.append(outline.name)
            difficult += int(objects.difficult.sum())
    columns = [torch.cat(column) for column in zip(*parts, strict=True)]
    if not columns or not len(columns[0]):
        why = f"all {difficult} are marked as difficult" if difficult else f"none of {len(names)} images has one"
        raise DataError(f"no object for anchors to reach: {why}; name another split, or correct the annotations")
    return Found(*columns, names, difficult)


def _scaled(boxes: Tensor, labels: Tensor, size: tuple[int, int], preprocessing: PreprocessingConfig) -> list[Tensor]:
    """The columns `boxes` to `labels` of `Found` for one image's objects (G, 4) and (G,)."""
    scale = scale_for(*size, preprocessing.target_size, preprocessing.max_size)
    scaled = [max(1, round(side * scale)) for side in size]
    count = len(boxes)
    return [
        boxes.double() * scale,  # (G, 4)
        torch.tensor(scaled).expand(count, 2),
        torch.full((count,), scale, dtype=torch.float64),
        labels,
    ]


def best_overlaps(boxes: Tensor, sizes: Tensor, shapes: Tensor, grid: Grid) -> Tensor:
    """IoU of every object with each anchor shape where it suits the object best: (M, A).

    boxes: (M, 4) scaled pixels. sizes: (M, 2) height and width of their images. shapes: (A, 2) width and height of
    anchors, or a set of one's own for each object (M, A, 2). Only anchors inside the image count, give or take the
    border: those that training labels. A shape that fits nowhere has 0.

    This is the maximum of `box_iou` over `generate_anchors`, without making them: anchors of one shape differ in their
    place alone, so IoU grows with the intersection, which is largest at the cell whose center is the nearest to the
    object's, row and column each by itself.
    """
    shapes = shapes.double().expand(len(boxes), *shapes.shape[-2:])  # (M, A, 2)
    parts = zip(boxes.split(CHUNK), sizes.split(CHUNK), shapes.split(CHUNK), strict=True)
    return torch.cat([_overlaps_at_best_cells(*part, grid) for part in parts])


def _overlaps_at_best_cells(boxes: Tensor, sizes: Tensor, shapes: Tensor, grid: Grid) -> Tensor:
    limits = sizes.flip(1)[:, None].double()  # (M, 1, 2) width, height
    cells = (limits / grid.stride).floor() if grid.whole_cells else (limits / grid.stride).ceil()
    low, high = grid.center - shapes / 2, grid.center + shapes / 2  # (M, A, 2) of the first cell's anchors
    first = ((-grid.border - low) / grid.stride).ceil().clamp(min=0)  # (M, A, 2) column and row of those inside
    last = torch.minimum(((limits + grid.border - high) / grid.stride).floor(), cells - 1)
    centers = centers_and_sizes(boxes)[0][:, None]  # (M, 1, 2)
    nearest = ((centers - grid.center) / grid.stride).round()
    shift = torch.minimum(torch.maximum(nearest, first), last) * grid.stride  # (M, A, 2)
    anchors = torch.cat([low + shift, high + shift], dim=-1)  # (M, A, 4)
    overlaps = box_iou(boxes[:, None], anchors)[:, 0]  # (M, A)
    return torch.where((first <= last).all(dim=-1), overlaps, 0.0)


def best_overlap(found: Found, anchors: AnchorConfig, grid: Grid) -> Tensor:
    """The best IoU of every object with any anchor that training may use: (M,)."""
    return best_overlaps(found.boxes, found.sizes, anchor_sizes(anchors), grid).amax(dim=1)


def own_overlap(found: Found, grid: Grid) -> Tensor:
    """The best IoU of every object with an anchor of its very own shape: (M,). What is missing to 1 is the grid's."""
    own = centers_and_sizes(found.boxes)[1][:, None]  # (M, 1, 2)
    return best_overlaps(found.boxes, found.sizes, own, grid)[:, 0]


def reach(best: Tensor) -> Reach:
    """Sum up the best IoU (M,) of a group of objects."""
    shares = [float((best >= threshold).double().mean()) for threshold in (LOW, HIGH)]
    return Reach(len(best), *shares, float(best.mean()))


def reach_by_group(found: Found, best: Tensor) -> dict[str, dict[str, Reach]]:
    """{"size" | "side" | "shape": {name of a group: Reach}}, the groups without an object left out.

    size: COCO's three, in the photo's own pixels. side: sqrt(width * height) in scaled pixels. shape: height / width.
    """
    width, height = centers_and_sizes(found.boxes)[1].unbind(1)  # (M,) each
    side = (width * height).sqrt()
    values = {
        "size": (side / found.scales, COCO_SIDES, SIZES),
        "side": (side, SIDES, [_between(*edges) for edges in zip(SIDES, SIDES[1:], strict=False)]),
        "shape": (height / width, RATIOS, ["below 1/3", "1/3 to 2/3", "2/3 to 3/2", "3/2 to 3", "from 3 on"]),
    }
    return {name: _groups(*value, best) for name, value in values.items()}


def _between(low: float, high: float) -> str:
    return f"below {high}" if low == 0 else f"from {low} on" if high == math.inf else f"{low} to {high}"


def _groups(values: Tensor, edges: tuple, names: Sequence[str], best: Tensor) -> dict[str, Reach]:
    bounds = zip(names, edges, edges[1:], strict=False)
    members = {name: (values >= low) & (values < high) for name, low, high in bounds}  # (M,) each
    return {name: reach(best[mask]) for name, mask in members.items() if mask.any()}
