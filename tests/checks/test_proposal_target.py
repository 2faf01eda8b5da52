"""The checks of lesson 04: right answers pass, whatever their style."""

import numpy as np
import pytest
import torch

import rcnn_tutorial.checks.proposal_target as check
from rcnn_tutorial.config import ProposalTargetConfig
from rcnn_tutorial.stages import proposal_target as stage
from rcnn_tutorial.stages.preprocessing import GroundTruth

# ---- right answers


def label_loop(overlaps, labels, fg_thresh, bg_high, bg_low):
    found = []
    for row in overlaps.tolist():
        best = max(row)
        if best >= fg_thresh:
            found.append(int(labels[row.index(best)]))
        else:
            found.append(0 if bg_low <= best < bg_high else -1)
    return found


def label_numpy(overlaps, labels, fg_thresh, bg_high, bg_low):
    overlaps, labels = overlaps.numpy(), labels.numpy()
    best = overlaps.max(1)
    kinds = [best >= fg_thresh, (best >= bg_low) & (best < bg_high)]
    return np.select(kinds, [labels[overlaps.argmax(1)], 0], -1)


def label_torch(overlaps, labels, fg_thresh, bg_high, bg_low):
    best, closest = overlaps.max(1)
    found = labels[closest]
    found[best < fg_thresh] = -1
    found[(best < bg_high) & (best >= bg_low)] = 0
    return found


def sample_loop(foreground, background, batch_size, fraction):
    rows = list(foreground[: round(batch_size * fraction)])
    k = 0
    while len(rows) < batch_size:
        rows.append(background[k % len(background)])
        k += 1
    return rows


def sample_torch(foreground, background, batch_size, fraction):
    first = torch.tensor(foreground, dtype=torch.long)[: round(batch_size * fraction)]
    rest = torch.tensor(background).repeat(batch_size)[: batch_size - len(first)]
    return torch.cat([first, rest])


def sample_numpy(foreground, background, batch_size, fraction):
    first = np.array(foreground[: round(batch_size * fraction)], dtype=int)
    return np.concatenate([first, np.resize(background, batch_size - len(first))])


def expand_loop(coefficients, labels, classes):
    targets, mask = torch.zeros(len(labels), 4 * classes), torch.zeros(len(labels), 4 * classes)
    for row, label in enumerate(labels.tolist()):
        if label > 0:
            targets[row, 4 * label : 4 * label + 4] = coefficients[row]
            mask[row, 4 * label : 4 * label + 4] = 1
    return targets, mask


def expand_numpy(coefficients, labels, classes):
    mask = np.kron(np.eye(classes)[labels.numpy()], np.ones(4))
    mask[labels.numpy() == 0] = 0
    return [np.tile(coefficients.numpy(), classes) * mask, mask]


def expand_with_the_stage(coefficients, labels, classes):
    targets = stage.ProposalTargets(None, labels[None], coefficients[None], None, None, None)
    return tuple(part[0] for part in stage.expand_to_classes(targets, classes))


@pytest.mark.parametrize("answer", [label_loop, label_numpy, label_torch])
def test_right_labels_pass(answer):
    assert check.label_rois(answer).passed


@pytest.mark.parametrize("answer", [sample_loop, sample_torch, sample_numpy])
def test_right_samples_pass(answer):
    assert check.sample_rois(answer).passed


@pytest.mark.parametrize("answer", [expand_loop, expand_numpy, expand_with_the_stage])
def test_right_expansions_pass(answer):
    assert check.expand_to_classes(answer).passed


def test_labels_are_those_of_the_stage():
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(60, 2, 2, generator=generator).sort(dim=1).values * 100
    boxes, truth = corners[3:].reshape(1, -1, 4), GroundTruth(corners[:3].reshape(1, 3, 4), torch.tensor([[4, 9, 2]]))
    config = ProposalTargetConfig(0.5, 0.4, 0.2)
    kinds = stage.assign_rois(boxes, torch.ones(1, 57, dtype=torch.bool), truth, config)
    expected = torch.where(kinds.foreground, truth.labels.gather(1, kinds.object_indices), -1)
    expected = torch.where(kinds.background, 0, expected)[0]
    overlaps = stage.box_iou(boxes, truth.boxes)[0]
    assert torch.equal(check.label_rois.right(overlaps, truth.labels[0], 0.5, 0.4, 0.2), expected)
    assert {-1, 0} < set(expected.tolist())


@pytest.mark.parametrize("batch_size", [6, 12, 64])
def test_samples_are_those_of_the_stage(batch_size):
    kinds = torch.tensor([[1, 0, 0, 1, 2, 1, 0, 0, 1, 1, 0, 2]])
    keys = torch.rand(1, 12, generator=torch.Generator().manual_seed(batch_size))
    assignment = stage.RoiAssignment(None, None, kinds == 1, kinds == 0)
    rows, _ = stage.sample_rois(assignment, keys, ProposalTargetConfig(batch_size=batch_size))
    order = keys[0].argsort(descending=True).tolist()
    foreground, background = ([row for row in order if kinds[0, row] == kind] for kind in (1, 0))
    assert check.sample_rois.right(foreground, background, batch_size, 0.25) == rows[0].tolist()
