"""The checks of lesson 06: right answers pass, whatever their style."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import rcnn_tutorial.checks.classification as check

# ---- correct answers


def likeliest_in_torch(scores):
    probabilities, labels = F.softmax(scores, dim=1).max(dim=1)
    return labels, probabilities


def likeliest_in_numpy(scores):
    scores = scores.numpy()
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    return probabilities.argmax(axis=1), probabilities.max(axis=1)


def likeliest_in_loops(scores):
    labels, probabilities = [], []
    for row in scores.tolist():
        powers = [math.exp(score - max(row)) for score in row]
        labels.append(row.index(max(row)))
        probabilities.append(max(powers) / sum(powers))
    return labels, probabilities


def class_box_in_torch(rois, coefficients, labels, stds):
    t = coefficients[torch.arange(len(rois)), labels] * stds
    size = rois[:, 2:] - rois[:, :2]
    center = (rois[:, :2] + rois[:, 2:]) / 2 + t[:, :2] * size
    size = size * t[:, 2:].exp()
    return torch.cat([center - size / 2, center + size / 2], dim=1)


def class_box_in_numpy(rois, coefficients, labels, stds):
    rois, t = rois.numpy(), coefficients.numpy()[range(len(labels)), labels.numpy()] * stds.numpy()
    size = rois[:, 2:] - rois[:, :2]
    center = rois[:, :2] + size / 2 + t[:, :2] * size
    half = size * np.exp(t[:, 2:]) / 2
    return np.concatenate([center - half, center + half], axis=1)


def class_box_in_loops(rois, coefficients, labels, stds):
    boxes = []
    for (x1, y1, x2, y2), rows, label in zip(rois.tolist(), coefficients.tolist(), labels.tolist(), strict=True):
        tx, ty, tw, th = (t * s for t, s in zip(rows[label], stds.tolist(), strict=True))
        x, y = (x1 + x2) / 2 + tx * (x2 - x1), (y1 + y2) / 2 + ty * (y2 - y1)
        w, h = (x2 - x1) * math.exp(tw), (y2 - y1) * math.exp(th)
        boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    return torch.tensor(boxes)


def box_loss_in_torch(coefficients, labels, targets):
    mine = coefficients[torch.arange(len(labels)), labels]
    losses = F.smooth_l1_loss(mine, targets, reduction="none").sum(dim=1)
    return losses[labels > 0].sum() / len(labels)


def box_loss_with_a_mask(coefficients, labels, targets):
    mask = F.one_hot(labels, coefficients.shape[1]) * (labels > 0)[:, None]
    difference = (coefficients - targets[:, None]) * mask[..., None]
    size = difference.abs()
    return torch.where(size < 1, size**2 / 2, size - 0.5).sum() / len(labels)


def box_loss_in_loops(coefficients, labels, targets):
    total = 0.0
    for s, label in enumerate(labels.tolist()):
        for i in range(4):
            size = abs(float(coefficients[s, label, i] - targets[s, i])) if label > 0 else 0.0
            total += size**2 / 2 if size < 1 else size - 0.5
    return total / len(labels)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (check.likeliest, likeliest_in_torch),
        (check.likeliest, likeliest_in_numpy),
        (check.likeliest, likeliest_in_loops),
        (check.class_box, class_box_in_torch),
        (check.class_box, class_box_in_numpy),
        (check.class_box, class_box_in_loops),
        (check.box_loss, box_loss_in_torch),
        (check.box_loss, box_loss_with_a_mask),
        (check.box_loss, box_loss_in_loops),
    ],
    ids=lambda part: getattr(part, "__name__", None) or part.name,
)
def test_correct_answers_of_any_style_pass(exercise, answer):
    verdict = exercise(answer)
    assert verdict.passed, verdict.message
