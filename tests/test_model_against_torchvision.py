"""An oracle for the whole detector: torchvision's Faster R-CNN, put together from the same layers and anchors.

Where torchvision decides otherwise (one objectness score instead of two, no sampling of repeated background, no images
resized here), the options below make both mean the same.
"""

from dataclasses import replace

import pytest
import torch
from torch import nn

from rcnn_tutorial.benchmark.peer import build_peer
from rcnn_tutorial.config import toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.model import build_model

SCENES = ToyScenes(length=2)
IMAGES = [SCENES[i][0].as_subclass(torch.Tensor) for i in range(2)]
TARGETS = [{name: SCENES[i][1][name].as_subclass(torch.Tensor) for name in ("boxes", "labels")} for i in range(2)]
EVERY = 10**6  # sample all there is


@pytest.fixture
def models():
    """Ours, with weights large enough to move boxes, and torchvision's with the same ones; both in eval mode."""
    torch.manual_seed(1)
    config = toy_config(SCENES.classes)
    config = replace(
        config,
        crop_pooling=replace(config.crop_pooling, method="align"),
        anchor_targets=replace(config.anchor_targets, batch_size=EVERY, foreground_fraction=1.0, border=EVERY),
        proposal_targets=replace(config.proposal_targets, batch_size=EVERY, foreground_fraction=1.0),
    )
    ours = build_model(config)
    for layer in (ours.rpn.scores, ours.rpn.coefficients, ours.classification.cls_score_net):
        nn.init.normal_(layer.weight, std=0.05)
    nn.init.normal_(ours.classification.bbox_pred_net.weight, std=0.3)
    return ours.eval(), build_peer(ours).eval()


@torch.no_grad()
def test_detections_are_torchvision_s(models):
    ours, theirs = models
    for found, expected in zip(ours(IMAGES), theirs(IMAGES), strict=True):
        assert len(expected["scores"]) > 20
        assert found.keys() == expected.keys()
        assert torch.equal(found["labels"], expected["labels"])
        torch.testing.assert_close(found["scores"], expected["scores"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found["boxes"], expected["boxes"], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("index", range(2))
def test_losses_and_gradients_are_torchvision_s(models, index):
    ours, theirs = models
    image, truth = IMAGES[index : index + 1], TARGETS[index : index + 1]
    theirs.rpn.train(), theirs.roi_heads.train(), theirs.roi_heads.box_head.eval()  # batch norm stays as it is
    theirs.training = True
    expected = theirs(image, truth)
    # All ROIs, each once: as many as there are proposals and objects.
    count = ours.trace(image).proposals.boxes.shape[1] + len(truth[0]["labels"])
    ours.config = replace(ours.config, proposal_targets=replace(ours.config.proposal_targets, batch_size=count))
    found = ours.trace(image, truth).losses
    pairs = {
        "rpn_cross_entropy": "loss_objectness",
        "rpn_loss_box": "loss_rpn_box_reg",
        "cross_entropy": "loss_classifier",
        "loss_box": "loss_box_reg",
    }
    for mine, other in pairs.items():
        torch.testing.assert_close(found[mine], expected[other], rtol=1e-4, atol=1e-5)
    sides = ((ours, found), (theirs, expected))  # their parameters come in the same order
    gradients = (torch.autograd.grad(sum(losses.values()), list(side.parameters())) for side, losses in sides)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
