"""The RPN's losses and their gradients against the reference's."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rcnn_tutorial.stages.anchor_target import DONT_CARE, AnchorTargets, box_weights
from rcnn_tutorial.stages.rpn import RPNOutputs, flatten_coefficients, flatten_scores
from rcnn_tutorial.stages.rpn_loss import rpn_loss, smooth_l1

FOLDER = Path(__file__).parents[1] / "golden"
SMOOTH = np.load(FOLDER / "08_smooth_l1.npz")
LOSSES = np.load(FOLDER / "09_losses.npz")


def figure(name: str, figures=LOSSES) -> torch.Tensor:
    return torch.tensor(figures[name])


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-7)


def golden_targets() -> AnchorTargets:
    labels = figure("rpn_labels").unflatten(2, (-1, 38))[0, 0].permute(1, 2, 0).reshape(1, -1).long()  # (1, N)
    weights = (figure("rpn_inside_w") * figure("rpn_outside_w")).reshape(1, -1, 4)[..., 0]
    close(box_weights(labels, -1.0), weights)
    return AnchorTargets(labels, figure("rpn_bbox_targets").reshape(1, -1, 4), weights, None)


@pytest.mark.parametrize("case", ["rpn_s3", "rcnn_s1", "boundary_s3"])
def test_smooth_l1_of_the_reference(case):
    fields = ("pred", "target", "inside_w", "outside_w")
    pred, target, inside, outside = (figure(f"{case}__{name}", SMOOTH) for name in fields)
    pred.requires_grad_()
    elements = outside * smooth_l1(inside * (pred - target), float(SMOOTH[f"{case}__sigma"]))
    loss = elements.sum(dim=SMOOTH[f"{case}__dim"].tolist()).mean()
    loss.backward()
    close(loss.detach(), figure(f"{case}__loss", SMOOTH))
    close(pred.grad, figure(f"{case}__grad_pred", SMOOTH))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_smooth_l1_is_torch_s(sigma):
    x = torch.linspace(-5, 5, 1001)
    expected = F.smooth_l1_loss(x, torch.zeros_like(x), beta=1 / sigma**2, reduction="none")
    torch.testing.assert_close(smooth_l1(x, sigma), expected)


def test_smooth_l1_of_the_post():
    torch.testing.assert_close(smooth_l1(torch.tensor([1 / 9, 1.0]), 3.0), torch.tensor([1 / 18, 17 / 18]))


def test_losses_and_gradients_of_the_reference():
    scores, coefficients = figure("rpn_cls_score_nchw"), figure("rpn_bbox_pred_nhwc")
    scores.requires_grad_(), coefficients.requires_grad_()
    rpn = RPNOutputs(flatten_scores(scores), flatten_coefficients(coefficients.permute(0, 3, 1, 2)))
    loss = rpn_loss(rpn, golden_targets(), sigma=3.0)
    close(loss.class_loss.detach(), figure("loss_rpn_cross_entropy"))
    close(loss.box_loss.detach(), figure("loss_rpn_loss_box"))
    (loss.class_loss + loss.box_loss).backward()
    close(scores.grad, figure("grad_rpn_cls_score"))
    close(coefficients.grad, figure("grad_rpn_bbox_pred"))
    torch.testing.assert_close(rpn.foreground[0].detach(), figure("fg_prob_flat"), rtol=0, atol=1e-6)


def batch(*images: AnchorTargets) -> AnchorTargets:
    return AnchorTargets(*(torch.cat(fields) for fields in list(zip(*images, strict=True))[:3]), None)


def test_a_batch_is_the_mean_of_its_images_and_an_unsampled_image_gives_zero():
    targets = golden_targets()
    nothing = targets._replace(
        labels=torch.full_like(targets.labels, DONT_CARE), box_weights=torch.zeros_like(targets.box_weights)
    )
    torch.manual_seed(0)
    rpn = RPNOutputs(torch.randn(1, 17_100, 2), torch.randn(1, 17_100, 4))
    alone, unsampled = rpn_loss(rpn, targets), rpn_loss(rpn, nothing)
    both = rpn_loss(RPNOutputs(*(torch.cat([field, field]) for field in rpn)), batch(targets, nothing))
    assert unsampled == (0, 0)
    close(both.class_loss, alone.class_loss / 2)
    close(both.box_loss, alone.box_loss / 2)


def test_a_network_that_knows_nothing_pays_ln_2():
    blank = RPNOutputs(torch.zeros(1, 17_100, 2), torch.zeros(1, 17_100, 4))
    assert rpn_loss(blank, golden_targets()).class_loss.item() == pytest.approx(np.log(2), abs=1e-6)


def test_an_infinite_distance_of_an_anchor_that_does_not_count_leaves_loss_and_gradient_finite():
    targets = golden_targets()
    foreground = targets.box_weights > 0
    coefficients = torch.where(foreground[..., None], targets.coefficients, float("inf"))
    rpn = RPNOutputs(torch.zeros(1, 17_100, 2), torch.zeros(1, 17_100, 4, requires_grad=True))
    loss = rpn_loss(rpn, targets._replace(coefficients=coefficients)).box_loss
    loss.backward()
    assert loss.isfinite() and rpn.coefficients.grad.isfinite().all()
