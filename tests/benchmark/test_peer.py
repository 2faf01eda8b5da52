"""The peer is the same detector: as many parameters, the same proposals and detections, losses of the same size."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from rcnn_tutorial.benchmark.detectors import RIVALS, rival
from rcnn_tutorial.benchmark.peer import build_peer, tune
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.model import build_model

SCENES = ToyScenes("val", length=3)


@pytest.fixture(scope="module")
def pair():
    """The bundled toy detector, made to pool by RoIAlign, and torchvision's out of the same parts."""
    trained = load_model("toy")
    pooling = replace(trained.config.crop_pooling, method="align")
    model = build_model(replace(trained.config, crop_pooling=pooling)).eval()
    model.load_state_dict(trained.state_dict())
    return model, build_peer(model).eval()


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_same_parameter_count(pair):
    model, peer = pair
    assert parameters(model) == parameters(peer)


@torch.no_grad()
def test_same_proposals_from_the_same_weights(pair):
    model, peer = pair
    images = [image.as_subclass(torch.Tensor) for image, _ in SCENES]
    proposals = model.trace(images).proposals
    batch, _ = peer.transform(images)
    theirs, _ = peer.rpn(batch, {"0": peer.backbone(batch.tensors)})
    for boxes, valid, expected in zip(proposals.boxes, proposals.valid, theirs, strict=True):
        torch.testing.assert_close(boxes[valid], expected, atol=1e-3, rtol=0)


@torch.no_grad()
def test_same_detections_from_the_same_weights(pair):
    model, peer = pair
    images = [image.as_subclass(torch.Tensor) for image, _ in SCENES]
    for ours, theirs in zip(model(images), peer(images), strict=True):
        assert len(ours["boxes"]) > 0
        torch.testing.assert_close(ours["boxes"], theirs["boxes"], atol=1e-3, rtol=0)
        torch.testing.assert_close(ours["scores"], theirs["scores"], atol=1e-4, rtol=0)
        assert torch.equal(ours["labels"], theirs["labels"])


def test_same_losses_at_the_start_whatever_the_sample():
    torch.manual_seed(0)
    model = build_model(toy_config(SCENES.classes)).train()
    images = [image.as_subclass(torch.Tensor) for image, _ in SCENES]
    targets = [{"boxes": t["boxes"].as_subclass(torch.Tensor), "labels": t["labels"]} for _, t in SCENES]
    ours, theirs = model(images, targets), build_peer(model).train()(images, targets)
    for name, other in (("rpn_cross_entropy", "loss_objectness"), ("cross_entropy", "loss_classifier")):
        torch.testing.assert_close(ours[name], theirs[other], atol=0.01, rtol=0)


@torch.no_grad()
def test_same_detections_in_a_photo_whose_sides_are_no_multiples_of_the_stride(pair):
    model, peer = pair
    photo = ToyScenes("val", size=(128, 133))[0][0].as_subclass(torch.Tensor)
    [ours], [theirs] = model([photo]), peer([photo])
    torch.testing.assert_close(ours["boxes"], theirs["boxes"], atol=1e-3, rtol=0)


@torch.no_grad()
def test_a_tuned_peer_detects_the_same(pair):
    _, peer = pair
    images = [image.as_subclass(torch.Tensor) for image, _ in SCENES]
    tuned = copy.deepcopy(peer)
    assert tune(tuned, tuned) is tuned
    assert not any(isinstance(part, nn.BatchNorm2d) for part in tuned.modules())
    assert tuned.backbone.stem[0].weight.is_contiguous(memory_format=torch.channels_last)
    for found, expected in zip(tuned(images), peer(images), strict=True):
        torch.testing.assert_close(found["boxes"], expected["boxes"], atol=1e-3, rtol=0)
        torch.testing.assert_close(found["scores"], expected["scores"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", RIVALS)
@torch.no_grad()
def test_a_tuned_rival_sees_the_same_features(name):
    detector = rival(name)
    for part in detector.modules():
        if isinstance(part, nn.BatchNorm2d):  # as after a training: nothing is 0 or 1
            for values in (part.weight, part.running_var):
                values.uniform_(0.5, 1.5)
            part.running_mean.uniform_(-0.1, 0.1)
    images = torch.rand(1, 3, 64, 96)
    expected = detector.backbone(images)
    found = tune(detector, detector).backbone(images)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in detector.modules())
    for key, features in expected.items():
        torch.testing.assert_close(found[key], features, atol=1e-3 * float(features.abs().max()), rtol=0)
