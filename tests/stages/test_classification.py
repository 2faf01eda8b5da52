"""The classifier's losses and their gradients against the reference's."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rcnn_tutorial.stages.classification import ClassificationLayer, RoiOutputs, classification_loss, right_class
from rcnn_tutorial.stages.proposal_target import ProposalTargets, expand_to_classes
from rcnn_tutorial.stages.rpn_loss import smooth_l1

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "09_losses.npz")
CLASSES = 21


def figure(name: str) -> torch.Tensor:
    return torch.tensor(GOLDEN[name])


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-7)


def outputs_of(scores, coefficients) -> RoiOutputs:
    """What the loss reads of a RoiOutputs: scores (B, S, C + 1) and coefficients (B, S, C + 1, 4)."""
    return RoiOutputs(None, None, None, scores, coefficients)


def targets_of(labels, coefficients) -> ProposalTargets:
    return ProposalTargets(None, labels, coefficients, None, None, None)


def golden_targets() -> ProposalTargets:
    labels = figure("labels").reshape(1, -1).long()
    return targets_of(labels, right_class(figure("bbox_targets").reshape(1, 64, CLASSES, 4), labels))


def test_losses_and_gradients_of_the_reference():
    scores, coefficients = figure("cls_score").requires_grad_(), figure("bbox_pred").requires_grad_()
    outputs = outputs_of(scores[None], coefficients.unflatten(1, (CLASSES, 4))[None])
    loss = classification_loss(outputs, golden_targets(), sigma=1.0)
    close(loss.class_loss.detach(), figure("loss_cross_entropy"))
    close(loss.box_loss.detach(), figure("loss_loss_box"))
    (loss.class_loss + loss.box_loss).backward()
    close(scores.grad, figure("grad_cls_score"))
    close(coefficients.grad, figure("grad_bbox_pred"))


def test_picking_the_right_class_equals_the_post_s_expanded_and_masked_sum():
    targets, predicted = golden_targets(), figure("bbox_pred")
    spread, mask = expand_to_classes(targets, CLASSES)
    assert torch.equal(spread[0], figure("bbox_targets")) and torch.equal(mask[0], figure("inside_w"))
    masked = smooth_l1(mask * (predicted - spread), 1.0).sum(dim=2).mean()
    outputs = outputs_of(figure("cls_score")[None], predicted.unflatten(1, (CLASSES, 4))[None])
    close(classification_loss(outputs, targets).box_loss, masked)


def test_background_adds_nothing_to_the_box_loss_but_counts_in_its_mean():
    coefficients = torch.zeros(1, 4, 3, 4)
    outputs = outputs_of(torch.zeros(1, 4, 3), coefficients)
    targets = targets_of(torch.tensor([[2, 0, 0, 0]]), torch.full((1, 4, 4), 2.0))
    assert classification_loss(outputs, targets, sigma=1.0).box_loss.item() == pytest.approx(4 * 1.5 / 4)


def test_a_batch_is_the_mean_of_its_images():
    torch.manual_seed(0)
    outputs = outputs_of(torch.randn(2, 8, 5), torch.randn(2, 8, 5, 4))
    targets = targets_of(torch.randint(0, 5, (2, 8)), torch.randn(2, 8, 4))
    together = classification_loss(outputs, targets)
    alone = [
        classification_loss(
            outputs_of(*(field[[i]] for field in outputs[3:])), targets_of(*(f[[i]] for f in targets[1:3]))
        )
        for i in range(2)
    ]
    close(together.class_loss, sum(one.class_loss for one in alone) / 2)
    close(together.box_loss, sum(one.box_loss for one in alone) / 2)


def test_an_infinite_distance_of_background_leaves_loss_and_gradient_finite():
    outputs = outputs_of(torch.zeros(1, 2, 3), torch.zeros(1, 2, 3, 4, requires_grad=True))
    targets = targets_of(torch.tensor([[1, 0]]), torch.tensor([[[1.0] * 4, [float("inf")] * 4]]))
    loss = classification_loss(outputs, targets).box_loss
    loss.backward()
    assert loss.isfinite() and outputs.coefficients.grad.isfinite().all()


def test_a_layer_that_knows_nothing_pays_the_logarithm_of_its_classes():
    torch.manual_seed(0)
    layer = ClassificationLayer(256, 21)
    scores, coefficients = layer(torch.zeros(2, 7, 256))
    assert scores.shape == (2, 7, 21) and coefficients.shape == (2, 7, 21, 4)
    targets = targets_of(torch.randint(0, 21, (2, 7)), torch.zeros(2, 7, 4))
    loss = classification_loss(outputs_of(scores, coefficients), targets)
    assert loss.class_loss.item() == pytest.approx(np.log(21), abs=1e-5) and loss.box_loss == 0
    assert layer.cls_score_net.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert layer.bbox_pred_net.weight.std().item() == pytest.approx(0.001, rel=0.1)


def test_coefficients_are_class_by_class():
    layer = ClassificationLayer(4, 3)
    torch.nn.init.zeros_(layer.bbox_pred_net.weight)
    layer.bbox_pred_net.bias.data = torch.arange(12.0)
    assert layer(torch.ones(1, 1, 4))[1][0, 0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_outputs_are_float32_under_autocast_and_probabilities_sum_to_one():
    layer = ClassificationLayer(8, 3)
    with torch.autocast("cpu", torch.bfloat16):
        scores, coefficients = layer(torch.rand(1, 5, 8))
    assert scores.dtype == coefficients.dtype == torch.float32
    torch.testing.assert_close(outputs_of(scores, coefficients).probabilities.sum(dim=2), torch.ones(1, 5))
