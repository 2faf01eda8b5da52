"""The first notebook's pictures: what every stage leaves behind, and the network with the shapes of its tensors."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import Tensor

from rcnn_tutorial.boxes import clip
from rcnn_tutorial.config import Config
from rcnn_tutorial.figures.style import AFTER, BEFORE, CHOSEN, OTHER, from_any_device, ink_on, style
from rcnn_tutorial.model import FasterRCNN, Trace
from rcnn_tutorial.stages.inference import class_boxes

# ---- what a stage looks like on the photo


class Tour(NamedTuple):
    """One photo on its way through a detector. The tour follows one ROI: the one that became the best detection."""

    image: Tensor  # (3, H, W) in [0, 1]
    trace: Trace  # of this image alone, in eval mode
    config: Config
    stride: int  # scaled pixels a cell
    shown: float = 0.5  # detections scored lower are not drawn

    @property
    def scale(self) -> float:
        """Scaled pixels per pixel of the photo."""
        return float(self.trace.preprocessed.scales[0])

    @property
    def roi(self) -> int:
        """Index of the followed ROI: that of the best detection, or the best proposal where nothing is detected."""
        detections = self.trace.detections[0]
        return int(detections.roi_indices[0]) if len(detections.roi_indices) else 0

    @property
    def label(self) -> int:
        """The class (1..C) that the followed ROI most looks like."""
        return int(self.trace.proposed.probabilities[0, self.roi, 1:].argmax()) + 1

    @property
    def anchor(self) -> int:
        """Index of the anchor that the followed ROI started as."""
        return int(self.trace.proposals.anchor_indices[0, self.roi])

    @property
    def anchors_per_cell(self) -> int:
        """A."""
        rows, columns = self.trace.features.shape[-2:]
        return len(self.trace.anchors) // (rows * columns)


class Marks(NamedTuple):
    """Boxes drawn alike, in pixels of the view's picture."""

    boxes: Tensor  # (N, 4)
    color: str
    dash: str  # solid | dashed | dotted
    name: str  # entry in the legend
    labels: tuple[str, ...] = ()  # one a box, or none
    width: float = 3.0


class Heat(NamedTuple):
    """Numbers as colors, laid over the picture."""

    values: Tensor  # (h, w)
    extent: tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the picture
    name: str
    limits: tuple[float | None, float | None] = (None, None)  # values of the first and the last color; None: its own


class StageView(NamedTuple):
    """What one stage leaves behind, drawn onto the photo (onto the scaled image at stage 1)."""

    picture: Tensor  # (3, H, W) in [0, 1]
    shape: str  # of the stage's tensor, for this one image
    sentence: str
    marks: tuple[Marks, ...] = ()
    heat: Heat | None = None
    points: Tensor | None = None  # (N, 2) as x, y


def to_photo(tour: Tour, boxes: Tensor) -> Tensor:
    """Boxes (N, 4) in scaled pixels as boxes on the photo: one division, and a cut at the photo's border."""
    return clip(boxes.detach() / tour.scale, boxes.new_tensor(tour.image.shape[-2:]))


def shape_text(tensor: Tensor) -> str:
    """A tensor's shape as it is written in the pictures: 7,920 × 4."""
    return " × ".join(f"{side:,}" for side in tensor.shape)


def view_photo(tour: Tour) -> StageView:
    """Stage 0: what comes in."""
    height, width = tour.image.shape[-2:]
    sentence = f"{width} × {height} pixels, three colors, values from 0 to 1."
    return StageView(tour.image, shape_text(tour.image), sentence)


def view_preprocessed(tour: Tour) -> StageView:
    """Stage 1: the image as the head sees it, its values stretched to what a screen can show."""
    image = tour.trace.preprocessed.images[0]
    low, high = image.min(), image.max()
    height, width = image.shape[-2:]
    return StageView(
        (image - low) / (high - low).clamp(min=1e-6),
        shape_text(image),
        f"scaled by {tour.scale:.4f} to {width} × {height} pixels, the data set's mean taken away; "
        f"values from {low:.2f} to {high:.2f}.",
    )


def view_features(tour: Tour) -> StageView:
    """Stage 2: how strongly each cell of the feature map responds, all channels together."""
    features = tour.trace.features[0]
    channels, rows, columns = features.shape
    return StageView(
        tour.image,
        shape_text(features),
        f"{rows} × {columns} cells of {channels} numbers each, one cell every {tour.stride} scaled pixels "
        f"({tour.stride / tour.scale:.1f} of the photo). Yellow cells respond most.",
        heat=_heat(tour, features.abs().mean(dim=0), "mean of the channels' absolute values"),
    )


def view_anchors(tour: Tour) -> StageView:
    """Stage 3: the grid, and the shapes of one cell, among them the anchor of the followed ROI."""
    shapes = tour.anchors_per_cell
    anchors = tour.trace.anchors.view(-1, shapes, 4)  # (cells, A, 4)
    cell = tour.anchor // shapes
    centers = (anchors[:, 0, :2] + anchors[:, 0, 2:]) / 2 / tour.scale  # (cells, 2)
    anchor = to_photo(tour, tour.trace.anchors[tour.anchor][None])
    return StageView(
        tour.image,
        shape_text(tour.trace.anchors),
        f"{len(anchors):,} cells × {shapes} shapes = {anchors[..., 0].numel():,} anchors, the same on every image of "
        "this size. Drawn: the shapes of one cell; the dashed one is followed from here on.",
        marks=(
            Marks(to_photo(tour, anchors[cell]), OTHER, "solid", "the shapes of one cell", width=1.5),
            Marks(anchor, BEFORE, "dashed", "the anchor that is followed"),
        ),
        points=centers,
    )


def view_scores(tour: Tour) -> StageView:
    """Stage 4: how probably each cell's best anchor is an object."""
    rows, columns = tour.trace.features.shape[-2:]
    foreground = tour.trace.rpn.foreground[0]  # (N,)
    best = foreground.view(rows, columns, -1).amax(dim=2)
    anchor = to_photo(tour, tour.trace.anchors[tour.anchor][None])
    return StageView(
        tour.image,
        shape_text(tour.trace.rpn.scores[0]),
        f"two scores and four coefficients for each of {len(foreground):,} anchors; {int((foreground > 0.5).sum()):,} "
        "look more like an object than like background. Yellow: the best anchor of the cell is surely an object.",
        marks=(Marks(anchor, BEFORE, "dashed", "the anchor that is followed"),),
        heat=_heat(tour, best, "foreground probability of a cell's best anchor")._replace(limits=(0.0, 1.0)),
    )


_BEST = 20  # proposals that are drawn; all of them would hide the photo


def view_proposals(tour: Tour) -> StageView:
    """Stage 5: the boxes that survive ranking and suppression, and how the followed anchor was changed."""
    valid = tour.trace.proposals.valid[0]
    proposals = to_photo(tour, tour.trace.proposals.boxes[0, valid])
    anchor = to_photo(tour, tour.trace.anchors[tour.anchor][None])
    return StageView(
        tour.image,
        shape_text(proposals),
        f"{len(tour.trace.anchors):,} anchors moved by their coefficients, cut at the border, ranked, thinned out: "
        f"{len(proposals)} proposals are left. The followed one is number {tour.roi + 1} by score.",
        marks=(
            Marks(proposals[:_BEST], OTHER, "dotted", f"the {len(proposals[:_BEST])} best proposals", width=1.5),
            Marks(anchor, BEFORE, "dashed", "the anchor"),
            Marks(proposals[tour.roi][None], AFTER, "solid", "the proposal it became"),
        ),
    )


def view_crop(tour: Tour) -> StageView:
    """Stage 6: where the crop of the followed ROI is read, and what comes out, all channels together."""
    roi = tour.trace.proposed.rois[0, tour.roi].detach()  # (4,) scaled pixels
    x1, y1, x2, y2 = (roi / tour.scale).tolist()
    crop = tour.trace.proposed.crops[tour.roi].abs().mean(dim=0)  # (size, size)
    size = len(crop)
    x, y = torch.linspace(x1, x2, size), torch.linspace(y1, y2, size)
    points = torch.cartesian_prod(y, x).flip(1)  # (size * size, 2)
    half_x, half_y = max(x2 - x1, 1) / max(size - 1, 1) / 2, max(y2 - y1, 1) / max(size - 1, 1) / 2
    columns, rows = ((roi[2:] - roi[:2]) / tour.stride).tolist()
    return StageView(
        tour.image,
        shape_text(tour.trace.proposed.crops[tour.roi]),
        f"the ROI covers {columns:.1f} × {rows:.1f} cells of the feature map; whatever its size, {size} × {size} "
        f"points of it are read, in all {tour.trace.features.shape[1]} channels.",
        marks=(Marks(to_photo(tour, roi[None]), AFTER, "solid", "the ROI"),),
        heat=Heat(crop, (x1 - half_x, y1 - half_y, x2 + half_x, y2 + half_y), "the crop, mean absolute value"),
        points=points,
    )


def view_class_boxes(tour: Tour) -> StageView:
    """Stage 7: one box a class for the followed ROI."""
    boxes = class_boxes(tour.trace.proposed, tour.trace.preprocessed, tour.config.proposal_targets)[0, tour.roi]
    others = [label for label in range(1, len(boxes)) if label != tour.label]
    name = tour.config.classes[tour.label - 1]
    roi = to_photo(tour, tour.trace.proposed.rois[0, tour.roi][None])
    return StageView(
        tour.image,
        f"{len(boxes)} and {len(boxes)} × 4",
        f"one vector of {tour.trace.proposed.fc7.shape[-1]:,} numbers for the ROI gives {len(boxes)} scores and "
        f"4 × {len(boxes)} coefficients. It most looks like: {name}.",
        marks=(
            Marks(boxes[others].detach(), OTHER, "dotted", "boxes of the other classes", width=1.2),
            Marks(roi, BEFORE, "dashed", "the ROI"),
            Marks(boxes[tour.label][None].detach(), CHOSEN, "solid", f"box of the class {name}", (name,)),
        ),
    )


def view_detections(tour: Tour) -> StageView:
    """Stage 8: what is left after a threshold and suppression within each class."""
    detections = tour.trace.detections[0]
    good = detections.scores >= tour.shown
    labels, scores = detections.labels[good].tolist(), detections.scores[good].tolist()
    names = [tour.config.classes[label - 1] for label in labels]
    texts = tuple(f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True))
    counts = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
    found = f"scored {tour.shown:g} or more: {counts}" if names else f"none is scored {tour.shown:g} or more"
    return StageView(
        tour.image,
        shape_text(detections.boxes),
        f"{len(detections.scores)} boxes are left of all classes' after suppression; {found}.",
        marks=(Marks(detections.boxes[good].detach(), AFTER, "solid", "detections", texts),),
    )


def _heat(tour: Tour, values: Tensor, name: str) -> Heat:
    """A map over the cells (rows, columns), each cell laid over its own square of the photo."""
    rows, columns = values.shape
    side = tour.stride / tour.scale  # of a cell, pixels of the photo
    return Heat(values.detach(), (0.0, 0.0, columns * side, rows * side), name)


STAGES = (  # title, the notebook that explains it, the view
    ("the photo", "00", view_photo),
    ("preprocessing", "01", view_preprocessed),
    ("features of the head", "00", view_features),
    ("anchors", "02", view_anchors),
    ("scores of the RPN", "03", view_scores),
    ("proposals", "04", view_proposals),
    ("crop pooling", "05", view_crop),
    ("classification", "06", view_class_boxes),
    ("detections", "07", view_detections),
)


@from_any_device
def tour_figure(tour: Tour) -> Figure:
    """One photo through all nine stages; under each, the shape of its tensor."""
    height, width = tour.image.shape[-2:]
    panel = 3.2, min(max(3.2 * height / width, 1.4), 3.6)  # inches; all nine fit on a screen
    with style():
        figure = Figure(figsize=(3 * panel[0], 3 * (panel[1] + 0.5)))
        for number, (axes, (title, _, view)) in enumerate(zip(figure.subplots(3, 3).flat, STAGES, strict=True)):
            seen = view(tour)
            _draw_view(axes, seen)
            axes.set_title(f"{number} {title}")
            axes.set_xlabel(seen.shape, fontsize=12)
    return figure


def _draw_view(axes: Axes, view: StageView) -> None:
    height, width = view.picture.shape[-2:]
    axes.imshow(
        view.picture.permute(1, 2, 0).clamp(0, 1).numpy(), extent=(0, width, height, 0), interpolation="antialiased"
    )
    if view.heat is not None:
        x1, y1, x2, y2 = view.heat.extent
        low, high = view.heat.limits
        axes.imshow(view.heat.values.numpy(), extent=(x1, x2, y2, y1), alpha=0.65, cmap="viridis", vmin=low, vmax=high)
    if view.points is not None:
        axes.scatter(*view.points.T.numpy(), s=1.5, color=OTHER)
    for marks in view.marks:
        _draw_marks(axes, marks, width)
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(False)


def _draw_marks(axes: Axes, marks: Marks, width: int) -> None:
    boxes = marks.boxes.tolist()
    patches = [Rectangle((x1, y1), x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes]
    line = {"edgecolor": marks.color, "linewidth": 0.8 * marks.width, "linestyle": marks.dash}
    axes.add_collection(PatchCollection(patches, facecolor="none", **line))
    ground = {"facecolor": marks.color, "edgecolor": "none", "pad": 1.5}
    look = {"color": ink_on(marks.color), "fontsize": 10, "va": "bottom", "bbox": ground, "clip_on": True}
    taken: list[tuple[float, float]] = []
    for box, text in zip(boxes, marks.labels, strict=False):
        taken.append(_label_place(box, width, taken))
        axes.text(*taken[-1], text, ha="left" if taken[-1][0] == box[0] else "right", **look)


def _label_place(box: list[float], width: int, taken: list[tuple[float, float]]) -> tuple[float, float]:
    """Where a box's text starts: above the box, or as many lines further down as keep it off the texts so far."""
    x1, y1, x2, y2 = box
    x = x2 if x1 + x2 > 1.4 * width else x1  # texts at the right edge grow leftward
    line = 0.09 * width
    y = max(y1, line)
    while y + line <= y2 and any(abs(x - other) < 5 * line and abs(y - above) < 0.9 * line for other, above in taken):
        y += line
    return x, y


@from_any_device
def projection_figure(image: Tensor, rois: Tensor, scale: float) -> Figure:
    """ROIs drawn onto the photo as they come out of the detector, and divided by the scale.

    image: (3, H, W) in [0, 1]. rois: (N, 4) scaled pixels. scale: scaled pixels per pixel of the photo.
    """
    height, width = image.shape[-2:]
    each = 5.2, min(max(5.2 * height / width, 1.8), 6.5)  # inches
    wrong = StageView(image, "", "", (Marks(rois, BEFORE, "dashed", "as they come"),))
    right = StageView(image, "", "", (Marks(rois / scale, AFTER, "solid", "divided by the scale"),))
    with style():
        figure = Figure(figsize=(2 * each[0], each[1] + 0.4))
        for axes, view in zip(figure.subplots(1, 2), (wrong, right), strict=True):
            _draw_view(axes, view)
            axes.set_title(f"ROIs {view.marks[0].name}")
    return figure


# ---- the network and its shapes


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
    hidden, rpn = model.rpn.rpn_net(features), model.rpn(features)
    crops = torch.empty(rois, features.shape[1], *[model.config.crop_pooling.size] * 2, device=device)
    fc7 = model.tail(crops)
    scores, coefficients = model.classification(fc7)
    return rows + [
        Row("RPN", "3×3 conv, ReLU", tuple(hidden.shape)),
        Row("RPN", "1×1 conv to scores", tuple(model.rpn.scores(hidden).shape)),
        Row("RPN", "1×1 conv to coefficients", tuple(model.rpn.coefficients(hidden).shape)),
        Row("RPN", "anchor by anchor: scores", tuple(rpn.scores.shape)),
        Row("RPN", "anchor by anchor: coefficients", tuple(rpn.coefficients.shape)),
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
_BOX, _HEIGHT = 0.74, 5.3  # inches: height of a box, of a column


class _Place(NamedTuple):
    """A box of the diagram, inches; y counts upward from the top of the columns."""

    x: float  # center
    y: float  # center
    width: float


@from_any_device
def network_figure(rows: list[Row]) -> Figure:
    """The three networks side by side, what every step gives written into its box."""
    with style():
        figure = Figure(figsize=(11.8, 6.2))
        axes = figure.add_subplot()
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
        _join_columns(axes, {row.part: place for row, place in places.items()}, places[_first(rows, "RPN")])
        axes.set(xlim=(0, 11.7), ylim=(-_HEIGHT - 0.35, 0.45), aspect="equal")
        axes.set_axis_off()
    return figure


def _first(rows: list[Row], part: str) -> Row:
    return next(row for row in rows if row.part == part)


def _levels(rows: list[Row]) -> list[list[Row]]:
    """Steps from top to bottom; scores and coefficients, computed from the same input, stand side by side."""
    levels = []
    for row in rows:
        if row.step.endswith("coefficients"):
            levels[-1].append(row)
        else:
            levels.append([row])
    return levels


def _places(levels: list[list[Row]], center: float, width: float) -> dict[Row, _Place]:
    places = {}
    for number, level in enumerate(levels):
        y = -_BOX / 2 - number * (_HEIGHT - _BOX) / max(len(levels) - 1, 1)
        if len(level) == 1:
            places[level[0]] = _Place(center, y, width)
        else:
            half = width / 2 - 0.06
            for row, side in zip(level, (-1, 1), strict=True):
                places[row] = _Place(center + side * (half / 2 + 0.06), y, half)
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
    right = features.x + features.width / 2
    turn = (right + rpn.x - rpn.width / 2) / 2
    _arrow(axes, [(right, features.y), (turn, features.y), (turn, rpn.y), (rpn.x - rpn.width / 2, rpn.y)])
    gap = rois.x + rois.width / 2, crops.x - crops.width / 2
    inner, outer = gap[0] + (gap[1] - gap[0]) / 3, gap[0] + (gap[1] - gap[0]) * 2 / 3
    floor, end = -_HEIGHT - 0.25, (gap[1], crops.y)
    _arrow(axes, [(gap[0], rois.y), (inner, rois.y), (inner, crops.y + 0.12), (end[0], end[1] + 0.12)])
    start = (features.x, features.y - _BOX / 2)
    path = [start, (start[0], floor), (outer, floor), (outer, crops.y - 0.12), (end[0], end[1] - 0.12)]
    _arrow(axes, path)
    axes.text(turn, (features.y + rpn.y) / 2, "features", rotation=90, fontsize=12, **_LABEL)
    axes.text(inner, (rois.y + crops.y) / 2, "ROIs", rotation=90, fontsize=12, **_LABEL)
    axes.text(outer, (rois.y + crops.y) / 2, "features", rotation=90, fontsize=12, **_LABEL)


_LABEL = {"ha": "center", "va": "center", "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1.5}}


def _arrow(axes: Axes, points: list[tuple[float, float]]) -> None:
    """A line through the points with a head at the last."""
    axes.plot(*zip(*points, strict=True), color="#444444", linewidth=1.5, solid_joinstyle="miter")
    arrow = {"arrowstyle": "-|>", "color": "#444444", "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", points[-1], points[-2], arrowprops=arrow)
