"""Proposals against the reference's ROIs, and batches whose images differ in size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.ops import nms

from rcnn_tutorial.boxes import clip, decode
from rcnn_tutorial.config import AnchorConfig, ProposalConfig
from rcnn_tutorial.stages.anchors import generate_anchors, inside_features
from rcnn_tutorial.stages.proposal import proposal_layer
from rcnn_tutorial.stages.rpn import RPNOutputs, flatten_coefficients, flatten_scores

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "05_proposal_layer.npz")
CASES = ("train_defaults", "test_defaults", "small_topn", "odd")
LAST_PIXEL = torch.tensor([1, 1])  # the reference clips to the last pixel's index, we to the image's edge


def figure(name: str) -> torch.Tensor:
    return torch.tensor(GOLDEN[name])


def golden_inputs(case: str) -> tuple[RPNOutputs, torch.Tensor, torch.Tensor]:
    """The case's RPN outputs, anchors and image size (1, 2)."""
    coefficients = figure(f"{case}__rpn_bbox_pred").permute(0, 3, 1, 2)  # (1, 4A, H, W)
    scores = figure(f"{case}__rpn_cls_score")  # (1, 2A, H, W)
    anchors = generate_anchors(*scores.shape[-2:], 16, AnchorConfig())
    rpn = RPNOutputs(flatten_scores(scores), flatten_coefficients(coefficients))
    return rpn, anchors, figure(f"{case}__im_hw")[None]


def propose(case: str, pre: int, post: int, threshold: float = 0.7):
    rpn, anchors, sizes = golden_inputs(case)
    config = ProposalConfig(pre, post, pre, post, threshold)
    return proposal_layer(rpn, anchors, torch.ones(1, len(anchors)).bool(), sizes - LAST_PIXEL, config, training=True)


def assert_same_rois(found, boxes, scores):
    """Equal scores in the same order, and equal boxes; boxes of equal score may come in any order."""
    torch.testing.assert_close(found.scores[0], scores.flatten(), rtol=0, atol=1e-6)
    distances = (found.boxes[0, :, None] - boxes).abs().amax(dim=2)  # (R, R)
    assert distances.amin(dim=0).max() < 1e-3 and distances.amin(dim=1).max() < 1e-3
    assert (distances.diagonal() < 1e-3).float().mean() > 0.99


@pytest.mark.parametrize("case", CASES)
def test_rois_of_the_reference(case):
    found = propose(case, *figure(f"{case}__topn").tolist())
    assert found.valid.all()
    assert_same_rois(found, figure(f"{case}__rois")[:, 1:], figure(f"{case}__roi_scores"))


@pytest.mark.parametrize("case", CASES)
def test_the_fifty_best_of_the_reference_without_suppression(case):
    found = propose(case, 50, 50, threshold=1.0)
    assert_same_rois(found, figure(f"{case}__top50_rois")[:, 1:], figure(f"{case}__top50_scores"))


@pytest.mark.parametrize("case", CASES)
def test_reference_of_2018_suppressed_boxes_one_pixel_larger(case):
    rpn, anchors, sizes = golden_inputs(case)
    pre, post = figure(f"{case}__topn").tolist()
    scores, order = rpn.foreground[0].topk(min(pre, len(anchors)))
    boxes = clip(decode(rpn.coefficients[0], anchors), sizes[0] - 1)[order]
    larger = order[nms(boxes + torch.tensor([0, 0, 1, 1]), scores, 0.7)][:post]
    assert torch.equal(larger.sort().values, figure(f"{case}__plus1nms_keep_anchor_idx").sort().values)
    ours = propose(case, pre, post).anchor_indices[0]
    assert torch.equal(ours, order[nms(boxes, scores, 0.7)][:post])  # boxes as they are


def test_boxes_reach_the_edge_of_the_image_and_not_beyond():
    rpn, anchors, sizes = golden_inputs("odd")
    found = proposal_layer(rpn, anchors, torch.ones(1, len(anchors)).bool(), sizes, ProposalConfig(), training=False)
    assert found.boxes.min() == 0
    assert found.boxes[..., 2].max() == sizes[0, 1] and found.boxes[..., 3].max() == sizes[0, 0]


def test_limits_differ_between_training_and_inference():
    rpn, anchors, sizes = golden_inputs("odd")
    available = torch.ones(1, len(anchors)).bool()
    config = ProposalConfig(5000, 40, 100, 30)
    assert proposal_layer(rpn, anchors, available, sizes, config, training=True).boxes.shape == (1, 40, 4)
    assert proposal_layer(rpn, anchors, available, sizes, config, training=False).boxes.shape == (1, 30, 4)


def test_anchors_of_padded_cells_propose_nothing():
    torch.manual_seed(0)
    anchors = generate_anchors(4, 4, 16, AnchorConfig(scales=(1,)))
    rpn = RPNOutputs(torch.randn(2, 48, 2), torch.zeros(2, 48, 4))
    available = inside_features((4, 4), torch.tensor([[4, 4], [1, 2]]), anchors_per_cell=3)
    sizes = torch.tensor([[64, 64], [16, 32]])
    found = proposal_layer(rpn, anchors, available, sizes, ProposalConfig(nms_threshold=1.0), training=True)
    assert found.valid.sum(dim=1).tolist() == [48, 6]
    assert available[1][found.anchor_indices[1][found.valid[1]]].all()
    assert not found.boxes[~found.valid].any() and not found.scores[~found.valid].any()
    assert (found.scores.diff(dim=1) <= 0).all()  # best first, padding last


def test_gradients_flow_to_the_coefficients_and_not_to_the_scores():
    anchors = generate_anchors(4, 4, 16, AnchorConfig(scales=(1,)))
    scores, coefficients = torch.randn(1, 48, 2, requires_grad=True), torch.zeros(1, 48, 4, requires_grad=True)
    found = proposal_layer(
        RPNOutputs(scores, coefficients),
        anchors,
        torch.ones(1, 48).bool(),
        torch.tensor([[64, 64]]),
        ProposalConfig(),
        True,
    )
    assert not found.scores.requires_grad
    found.boxes.sum().backward()
    assert scores.grad is None and coefficients.grad.any()
