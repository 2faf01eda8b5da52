"""The target layers that are measured side by side give the same targets, but for the random choice."""

from dataclasses import replace

import numpy as np
import torch

from rcnn_tutorial.benchmark import cases, reference
from rcnn_tutorial.boxes import encode
from rcnn_tutorial.config import Config
from rcnn_tutorial.stages.anchor_target import anchor_target_layer
from rcnn_tutorial.stages.proposal_target import assign_rois, normalize_coefficients

CONFIG = Config()
GIVEN = cases.target_input(side=300, objects=5)
OBJECTS, LABELS = GIVEN.truth.boxes[0], GIVEN.truth.labels[0] + torch.arange(5)
SIZE = tuple(GIVEN.sizes[0].tolist())


def numpy_anchor_targets(config):
    return reference.anchor_targets(GIVEN.anchors.numpy(), OBJECTS.numpy(), SIZE, config, np.random.default_rng(0))


def test_numpy_labels_the_same_anchors_when_all_are_sampled():
    everything = replace(CONFIG.anchor_targets, batch_size=10**6, foreground_fraction=1.0)
    labels, coefficients = numpy_anchor_targets(everything)
    found = anchor_target_layer(GIVEN.anchors, GIVEN.truth, GIVEN.sizes, everything)
    assert labels.tolist() == found.labels[0].tolist()
    assert {-1, 0, 1} == set(labels.tolist())
    foreground = labels == 1
    close = torch.testing.assert_close
    close(torch.tensor(coefficients[foreground]), found.coefficients[0, foreground], atol=1e-5, rtol=0)


def test_numpy_samples_as_many_anchors():
    labels, _ = numpy_anchor_targets(CONFIG.anchor_targets)
    found = anchor_target_layer(GIVEN.anchors, GIVEN.truth, GIVEN.sizes, CONFIG.anchor_targets).labels[0]
    assert [(labels == kind).sum() for kind in (0, 1)] == [(found == kind).sum() for kind in (0, 1)]


def test_numpy_gives_the_rois_that_it_draws_the_same_targets():
    config, boxes = CONFIG.proposal_targets, GIVEN.proposals.boxes[0]
    rng = np.random.default_rng(0)
    chosen, labels, coefficients = reference.proposal_targets(
        boxes.numpy(), OBJECTS.numpy(), LABELS.numpy(), config, rng
    )
    kinds = assign_rois(boxes[None], GIVEN.proposals.valid, GIVEN.truth, config)
    objects = kinds.object_indices[0, chosen]
    assert torch.equal(torch.tensor(labels), LABELS[objects] * kinds.foreground[0, chosen])
    assert (labels > 0).sum() == round(config.batch_size * config.foreground_fraction)
    assert (kinds.foreground | kinds.background)[0, chosen].all()
    expected = normalize_coefficients(encode(OBJECTS[objects], boxes[chosen]), config)
    torch.testing.assert_close(torch.tensor(coefficients).float(), expected, atol=1e-4, rtol=1e-4)


def test_torchvision_finds_the_same_foreground():
    """It samples from all anchors, ours from those inside; what is foreground for ours is foreground there."""
    labels, _, _, (rois, _, classes, _) = cases.peer_target_layers()()
    anchors, proposals = cases.target_layers()()
    ours = anchors.assignment.labels[0] == 1
    assert ours.any() and (labels[0][ours] == 1).all()
    assert (classes[0] > 0).sum() == (proposals.labels[0] > 0).sum() == 32
    assert len(rois[0]) == proposals.labels.shape[1] == 128
