"""Which scales and ratios suit the objects of a data set: k-means on IoU, brought into the form that anchors have here.

Anchors are a grid, every scale with every ratio, and stand at cells; the shapes that k-means finds are neither. So a
grid is fitted to them, and then moved uphill on what counts: the objects that anchors at real cells reach.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.boxes import box_iou, centers_and_sizes
from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation.anchor_reach import Found, Grid, Reach, best_overlap, reach

SAMPLE = 2_000  # objects that the search looks at, at most, evenly taken from all
ROUNDS = 50  # of k-means at most; it mostly settles sooner
STEPS = 1.25, 1.1, 1.05  # factors by which the search moves a scale or a ratio, the large ones first
STEEPEST = 64  # no ratio beyond it is suggested: a base shape in whole pixels would have no width left


class Suggestion(NamedTuple):
    """The best grid of scales and ratios that was found, and what it gains."""

    anchors: AnchorConfig
    clusters: Tensor  # (K, 2) width and height in scaled pixels of the shapes that k-means found, small to large
    before: Reach
    after: Reach

    @property
    def is_better(self) -> bool:
        """Whether it is worse in nothing (both shares and the mean) and better in something."""
        return _worse_in_nothing(self.after, self.before) and self.after[1:] != self.before[1:]


def shape_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of boxes laid center on center, from width and height alone. (M, 2), (K, 2). Returns (M, K)."""
    return box_iou(_centered(first), _centered(second))


def _centered(sizes: Tensor) -> Tensor:
    return torch.cat([-sizes / 2, sizes / 2], dim=-1)


def cluster_shapes(sizes: Tensor, count: int) -> Tensor:
    """k-means of widths and heights (M, 2) with the distance 1 - IoU: `count` shapes or as many as differ, (K, 2).

    Redmon and Farhadi 2017, "YOLO9000", section 2, "Dimension Clusters". It starts from shapes evenly taken from all,
    ordered by area, where they draw at random, and so ends the same each time. Small shapes come first.
    """
    distinct = sizes.unique(dim=0)
    distinct = distinct[distinct.prod(dim=1).argsort(stable=True)]
    count = min(count, len(distinct))
    start = ((torch.arange(count) + 0.5) * len(distinct) / count).long()
    shapes = distinct[start]  # (K, 2)
    for _ in range(ROUNDS):
        nearest = shape_iou(sizes, shapes).argmax(dim=1)  # (M,)
        moved = _means(sizes, nearest, shapes)
        if torch.equal(moved, shapes):
            break
        shapes = moved
    return shapes[shapes.prod(dim=1).argsort(stable=True)]


def _means(values: Tensor, group: Tensor, otherwise: Tensor) -> Tensor:
    """Mean of the values (M, ...) of each group, (M,) 0..K - 1; `otherwise` (K, ...) for a group without any."""
    counts = torch.bincount(group, minlength=len(otherwise)).reshape(-1, *[1] * (values.ndim - 1))  # (K, ...)
    sums = torch.zeros_like(otherwise).index_add(0, group, values)
    return torch.where(counts > 0, sums / counts.clamp(min=1), otherwise)


def fit_grid(sizes: Tensor, clusters: Tensor, scales: int, ratios: int, base_size: int) -> AnchorConfig:
    """k-means once more, its centers now held to a grid of `scales` x `ratios`, which is the form of anchors here.

    sizes: (M, 2) widths and heights. clusters: (K, 2) of free k-means; the grid starts from their quantiles. Every
    object goes to the shape of the grid with the best IoU; a scale is then the mean of its objects' sides, a ratio that
    of its objects' heights / widths, both as logarithms. Rounded to two digits.
    """
    side, steepness = _logarithms(sizes)  # (M,) each
    starts = ((torch.arange(n, dtype=torch.float64) + 0.5) / n for n in (scales, ratios))
    scale, ratio = (values.quantile(q) for values, q in zip(_logarithms(clusters), starts, strict=True))
    for _ in range(ROUNDS):
        width, height = (scale - ratio[:, None] / 2).exp(), (scale + ratio[:, None] / 2).exp()  # (R, S) each
        nearest = shape_iou(sizes, torch.stack([width, height], dim=-1).reshape(-1, 2)).argmax(dim=1)  # (M,)
        before = scale, ratio
        scale = _means(side, nearest % scales, scale)
        ratio = _means(steepness, nearest // scales, ratio)
        if torch.equal(scale, before[0]) and torch.equal(ratio, before[1]):
            break
    limit = math.log(STEEPEST)
    return AnchorConfig(base_size, _rounded(scale.exp() / base_size), _rounded(ratio.clamp(-limit, limit).exp()))


def _logarithms(sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Of sqrt(width * height) and of height / width: (M,) each."""
    width, height = sizes.log().unbind(-1)
    return (width + height) / 2, height - width


def _rounded(values: Tensor) -> tuple[float, ...]:
    """Two digits of each, sorted, none of them twice."""
    return tuple(sorted({float(f"{value:.2g}") for value in values.tolist()}))


def suggest_anchors(found: Found, now: AnchorConfig, grid: Grid, count: int) -> Suggestion:
    """The grid of at most `count` scales x ratios that reaches most of the objects with anchors at real cells.

    k-means gives a grid for every split of `count` into scales and ratios. The two best of them, and `now` if it is no
    larger, are moved uphill step by step: towards a sum of both shares and the mean IoU that is larger, and worse in
    none of the three than `now`. `is_better` says whether that was found. Deterministic. Raises ConfigError for a
    count below 1.
    """
    if count < 1:
        raise ConfigError(f"count = {count}: suggest at least one anchor")
    sample = _every(found, -(-len(found.boxes) // SAMPLE))
    sizes = centers_and_sizes(sample.boxes)[1]  # (m, 2)
    clusters = cluster_shapes(sizes, count)
    merit, merit_of_all = _merit(sample, now, grid), _merit(found, now, grid)
    splits = {count // ratios: ratios for ratios in range(1, count + 1)}  # as many ratios as fit beside the scales
    starts = [fit_grid(sizes, clusters, *split, now.base_size) for split in splits.items()]
    starts = sorted(starts, key=lambda anchors: merit(anchors)[1])[-2:]
    starts += [now] * (len(now.scales) * len(now.ratios) <= count)
    # A way that may be worse in something leads farther, and is then made good; or it cannot be, and the other counts.
    freely = [_uphill(start, lambda anchors: merit(anchors)[1]) for start in starts]
    ends = [_uphill(start, merit) for start in (*starts, *freely)]
    best = max(ends, key=merit_of_all)
    return Suggestion(best, clusters, *(reach(best_overlap(found, anchors, grid)) for anchors in (now, best)))


def _merit(found: Found, now: AnchorConfig, grid: Grid) -> Callable[[AnchorConfig], tuple[bool, float]]:
    """How good anchors are for these objects: (whether they are worse in nothing than `now`, sum of all three)."""
    before = reach(best_overlap(found, now, grid))

    def merit(anchors: AnchorConfig) -> tuple[bool, float]:
        after = reach(best_overlap(found, anchors, grid))
        return _worse_in_nothing(after, before), sum(after[1:])

    return merit


def _every(found: Found, step: int) -> Found:
    """Every `step`-th of the objects."""
    return Found(*(column[::step] for column in found[:5]), *found[5:])


def _uphill(anchors: AnchorConfig, merit: Callable) -> AnchorConfig:
    """Move one scale or ratio at a time, as long as the merit grows."""
    best = merit(anchors)
    for step in STEPS:
        moving = True
        while moving:
            moving = False
            for other in _neighbors(anchors, step):
                if (new := merit(other)) > best:
                    anchors, best, moving = other, new, True
                    break
    return anchors


def _neighbors(anchors: AnchorConfig, step: float) -> Iterator[AnchorConfig]:
    """The anchors with one scale or ratio larger or smaller by the factor `step`."""
    for name in ("scales", "ratios"):
        values = torch.tensor(getattr(anchors, name), dtype=torch.float64)
        for i in range(len(values)):
            for factor in (step, 1 / step):
                moved = values.clone()
                moved[i] *= factor
                if name == "scales" or 1 / STEEPEST <= moved[i] <= STEEPEST:
                    yield replace(anchors, **{name: _rounded(moved)})


def _worse_in_nothing(new: Reach, old: Reach) -> bool:
    return all(a >= b for a, b in zip(new[1:], old[1:], strict=True))
