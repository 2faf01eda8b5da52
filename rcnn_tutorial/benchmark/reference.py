"""The two target layers in NumPy, one image at a time, as the reference code computes them on the CPU.

Nothing in the package needs them: they are what `cases.stages` measures ours against.
"""

import numpy as np

from rcnn_tutorial.config import AnchorTargetConfig, ProposalTargetConfig


def anchor_targets(
    anchors: np.ndarray, objects: np.ndarray, size: tuple, config: AnchorTargetConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) of the anchors (N, 4) in an image of `size` (height, width), and coefficients (N, 4)."""
    inside = np.flatnonzero((anchors[:, :2] >= 0).all(axis=1) & (anchors[:, 2:] <= size[::-1]).all(axis=1))  # (I,)
    overlaps = iou(anchors[inside], objects)  # (I, G)
    best, largest = overlaps.max(axis=0), overlaps.max(axis=1)  # (G,), (I,)
    some = np.full(len(inside), -1)  # (I,)
    some[largest < config.negative_overlap] = 0
    some[((overlaps == best) & (best > 0)).any(axis=1) | (largest >= config.positive_overlap)] = 1
    forget(some, 1, int(config.batch_size * config.foreground_fraction), rng)
    forget(some, 0, config.batch_size - (some == 1).sum(), rng)
    labels, coefficients = np.full(len(anchors), -1), np.zeros(anchors.shape, anchors.dtype)
    labels[inside] = some
    coefficients[inside] = encode(objects[overlaps.argmax(axis=1)], anchors[inside])
    return labels, coefficients


def forget(labels: np.ndarray, kind: int, count: int, rng: np.random.Generator) -> None:
    """Make all but `count` of the labels of this kind -1, at random."""
    those = np.flatnonzero(labels == kind)
    if len(those) > count:
        labels[rng.choice(those, len(those) - count, replace=False)] = -1


def proposal_targets(
    rois: np.ndarray, objects: np.ndarray, classes: np.ndarray, config: ProposalTargetConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of the ROIs (R, 4) are drawn (S,), their labels (S,) and coefficients (S, 4)."""
    overlaps = iou(rois, objects)  # (R, G)
    largest, closest = overlaps.max(axis=1), overlaps.argmax(axis=1)  # (R,) each
    foreground = np.flatnonzero(largest >= config.foreground_threshold)
    background = np.flatnonzero((largest < config.background_high) & (largest >= config.background_low))
    count = min(round(config.batch_size * config.foreground_fraction), len(foreground))
    missing = config.batch_size - count
    drawn = rng.choice(foreground, count, replace=False)
    filling = rng.choice(background, missing, replace=len(background) < missing)
    chosen = np.concatenate([drawn, filling])  # (S,)
    labels = classes[closest[chosen]] * (np.arange(len(chosen)) < count)  # (S,)
    coefficients = encode(objects[closest[chosen]], rois[chosen])  # (S, 4)
    return chosen, labels, (coefficients - config.target_means) / config.target_stds


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4)."""
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])  # (N, M, 2)
    intersection = (high - low).clip(min=0).prod(axis=2)  # (N, M)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(axis=1), (b[:, 2:] - b[:, :2]).prod(axis=1)  # (N,), (M,)
    return intersection / (area_a[:, None] + area_b - intersection)


def encode(boxes: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Regression coefficients (N, 4) from reference boxes (N, 4) to boxes (N, 4)."""
    sizes, reference_sizes = boxes[:, 2:] - boxes[:, :2], references[:, 2:] - references[:, :2]  # (N, 2)
    shift = (boxes[:, :2] + boxes[:, 2:] - references[:, :2] - references[:, 2:]) / 2  # (N, 2)
    return np.concatenate([shift / reference_sizes, np.log(sizes / reference_sizes)], axis=1)
