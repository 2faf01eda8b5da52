"""The first notebook's pictures: what every stage of a detector leaves behind, drawn onto the photo."""

import dataclasses
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import centers_and_sizes, clip
from rcnn_tutorial.config import Config
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.rpn_loss import best_of_cells
from rcnn_tutorial.figures.style import from_any_device
from rcnn_tutorial.model import Trace
from rcnn_tutorial.scene import Boxes, Heatmap, Layer, Picture, Points, Scene
from rcnn_tutorial.stages.inference import class_boxes


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


class StageView(NamedTuple):
    """What one stage leaves behind, drawn onto the photo (onto the scaled image at stage 1)."""

    scene: Scene
    shape: str  # of the stage's tensor, for this one image
    sentence: str


def to_photo(tour: Tour, boxes: Tensor) -> Tensor:
    """Boxes (N, 4) in scaled pixels as boxes on the photo: one division, and a cut at the photo's border."""
    return clip(boxes.detach() / tour.scale, boxes.new_tensor(tour.image.shape[-2:]))


def shape_text(tensor: Tensor) -> str:
    """A tensor's shape as it is written in the pictures: 17,100 × 4."""
    return " × ".join(f"{side:,}" for side in tensor.shape)


def view_photo(tour: Tour) -> StageView:
    """Stage 0: what comes in."""
    height, width = tour.image.shape[-2:]
    sentence = f"{width} × {height} pixels, three colors, values from 0 to 1."
    return StageView(Scene(tour.image), shape_text(tour.image), sentence)


def view_preprocessed(tour: Tour) -> StageView:
    """Stage 1: the image as the head sees it, its values stretched to what a screen can show."""
    image = tour.trace.preprocessed.images[0]
    low, high = image.min(), image.max()
    height, width = image.shape[-2:]
    sentence = f"scaled by {tour.scale:.4f} to {width} × {height} pixels, the data set's mean taken away; "
    sentence += f"values from {low:.2f} to {high:.2f}."
    return StageView(Scene((image - low) / (high - low).clamp(min=1e-6)), shape_text(image), sentence)


def view_features(tour: Tour) -> StageView:
    """Stage 2: how strongly each cell of the feature map responds, all channels together."""
    features = tour.trace.features[0]
    channels, rows, columns = features.shape
    sentence = f"{rows} × {columns} cells of {channels} numbers each, one cell every {tour.stride} scaled pixels "
    sentence += f"({tour.stride / tour.scale:.1f} of the photo). Yellow cells respond most."
    heat = _heat(tour, features.abs().mean(dim=0), "mean of the channels' absolute values")
    return StageView(Scene(tour.image, [heat]), shape_text(features), sentence)


def view_anchors(tour: Tour) -> StageView:
    """Stage 3: the grid, and the shapes of one cell, among them the anchor of the followed ROI."""
    anchors = tour.trace.anchors.view(tour.trace.features[0, 0].numel(), -1, 4)  # (cells, A, 4)
    shapes = anchors.shape[1]
    cell = tour.anchor // shapes
    centers, _ = centers_and_sizes(anchors[:, 0])  # (cells, 2)
    layers = [
        Points(centers / tour.scale, radius=1.5),
        Boxes(to_photo(tour, anchors[cell]), width=1.5, name="the shapes of one cell"),
        _followed_anchor(tour),
    ]
    sentence = (
        f"{len(anchors):,} cells × {shapes} shapes = {anchors[..., 0].numel():,} anchors, the same on every image of "
    )
    sentence += "this size. Drawn: the shapes of one cell; the dashed one is followed from here on."
    return StageView(Scene(tour.image, layers), shape_text(tour.trace.anchors), sentence)


def view_scores(tour: Tour) -> StageView:
    """Stage 4: how probably each cell's best anchor is an object."""
    foreground = tour.trace.rpn.foreground[0]  # (N,)
    best = best_of_cells(foreground, tour.trace.features.shape[-2:])
    heat = _heat(tour, best, "foreground probability of a cell's best anchor", 0.0, 1.0)
    sentence = (
        f"two scores and four coefficients for each of {len(foreground):,} anchors; {int((foreground > 0.5).sum()):,} "
    )
    sentence += (
        "look more like an object than like background. Yellow: the best anchor of the cell is surely an object."
    )
    return StageView(Scene(tour.image, [heat, _followed_anchor(tour)]), shape_text(tour.trace.rpn.scores[0]), sentence)


_BEST = 20  # proposals that are drawn; all of them would hide the photo


def view_proposals(tour: Tour) -> StageView:
    """Stage 5: the boxes that survive ranking and suppression, and how the followed anchor was changed."""
    valid = tour.trace.proposals.valid[0]
    proposals = to_photo(tour, tour.trace.proposals.boxes[0, valid])
    layers = [
        Boxes(proposals[:_BEST], roles.OTHER, width=1.5, name=f"the {len(proposals[:_BEST])} best proposals"),
        _followed_anchor(tour),
        Boxes(proposals[tour.roi][None], roles.PROPOSAL, name="the proposal it became"),
    ]
    sentence = (
        f"{len(tour.trace.anchors):,} anchors moved by their coefficients, cut at the border, ranked, thinned out: "
    )
    sentence += f"{len(proposals)} proposals are left. The followed one is number {tour.roi + 1} by score."
    return StageView(Scene(tour.image, layers), shape_text(proposals), sentence)


def view_crop(tour: Tour) -> StageView:
    """Stage 6: where the crop of the followed ROI is read, and what comes out, all channels together."""
    roi = tour.trace.proposed.rois[0, tour.roi].detach()  # (4,) scaled pixels
    x1, y1, x2, y2 = (roi / tour.scale).tolist()
    crop = tour.trace.proposed.crops[tour.roi].abs().mean(dim=0)  # (size, size)
    size = len(crop)
    points = torch.cartesian_prod(torch.linspace(y1, y2, size), torch.linspace(x1, x2, size)).flip(1)
    half_x, half_y = max(x2 - x1, 1) / max(size - 1, 1) / 2, max(y2 - y1, 1) / max(size - 1, 1) / 2
    columns, rows = ((roi[2:] - roi[:2]) / tour.stride).tolist()
    extent = x1 - half_x, y1 - half_y, x2 + half_x, y2 + half_y
    layers = [
        Heatmap(crop, extent=extent, opacity=0.65, name="the crop, mean absolute value"),
        Points(points, radius=1.5),
        Boxes(to_photo(tour, roi[None]), roles.AFTER, name="the ROI"),
    ]
    sentence = (
        f"the ROI covers {columns:.1f} × {rows:.1f} cells of the feature map; whatever its size, {size} × {size} "
    )
    sentence += f"points of it are read, in all {tour.trace.features.shape[1]} channels."
    return StageView(Scene(tour.image, layers), shape_text(tour.trace.proposed.crops[tour.roi]), sentence)


def view_class_boxes(tour: Tour) -> StageView:
    """Stage 7: one box a class for the followed ROI."""
    boxes = class_boxes(tour.trace.proposed, tour.trace.preprocessed, tour.config.proposal_targets)[0, tour.roi]
    others = [label for label in range(1, len(boxes)) if label != tour.label]
    name = tour.config.classes[tour.label - 1]
    layers = [
        Boxes(boxes[others], roles.OTHER, width=1.2),
        Boxes(to_photo(tour, tour.trace.proposed.rois[0, tour.roi][None]), roles.ROI),
        Boxes(boxes[tour.label][None], roles.CHOSEN, labels=[name], name=f"box of the class {name}"),
    ]
    sentence = f"one vector of {tour.trace.proposed.fc7.shape[-1]:,} numbers for the ROI gives {len(boxes)} scores and "
    sentence += f"4 × {len(boxes)} coefficients. It most looks like: {name}."
    return StageView(Scene(tour.image, layers), f"{len(boxes)} and {len(boxes)} × 4", sentence)


def view_detections(tour: Tour) -> StageView:
    """Stage 8: what is left after a threshold and suppression within each class."""
    detections = tour.trace.detections[0]
    good = detections.scores >= tour.shown
    labels, scores = detections.labels[good].tolist(), detections.scores[good].tolist()
    names = [tour.config.classes[label - 1] for label in labels]
    texts = [f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True)]
    counts = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
    found = f"scored {tour.shown:g} or more: {counts}" if names else f"none is scored {tour.shown:g} or more"
    sentence = f"{len(detections.scores)} boxes are left of all classes' after suppression; {found}."
    layer = Boxes(detections.boxes[good], roles.AFTER, labels=texts, name="detections")
    return StageView(Scene(tour.image, [layer]), shape_text(detections.boxes), sentence)


def _heat(tour: Tour, values: Tensor, name: str, low: float | None = None, high: float | None = None) -> Heatmap:
    """A map over the cells (rows, columns), each cell laid over its own square of the photo."""
    rows, columns = values.shape
    side = tour.stride / tour.scale  # of a cell, pixels of the photo
    return Heatmap(values.detach(), low, high, (0.0, 0.0, columns * side, rows * side), opacity=0.65, name=name)


def _followed_anchor(tour: Tour) -> Layer:
    anchor = to_photo(tour, tour.trace.anchors[tour.anchor][None])
    return Boxes(anchor, roles.ANCHOR, name="the anchor that is followed")


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
    scenes = []
    for number, (title, _, view) in enumerate(STAGES):
        seen = view(tour)
        scenes.append(dataclasses.replace(seen.scene, title=f"{number} {title}", caption=seen.shape))
    return figure_of(scenes, 9.6, columns=3, legend="")


@from_any_device
def projection_figure(image: Tensor, rois: Tensor, scale: float) -> Figure:
    """ROIs drawn onto the photo as they come out of the detector, and divided by the scale.

    image: (3, H, W) in [0, 1]. rois: (N, 4) scaled pixels. scale: scaled pixels per pixel of the photo. The first
    panel has room for what lands outside a photo that is scaled up.
    """
    height, width = image.shape[-2:]
    photo = Picture(image, extent=(0, 0, width, height))
    frame = max(1.0, scale) * height, max(1.0, scale) * width
    wrong = Scene(None, [photo, Boxes(rois, roles.BEFORE, name="")], "ROIs as they come", size=frame)
    right = Scene(image, [Boxes(rois / scale, roles.AFTER, name="")], "ROIs divided by the scale")
    return figure_of([wrong, right], 10.4)
