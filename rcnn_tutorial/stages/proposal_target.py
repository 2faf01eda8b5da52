"""The proposal target layer: which ROIs teach the classifier what (post: "Proposal Target Layer")."""

from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.boxes import box_iou, encode
from rcnn_tutorial.config import ProposalTargetConfig
from rcnn_tutorial.devices import constant
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.proposal import Proposals
from rcnn_tutorial.stages.sampling import Generators, random_keys, shuffled_candidates


class RoiAssignment(NamedTuple):
    """Every proposal's overlap and kind before sampling."""

    max_overlaps: Tensor  # (B, R) IoU with the closest object; 0 without objects
    object_indices: Tensor  # (B, R) that object
    foreground: Tensor  # (B, R) IoU at or above the foreground threshold
    background: Tensor  # (B, R) IoU in [background_low, background_high)


class ProposalTargets(NamedTuple):
    """The sampled ROIs and what the classifier should say of each: foreground first, then background."""

    rois: Tensor  # (B, S, 4) scaled pixels, constants
    labels: Tensor  # (B, S) class 1..C, 0 for background
    coefficients: Tensor  # (B, S, 4) from the ROI to its object, normalized; meaningful for foreground only
    roi_indices: Tensor  # (B, S) the row of the proposals each ROI was drawn from
    max_overlaps: Tensor  # (B, S) IoU with the closest object
    assignment: RoiAssignment  # the state before sampling, for those who want to look


def proposal_target_layer(
    proposals: Proposals, ground_truth: GroundTruth, config: ProposalTargetConfig, generator: Generators = None
) -> ProposalTargets:
    """Sample foreground and background ROIs in a fixed proportion and compute their targets.

    generator: source of the random choice. Coefficients are divided by `target_stds`, which brings all four to a
    comparable spread. The ROIs keep their gradient; the targets have none.
    """
    assignment = assign_rois(proposals.boxes.detach(), proposals.valid, ground_truth, config)
    keys = random_keys(proposals.valid, generator)  # (B, R)
    chosen, foreground = sample_rois(assignment, keys, config)  # (B, S) each
    rois = proposals.boxes.gather(1, chosen[..., None].expand(-1, -1, 4))  # (B, S, 4)
    objects = assignment.object_indices.gather(1, chosen)  # (B, S)
    labels = ground_truth.labels.gather(1, objects) * foreground  # (B, S)
    matched = ground_truth.boxes.gather(1, objects[..., None].expand(-1, -1, 4))  # (B, S, 4)
    coefficients = normalize_coefficients(encode(matched, rois.detach()), config)  # (B, S, 4)
    overlaps = assignment.max_overlaps.gather(1, chosen)  # (B, S)
    return ProposalTargets(rois, labels, coefficients, chosen, overlaps, assignment)


def append_ground_truth(proposals: Proposals, ground_truth: GroundTruth) -> Proposals:
    """Add the objects' own boxes behind the proposals, with score 1 and no anchor (-1)."""
    valid = ground_truth.valid  # (B, G)
    return Proposals(
        torch.cat([proposals.boxes, ground_truth.boxes], dim=1),
        torch.cat([proposals.scores, valid.to(proposals.scores.dtype)], dim=1),
        torch.cat([proposals.anchor_indices, torch.full_like(ground_truth.labels, -1)], dim=1),
        torch.cat([proposals.valid, valid], dim=1),
    )


def assign_rois(boxes: Tensor, valid: Tensor, ground_truth: GroundTruth, config: ProposalTargetConfig) -> RoiAssignment:
    """Compare every proposal (B, R, 4) with every object. Padded rows are neither foreground nor background.

    An image where nothing qualifies (no objects at all, say, and background_low above 0) takes all its proposals as
    background, where the reference stops with an error.
    """
    overlaps = box_iou(boxes, ground_truth.boxes)  # (B, R, G)
    max_overlaps, object_indices = overlaps.max(dim=2)  # (B, R) each; padded objects are empty and overlap nothing
    foreground = valid & (max_overlaps >= config.foreground_threshold)  # (B, R)
    background = valid & (max_overlaps < config.background_high) & (max_overlaps >= config.background_low)  # (B, R)
    nothing = ~(foreground | background).any(dim=1, keepdim=True)  # (B, 1)
    return RoiAssignment(max_overlaps, object_indices, foreground, background | (nothing & valid))


def sample_rois(assignment: RoiAssignment, keys: Tensor, config: ProposalTargetConfig) -> tuple[Tensor, Tensor]:
    """Draw batch_size ROIs per image: at most foreground_fraction of them foreground, the rest background.

    keys: (B, R) random numbers in [0, 1), which order the candidates. Kinds that are too few are drawn again in turn:
    background always, foreground only in an image that has no background at all.
    Returns indices (B, S) into the proposals and whether each is foreground (B, S).
    """
    size = config.batch_size
    foreground_order = shuffled_candidates(assignment.foreground, keys, size)  # (B, K)
    background_order = shuffled_candidates(assignment.background, keys, size)  # (B, K)
    foreground_count = assignment.foreground.sum(dim=1, keepdim=True)  # (B, 1)
    background_count = assignment.background.sum(dim=1, keepdim=True)  # (B, 1)
    share = foreground_count.clamp(max=round(size * config.foreground_fraction))  # (B, 1)
    share = torch.where(background_count > 0, share, size)  # (B, 1)

    place = torch.arange(size, device=keys.device).expand(len(keys), size)  # (B, S)
    is_foreground = place < share  # (B, S)
    pick_foreground = foreground_order.gather(1, place % cycle_length(foreground_count, foreground_order))  # (B, S)
    pick_background = background_order.gather(1, (place - share) % cycle_length(background_count, background_order))
    return torch.where(is_foreground, pick_foreground, pick_background), is_foreground


def cycle_length(count: Tensor, order: Tensor) -> Tensor:
    """How many entries of `order` (B, K) to cycle through when `count` (B, 1) candidates exist: (B, 1), at least 1."""
    return count.clamp(min=1, max=order.shape[1])


def normalize_coefficients(coefficients: Tensor, config: ProposalTargetConfig) -> Tensor:
    """(t - mean) / std for each of the four. coefficients: (..., 4)."""
    means, stds = _statistics(config, coefficients)
    return (coefficients - means) / stds


def denormalize_coefficients(coefficients: Tensor, config: ProposalTargetConfig) -> Tensor:
    """The inverse of `normalize_coefficients`. coefficients: (..., 4)."""
    means, stds = _statistics(config, coefficients)
    return coefficients * stds + means


def _statistics(config: ProposalTargetConfig, like: Tensor) -> tuple[Tensor, Tensor]:
    """The configured means and standard deviations, (4,) each, of the type and on the device of `like`."""
    means, stds = tuple(config.target_means), tuple(config.target_stds)
    return constant(means, like.device, like.dtype), constant(stds, like.device, like.dtype)


def expand_to_classes(targets: ProposalTargets, classes: int) -> tuple[Tensor, Tensor]:
    """The post's figure: spread each target over 4 * (C + 1) columns, with a mask of the right class's four.

    classes: C + 1, background included. Returns targets and the 0/1 mask ("bbox_inside_weights"), both
    (B, S, 4 * classes). Background rows are all 0. The loss picks the four directly; the result is the same.
    """
    foreground = targets.labels > 0  # (B, S)
    one_hot = torch.nn.functional.one_hot(targets.labels, classes) * foreground[..., None]  # (B, S, classes)
    mask = one_hot[..., None].expand(*one_hot.shape, 4).flatten(2).to(targets.coefficients.dtype)
    spread = targets.coefficients.repeat(1, 1, classes)  # (B, S, 4 * classes)
    return torch.where(mask > 0, spread, 0.0), mask
