"""An oracle for the whole detector: torchvision's Faster R-CNN, assembled around the same layers and anchors.

Where torchvision decides otherwise (one objectness score instead of two, no sampling of repeated background, no images
resized here), the options below make both mean the same.
"""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import MultiScaleRoIAlign

from rcnn_tutorial.config import toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.model import FasterRCNN, build_model
from rcnn_tutorial.stages.anchors import generate_anchors

SCENES = ToyScenes(length=2)
IMAGES = [SCENES[i][0].as_subclass(torch.Tensor) for i in range(2)]
TARGETS = [{name: SCENES[i][1][name].as_subclass(torch.Tensor) for name in ("boxes", "labels")} for i in range(2)]
EVERY = 10**6  # sample all there is


class Head(nn.Module):
    """Our head, as torchvision wants it."""

    def __init__(self, ours: FasterRCNN):
        super().__init__()
        self.head, self.out_channels = ours.head, 64

    def forward(self, images):
        return {"0": self.head(images)}


class Anchors(nn.Module):
    """Our anchors for every image."""

    def __init__(self, ours: FasterRCNN):
        super().__init__()
        self.ours = [ours]  # in a list, to stay out of the module's parameters

    def forward(self, images, features):
        (ours,) = self.ours
        return [generate_anchors(*features[0].shape[-2:], ours.stride, ours.config.anchors)] * len(images.image_sizes)


class Scores(nn.Module):
    """Our RPN. A sigmoid of the difference of two scores is their softmax."""

    def __init__(self, ours: FasterRCNN):
        super().__init__()
        self.rpn = ours.rpn

    def forward(self, features):
        hidden = self.rpn.rpn_net(features[0]).relu()
        background, foreground = self.rpn.scores(hidden).chunk(2, dim=1)
        return [foreground - background], [self.rpn.coefficients(hidden)]


class Predictor(nn.Module):
    """Our classification layer, its coefficients side by side."""

    def __init__(self, ours: FasterRCNN):
        super().__init__()
        self.layer = ours.classification

    def forward(self, fc7):
        scores, coefficients = self.layer(fc7)
        return scores, coefficients.flatten(1)


def torchvision_twin(ours: FasterRCNN) -> GeneralizedRCNN:
    config = ours.config
    top_n = {"training": config.proposals.train_pre_nms_top_n, "testing": config.proposals.test_pre_nms_top_n}
    kept = {"training": config.proposals.train_post_nms_top_n, "testing": config.proposals.test_post_nms_top_n}
    rpn = RegionProposalNetwork(Anchors(ours), Scores(ours), 0.7, 0.3, EVERY, 1.0, top_n, kept, 0.7)
    pool = MultiScaleRoIAlign(["0"], config.crop_pooling.size, sampling_ratio=-1)
    weights = tuple(1 / std for std in config.proposal_targets.target_stds)
    tests = (config.inference.score_threshold, config.inference.nms_threshold, config.inference.max_detections)
    heads = RoIHeads(pool, ours.tail, Predictor(ours), 0.5, 0.5, EVERY, 1.0, weights, *tests)
    preprocessing = config.preprocessing
    transform = GeneralizedRCNNTransform(
        preprocessing.target_size, preprocessing.max_size, preprocessing.mean, preprocessing.std, size_divisible=1
    )
    return GeneralizedRCNN(Head(ours), rpn, heads, transform)


@pytest.fixture
def models():
    """Ours, with weights large enough to move boxes, and torchvision's around the same layers; both in eval mode."""
    torch.manual_seed(1)
    config = toy_config(SCENES.classes)
    config = replace(
        config,
        crop_pooling=replace(config.crop_pooling, method="align"),
        anchor_targets=replace(config.anchor_targets, batch_size=EVERY, foreground_fraction=1.0, border=EVERY),
        proposal_targets=replace(config.proposal_targets, foreground_fraction=1.0),
    )
    ours = build_model(config)
    for layer in (ours.rpn.scores, ours.rpn.coefficients, ours.classification.cls_score_net):
        nn.init.normal_(layer.weight, std=0.05)
    nn.init.normal_(ours.classification.bbox_pred_net.weight, std=0.3)
    return ours.eval(), torchvision_twin(ours).eval()


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
    parameters = list(ours.parameters())
    gradients = (torch.autograd.grad(sum(losses.values()), parameters) for losses in (found, expected))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
