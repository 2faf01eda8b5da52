"""The anchor target layer: which anchors teach the RPN what (post: "Anchor Target Layer")."""

from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.boxes import box_iou, encode
from rcnn_tutorial.config import AnchorTargetConfig
from rcnn_tutorial.stages.anchors import inside_image
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.sampling import Generators, random_keys, random_subset

FOREGROUND, BACKGROUND, DONT_CARE = 1, 0, -1


class AnchorAssignment(NamedTuple):
    """Every anchor's label before sampling, with the overlaps that decided it."""

    labels: Tensor  # (B, N) FOREGROUND, BACKGROUND or DONT_CARE
    max_overlaps: Tensor  # (B, N) IoU with the closest object; 0 without objects
    object_indices: Tensor  # (B, N) that object
    type_a: Tensor  # (B, N) the best anchor of some object, or tied with it; its own closest may be another object
    type_b: Tensor  # (B, N) overlaps some object by at least the positive threshold


class AnchorTargets(NamedTuple):
    """What the RPN loss needs."""

    labels: Tensor  # (B, N) FOREGROUND, BACKGROUND or DONT_CARE, after sampling
    coefficients: Tensor  # (B, N, 4) from the anchor to its closest object; meaningful for foreground only
    box_weights: Tensor  # (B, N) each anchor's weight in the box loss: 0 unless foreground
    assignment: AnchorAssignment  # the state before sampling, for those who want to look


def anchor_target_layer(
    anchors: Tensor,
    ground_truth: GroundTruth,
    sizes: Tensor,
    config: AnchorTargetConfig,
    generator: Generators = None,
    available: Tensor | None = None,
) -> AnchorTargets:
    """Label the anchors inside the image, sample a fixed number of them, and compute their regression targets.

    anchors: (N, 4) scaled pixels. sizes: (B, 2) image height and width. generator: source of the random choice.
    available: (B, N), False for anchors of padded cells; None if no cell is padded.
    """
    inside = inside_image(anchors, sizes, config.border)  # (B, N)
    available = torch.ones_like(inside) if available is None else available  # (B, N)
    assignment = assign_anchors(anchors, ground_truth, inside & available, config)
    labels = sample_labels(assignment.labels, random_keys(available, generator), config)  # (B, N)
    matched = ground_truth.boxes.gather(1, assignment.object_indices[..., None].expand(-1, -1, 4))  # (B, N, 4)
    return AnchorTargets(labels, encode(matched, anchors), box_weights(labels, config.positive_weight), assignment)


def assign_anchors(
    anchors: Tensor, ground_truth: GroundTruth, inside: Tensor, config: AnchorTargetConfig
) -> AnchorAssignment:
    """Label every anchor by its overlap with the objects, without sampling.

    Foreground is type A, every anchor that reaches an object's best IoU, however low, and type B, every anchor whose
    IoU with some object is at least `positive_overlap`. Background stays below `negative_overlap` with all objects.
    The rest, and all anchors that are not `inside` (B, N), is don't care.
    """
    overlaps = box_iou(anchors, ground_truth.boxes) * inside[..., None]  # (B, N, G); padded objects overlap nothing
    max_overlaps, object_indices = overlaps.max(dim=2)  # (B, N) each
    best = overlaps.amax(dim=1, keepdim=True)  # (B, 1, G): each object's best IoU
    # An object that touches no anchor has no best one. With a best IoU of 0 it would tie with every anchor elsewhere,
    # and all of them would become foreground, as they do in the reference.
    type_a = ((overlaps == best) & (best > 0)).any(dim=2)  # (B, N)
    type_b = inside & (max_overlaps >= config.positive_overlap)  # (B, N)
    background = inside & (max_overlaps < config.negative_overlap)  # (B, N)

    labels = torch.full_like(object_indices, DONT_CARE)  # (B, N)
    labels[background] = BACKGROUND  # first, so that foreground takes the type A anchors of low overlap from it ...
    labels[type_a | type_b] = FOREGROUND
    if config.clobber_positives:
        labels[background] = BACKGROUND  # ... or last, to take them back
    return AnchorAssignment(labels, max_overlaps, object_indices, type_a, type_b)


def sample_labels(labels: Tensor, keys: Tensor, config: AnchorTargetConfig) -> Tensor:
    """Keep at most batch_size * foreground_fraction foreground, fill up with background, and forget the rest.

    labels: (B, N). keys: (B, N) random numbers, the highest of which stay. Too few foreground anchors are made up for
    with background; too few background anchors leave the batch short. Returns labels (B, N).
    """
    most = int(config.batch_size * config.foreground_fraction)
    foreground = random_subset(labels == FOREGROUND, keys, most, most)  # (B, N)
    room = config.batch_size - foreground.sum(dim=1)  # (B,)
    background = random_subset(labels == BACKGROUND, keys, room, config.batch_size)  # (B, N)
    return torch.where(foreground | background, labels, DONT_CARE)


def box_weights(labels: Tensor, positive_weight: float) -> Tensor:
    """Each foreground anchor's weight in the box loss: (B, N).

    One over the number of sampled anchors, or `positive_weight` shared out evenly among the foreground.
    """
    foreground = labels == FOREGROUND  # (B, N)
    if positive_weight < 0:
        total = (labels >= 0).sum(dim=1, keepdim=True).clamp(min=1)  # (B, 1)
        return foreground / total
    return foreground * positive_weight / foreground.sum(dim=1, keepdim=True).clamp(min=1)
