"""The reference's size: ResNet-50 cut after layer3 ("C4") on one photo of 600x800, detecting and training."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
import torchvision
from torch import nn

from rcnn_tutorial.backbones import split_resnet
from rcnn_tutorial.benchmark.measure import Row, Work, compare_memory, compare_times
from rcnn_tutorial.benchmark.peer import build_peer, tune
from rcnn_tutorial.benchmark.steps import Batch, our_step, peer_step
from rcnn_tutorial.config import Config, ProposalConfig, TrainingConfig, reference_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.model import FasterRCNN, build_model

PHOTO_SIZE = (600, 800)  # pixels: what the reference makes of a VOC photo


def infer(repeats: int = 3) -> list[Row]:
    """Detecting and training; every run takes seconds."""
    return [
        compare_times("R50-C4 inference", photo_inference, repeats),
        compare_times("R50-C4 training step", photo_step, repeats),
        compare_memory("R50-C4 training step, peak memory", photo_step),
    ]


@torch.no_grad()
def photo_inference(side: str) -> Work:
    """Detecting in one photo with one side."""
    model, peer = photo_pair()
    images, _ = photo_batch()
    if side == "ours":
        detector = model.for_inference()
    else:
        detector = tune(peer.eval(), peer) if side == "tuned" else peer.eval()
    return torch.no_grad()(lambda: detector(images))


def photo_step(side: str) -> Work:
    """A training step on one photo with one side."""
    model, peer = photo_pair()
    training = replace(TrainingConfig(), batch_size=1, learning_rate=1e-6)  # random weights must not run away
    if side == "ours":
        return partial(our_step(model, training), *photo_batch(), 1)
    frozen = list(peer.backbone)[: model.config.backbone.frozen_blocks]
    return partial(peer_step(tune(peer, *frozen) if side == "tuned" else peer, training), *photo_batch(), 1)


def photo_pair() -> tuple[FasterRCNN, nn.Module]:
    """Our ResNet-50 detector, and torchvision's around torchvision's own unchanged ResNet-50 with the same weights."""
    torch.manual_seed(0)
    network = torchvision.models.resnet50(weights=None, norm_layer=torchvision.ops.FrozenBatchNorm2d)
    config = photo_config()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "resnet50.pth"
        torch.save(network.state_dict(), weights)
        model = build_model(config, pretrained=str(weights))
    calibrate(model)
    backbone = split_resnet(network, config.backbone.tail_stride)
    for block in list(backbone.head)[: config.backbone.frozen_blocks]:
        block.requires_grad_(False)
    return model, build_peer(model, backbone)


def photo_config() -> Config:
    """The reference's detector with the same pooling as torchvision's; 300 proposals at test time."""
    config = reference_config("resnet50")
    proposals = ProposalConfig(test_pre_nms_top_n=6000, test_post_nms_top_n=300)
    return replace(config, proposals=proposals, crop_pooling=replace(config.crop_pooling, method="align"))


@torch.no_grad()
def calibrate(model: FasterRCNN) -> None:
    """Scale the output layers of a random model so that scores spread by 3 and coefficients by 0.1, as trained ones do.

    Otherwise scores would tie, and boxes would be so wild that most have no area.
    """
    trace = model.eval().trace(photo_batch()[0])
    rpn, roi, layers = trace.rpn, trace.proposed, model.classification
    for layer, outputs, spread in (
        (model.rpn.scores, rpn.scores, 3.0),
        (model.rpn.coefficients, rpn.coefficients, 0.1),
        (layers.cls_score_net, roi.scores, 3.0),
        (layers.bbox_pred_net, roi.coefficients, 1.0),  # normalized: the standard deviations make 0.1 of it
    ):
        layer.weight.mul_(spread / outputs.std())


def photo_batch(objects: int = 8) -> Batch:
    """One generated scene of 600x800 pixels."""
    image, target = ToyScenes(size=PHOTO_SIZE, max_objects=objects)[0]
    return [image], [target]
