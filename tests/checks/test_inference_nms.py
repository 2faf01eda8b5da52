"""The checks of lesson 07: right answers pass, whatever their style."""

import numpy as np
import pytest
import torch
import torchvision

import rcnn_tutorial.checks.inference_nms as check
from rcnn_tutorial.boxes import box_iou

# ---- correct answers


def nms_in_loops(boxes, scores, threshold):
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: -float(scores[i])):
        if all(float(box_iou(boxes[i, None], boxes[j, None])) <= threshold for j in kept):
            kept.append(i)
    return kept


def nms_in_numpy(boxes, scores, threshold):
    boxes, order, kept = boxes.numpy(), np.argsort(-scores.numpy()), []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        sides = np.minimum(boxes[best, 2:], boxes[order, 2:]) - np.maximum(boxes[best, :2], boxes[order, :2])
        shared = np.clip(sides, 0, None).prod(axis=1)
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        order = order[shared / (area[best] + area[order] - shared) <= threshold]
    return np.array(kept)


def detections_class_by_class(boxes, probabilities, score_threshold, nms_threshold):
    parts = []
    for label in range(1, probabilities.shape[1]):
        rows = torch.nonzero(probabilities[:, label] > score_threshold).flatten()
        keep = rows[torchvision.ops.nms(boxes[rows, label], probabilities[rows, label], nms_threshold)]
        parts.append((boxes[keep, label], torch.full((len(keep),), label), probabilities[keep, label]))
    found, labels, scores = (torch.cat(column) for column in zip(*parts, strict=True))
    order = scores.argsort(descending=True)
    return found[order], labels[order], scores[order]


def detections_with_offsets(boxes, probabilities, score_threshold, nms_threshold):
    """Classes are moved apart, so that boxes of different classes never overlap."""
    rois, labels = torch.where(probabilities[:, 1:] > score_threshold)
    labels = labels + 1
    found, scores = boxes[rois, labels], probabilities[rois, labels]
    keep = torchvision.ops.nms(found + 1000.0 * labels[:, None], scores, nms_threshold)
    return found[keep], labels[keep], scores[keep]


def average_precision_in_loops(scores, correct, objects):
    found, curve = 0, []
    for rank, i in enumerate(sorted(range(len(scores)), key=lambda i: -float(scores[i])), start=1):
        found += bool(correct[i])
        curve.append((found / objects, found / rank))
    points = [max([p for r, p in curve if r >= t / 10], default=0.0) for t in range(11)]
    return sum(points) / 11


def average_precision_in_numpy(scores, correct, objects):
    right = np.cumsum(correct.numpy()[np.argsort(-scores.numpy())])
    precision, recall = right / np.arange(1, len(right) + 1), right / objects
    return np.mean([precision[recall >= t].max(initial=0) for t in np.linspace(0, 1, 11)])


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (check.nms, nms_in_loops),
        (check.nms, nms_in_numpy),
        (check.nms, torchvision.ops.nms),
        (check.detections, detections_class_by_class),
        (check.detections, detections_with_offsets),
        (check.average_precision, average_precision_in_loops),
        (check.average_precision, average_precision_in_numpy),
    ],
    ids=lambda part: getattr(part, "__name__", None) or part.name,
)
def test_correct_answers_of_any_style_pass(exercise, answer):
    verdict = exercise(answer)
    assert verdict.passed, verdict.message
