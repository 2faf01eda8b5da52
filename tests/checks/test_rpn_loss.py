"""The checks of lesson 03: right answers pass, whatever their style."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import rcnn_tutorial.checks.rpn_loss as check
from rcnn_tutorial.boxes import box_iou

CHECKS = {"encode": check.encode, "label_anchors": check.label_anchors, "smooth_l1": check.smooth_l1}


def encode_in_a_loop(boxes, references):
    rows = []
    for (x1, y1, x2, y2), (p1, q1, p2, q2) in zip(boxes.tolist(), references.tolist(), strict=True):
        width, height = p2 - p1, q2 - q1
        shift = ((x1 + x2 - p1 - p2) / 2 / width, (y1 + y2 - q1 - q2) / 2 / height)
        rows.append([*shift, math.log((x2 - x1) / width), math.log((y2 - y1) / height)])
    return rows


def encode_with_numpy(boxes, references):
    def center_form(b):
        b = b.numpy().astype(np.float64)
        return (b[:, :2] + b[:, 2:]) / 2, b[:, 2:] - b[:, :2]

    (center, size), (reference_center, reference_size) = center_form(boxes), center_form(references)
    return np.hstack([(center - reference_center) / reference_size, np.log(size) - np.log(reference_size)])


def encode_with_torch(boxes, references):
    size, reference_size = boxes[:, 2:] - boxes[:, :2], references[:, 2:] - references[:, :2]
    shift = ((boxes[:, :2] + size / 2) - (references[:, :2] + reference_size / 2)) / reference_size
    return torch.cat([shift, (size / reference_size).log()], 1)


def label_in_a_loop(anchors, objects, positive, negative):
    overlaps = box_iou(anchors, objects).tolist()
    labels = []
    for row in overlaps:
        labels.append(1 if max(row) >= positive else 0 if max(row) < negative else -1)
    for g in range(len(objects)):
        best = max(row[g] for row in overlaps)
        for n, row in enumerate(overlaps):
            if row[g] == best and best > 0:
                labels[n] = 1
    return labels


def label_with_numpy(anchors, objects, positive, negative):
    a, b = anchors.numpy()[:, None], objects.numpy()[None]  # (N, 1, 4), (1, G, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.clip(sides, 0, None).prod(-1)
    areas = [(x[..., 2] - x[..., 0]) * (x[..., 3] - x[..., 1]) for x in (a, b)]
    overlaps = shared / (areas[0] + areas[1] - shared)
    largest = overlaps.max(1)
    tied = ((overlaps == overlaps.max(0)) & (overlaps.max(0) > 0)).any(1)
    return np.where(tied | (largest >= positive), 1, np.where(largest < negative, 0, -1))


def label_with_torch(anchors, objects, positive, negative):
    overlaps = box_iou(anchors, objects)
    largest = overlaps.max(dim=1).values
    labels = torch.full((len(anchors),), -1)
    labels[largest < negative] = 0
    labels[largest >= positive] = 1
    for column in overlaps.T:
        if column.max() > 0:
            labels[column == column.max()] = 1
    return labels


def smooth_l1_in_a_loop(difference, sigma):
    losses = []
    for x in difference.flatten().tolist():
        losses.append(sigma**2 * x**2 / 2 if abs(x) < 1 / sigma**2 else abs(x) - 0.5 / sigma**2)
    return torch.tensor(losses).view(difference.shape)


def smooth_l1_with_numpy(difference, sigma):
    x = np.abs(difference.numpy())
    return np.where(x * sigma**2 < 1, 0.5 * (sigma * x) ** 2, x - 0.5 / sigma**2)


def smooth_l1_of_pytorch(difference, sigma):
    return F.smooth_l1_loss(difference, torch.zeros_like(difference), reduction="none", beta=1 / sigma**2)


RIGHT = {
    "encode": (encode_in_a_loop, encode_with_numpy, encode_with_torch),
    "label_anchors": (label_in_a_loop, label_with_numpy, label_with_torch),
    "smooth_l1": (smooth_l1_in_a_loop, smooth_l1_with_numpy, smooth_l1_of_pytorch),
}


@pytest.mark.parametrize("name, answer", [(name, answer) for name, answers in RIGHT.items() for answer in answers])
def test_right_answers_of_every_style_pass(name, answer):
    verdict = CHECKS[name](answer)
    assert verdict.passed, verdict.message


def test_changing_the_input_is_noticed():
    def careless(difference, sigma):
        result = smooth_l1_of_pytorch(difference, sigma)
        difference.zero_()
        return result

    verdict = check.smooth_l1(careless)
    assert not verdict.passed
    assert "changes its input" in verdict.message
