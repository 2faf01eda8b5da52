"""Faster R-CNN: the stages wired together, in the order of the data (post: "Implementation Details: Training")."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rcnn_tutorial.backbones import Backbone, build_backbone, frozen_blocks
from rcnn_tutorial.config import Config
from rcnn_tutorial.devices import place, upload
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.fast.inference import shorten
from rcnn_tutorial.stages.anchor_target import AnchorTargets, anchor_target_layer
from rcnn_tutorial.stages.anchors import generate_anchors, inside_features
from rcnn_tutorial.stages.classification import ClassificationLayer, RoiOutputs, classification_loss
from rcnn_tutorial.stages.crop_pooling import crop_pool
from rcnn_tutorial.stages.inference import Detections, inference_layer
from rcnn_tutorial.stages.preprocessing import GroundTruth, Preprocessed, pad_ground_truth, pad_to_multiple, preprocess
from rcnn_tutorial.stages.proposal import Proposals, proposal_layer
from rcnn_tutorial.stages.proposal_target import ProposalTargets, append_ground_truth, proposal_target_layer
from rcnn_tutorial.stages.rpn import RegionProposalNetwork, RPNOutputs
from rcnn_tutorial.stages.rpn_loss import rpn_loss
from rcnn_tutorial.stages.sampling import Generators


@dataclass
class Trace:
    """Everything the detector computed on the way, under the post's names, in the order in which it came about."""

    preprocessed: Preprocessed  # the images as the head sees them
    features: Tensor  # (B, channels, H, W); zeros where an image is smaller than the batch's largest
    feature_sizes: Tensor  # (B, 2) rows and columns that each image really has; on the CPU, as it only cuts
    anchors: Tensor  # (N, 4) scaled pixels, N = H * W * A
    available: Tensor  # (B, N) False for anchors of cells that are only padding
    rpn: RPNOutputs
    proposals: Proposals
    # with targets:
    ground_truth: GroundTruth | None = None
    anchor_targets: AnchorTargets | None = None
    proposal_targets: ProposalTargets | None = None
    sampled: RoiOutputs | None = None  # the classifier on the sampled ROIs
    losses: dict[str, Tensor] | None = None  # the four losses, weighted
    # in eval mode:
    proposed: RoiOutputs | None = None  # the classifier on all proposals
    detections: list[Detections] | None = None


class FasterRCNN(nn.Module):
    """The detector. `trace` computes everything; calling the model gives what torchvision's detectors give."""

    def __init__(self, config: Config, backbone: Backbone):
        super().__init__()
        self.config = config
        self.stride = backbone.stride
        self.anchors_per_cell = len(config.anchors.scales) * len(config.anchors.ratios)
        self.head = backbone.head
        self.rpn = RegionProposalNetwork(backbone.channels, self.anchors_per_cell, config.rpn)
        self.before_crop: nn.Module = nn.Identity()  # in the copy for inference the first convolutions of the tail
        self.tail = backbone.tail
        self.classification = ClassificationLayer(backbone.features, len(config.classes) + 1)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names without background: label i is classes[i - 1]."""
        return self.config.classes

    @property
    def device(self) -> torch.device:
        """Where the weights are, and where the images have to be."""
        return self.classification.cls_score_net.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights, and that of the images. Boxes, scores and losses are float32 whatever it is."""
        return self.classification.cls_score_net.weight.dtype

    def train(self, mode: bool = True) -> FasterRCNN:
        """Switch modes as usual, but leave the frozen blocks (and their statistics) as they are."""
        super().train(mode)
        for block in frozen_blocks(self.head, self.config.backbone.frozen_blocks):
            block.eval()
        return self

    def for_inference(self) -> FasterRCNN:
        """A copy that detects the same objects sooner and is not fit for training or saving.

        Every batch norm is merged into the convolution before it, the tail of a deep ResNet begins before the crop
        where that is the same (see `fast.inference`), and the weights lie as convolutions like them.
        """
        fast = copy.deepcopy(self).eval().requires_grad_(False)
        shorten(fast)
        return place(fast, self.device)

    def forward(
        self, images: Sequence[Tensor] | Tensor, targets: Sequence[dict] | None = None, generator: Generators = None
    ):
        """In training mode a dict of four losses; in eval mode a list of {boxes (D, 4), labels (D,), scores (D,)}.

        images: tensors (3, H, W) of any sizes, RGB floats in [0, 1], on the model's device and of its weights' type.
        targets: a dict per image with boxes (N, 4) in its pixels and labels (N,), see `rcnn_tutorial.targets`.
        generator: for reproducible sampling; one for the batch, or a sequence of one per image.
        """
        if self.training:
            if targets is None:
                raise ConfigError("targets = None in training mode: pass targets, or call model.eval() to detect")
            return self.trace(images, targets, generator).losses
        detections = self.trace(images).detections or []  # never None in eval mode
        return [{"boxes": found.boxes, "labels": found.labels, "scores": found.scores} for found in detections]

    def trace(
        self,
        images: Sequence[Tensor] | Tensor,
        targets: Sequence[dict] | None = None,
        generator: Generators = None,
        proposals: Proposals | None = None,
    ) -> Trace:
        """Run every stage and keep what each one returns: losses when there are targets, detections in eval mode.

        In eval mode there are as many proposals as in a test (`test_post_nms_top_n`), with targets too.
        proposals: ready-made proposals that replace the RPN's own (alternating training does this).
        """
        if not len(images) or (targets is not None and len(targets) != len(images)):
            count = "no" if targets is None else len(targets)
            raise ConfigError(f"{len(images)} images and {count} targets: pass at least one image, and a target each")
        preprocessed = preprocess(images, self.config.preprocessing)
        self.check_images(preprocessed.images)
        features, feature_sizes = self.extract_features(preprocessed.images)
        rows, columns = features.shape[-2:]
        anchors = generate_anchors(rows, columns, self.stride, self.config.anchors, features.device)  # (N, 4)
        cells = upload(feature_sizes, features.device)  # (B, 2)
        available = inside_features((rows, columns), cells, self.anchors_per_cell)  # (B, N)
        rpn = self.rpn(features)
        if proposals is None:
            proposals = proposal_layer(
                rpn, anchors, available, preprocessed.sizes, self.config.proposals, self.training
            )
        if self.config.crop_pooling.detach_rois:
            # The reference stops the gradient here: ROI coordinates are constants ("approximate joint training").
            proposals = proposals._replace(boxes=proposals.boxes.detach())
        trace = Trace(preprocessed, features, feature_sizes, anchors, available, rpn, proposals)
        if targets is not None:
            self.add_losses(trace, targets, generator)
        if not self.training:
            self.add_detections(trace)
        return trace

    def check_images(self, images: list[Tensor]) -> None:
        """Raise ConfigError for images that are elsewhere than the weights, or of another type of number."""
        for image in images:
            if image.device != self.device:
                raise ConfigError(f"an image on {image.device}, the model on {self.device}: move one with .to(device)")
            if image.dtype != self.dtype and not torch.is_autocast_enabled(self.device.type):
                raise ConfigError(f"an image of {image.dtype}, the model of {self.dtype}: convert one with .to(dtype)")

    def extract_features(self, images: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Run the head. Returns features (B, channels, H, W) and each image's own rows and columns (B, 2), on the CPU.

        Images of one size share a pass; others take their own, and only the features are padded: padding the pixels
        would change the features along the border, and so the result of an image would depend on its neighbors in the
        batch. Two choices in training do depend on it: a batch norm that is not frozen sees the images of each pass by
        themselves, and `preprocessing.pad_to` pads pixels so that fewer sizes, and thus passes, occur.
        """
        multiple = self.config.preprocessing.pad_to if self.training else 1
        padded = [pad_to_multiple(image, multiple) for image in images]
        groups = {shape: [one for one in padded if one.shape == shape] for shape in {one.shape: None for one in padded}}
        passes = {shape: iter(self.head(torch.stack(group)).split(1)) for shape, group in groups.items()}
        maps = [next(passes[one.shape]) for one in padded]  # B x (1, channels, h, w)
        cells = [[math.ceil(side / self.stride) for side in image.shape[-2:]] for image in images]
        maps = [one[..., :rows, :columns] for one, (rows, columns) in zip(maps, cells, strict=True)]
        sizes = torch.tensor([one.shape[-2:] for one in maps])  # (B, 2)
        rows, columns = sizes.amax(dim=0).tolist()
        maps = [F.pad(one, (0, columns - one.shape[-1], 0, rows - one.shape[-2])) for one in maps]
        return torch.cat(maps), sizes

    def classify(self, features: Tensor, rois: Tensor, feature_sizes: Tensor | None = None) -> RoiOutputs:
        """Crop, tail, classification layer. features: (B, channels, H, W). rois: (B, S, 4) scaled pixels.

        feature_sizes: (B, 2) rows and columns that each image really has; None if all have H and W.
        """
        features = self.before_crop(features)
        crops = crop_pool(features, rois, self.stride, self.config.crop_pooling, feature_sizes)
        crops = crops.to(self.dtype)  # (B * S, channels, size, size)
        fc7 = self.tail(crops).unflatten(0, rois.shape[:2])  # (B, S, D)
        return RoiOutputs(rois, crops, fc7, *self.classification(fc7))

    def add_losses(self, trace: Trace, targets: Sequence[dict], generator: Generators) -> None:
        """The training half: both target layers, the classifier on the sampled ROIs, the four losses."""
        config, sizes = self.config, trace.preprocessed.sizes
        truth = pad_ground_truth(targets, trace.preprocessed.scales, len(self.classes))
        trace.ground_truth = truth
        trace.anchor_targets = anchor_target_layer(
            trace.anchors, truth, sizes, config.anchor_targets, generator, trace.available
        )
        rois = trace.proposals
        if config.proposal_targets.append_ground_truth:
            rois = append_ground_truth(rois, truth)
        trace.proposal_targets = proposal_target_layer(rois, truth, config.proposal_targets, generator)
        trace.sampled = self.classify(trace.features, trace.proposal_targets.rois, trace.feature_sizes)
        rpn = rpn_loss(trace.rpn, trace.anchor_targets, config.rpn.sigma)
        classification = classification_loss(trace.sampled, trace.proposal_targets, config.classification.sigma)
        trace.losses = {
            "rpn_cross_entropy": rpn.class_loss * config.rpn.class_loss_weight,
            "rpn_loss_box": rpn.box_loss * config.rpn.box_loss_weight,
            "cross_entropy": classification.class_loss * config.classification.class_loss_weight,
            "loss_box": classification.box_loss * config.classification.box_loss_weight,
        }

    def add_detections(self, trace: Trace) -> None:
        """The inference half: the classifier on all proposals, then suppression class by class."""
        trace.proposed = self.classify(trace.features, trace.proposals.boxes, trace.feature_sizes)
        trace.detections = inference_layer(
            trace.proposed,
            trace.proposals.valid,
            trace.preprocessed,
            self.config.inference,
            self.config.proposal_targets,
        )


def build_model(config: Config, pretrained: str | None = None) -> FasterRCNN:
    """A detector of the config's architecture. pretrained: see `backbones.build_backbone`; None for random weights."""
    if config.backbone.name == "vgg16" and config.crop_pooling.size != 7:
        raise ConfigError(f"crop_pooling.size = {config.crop_pooling.size}: vgg16's fc6 takes 7x7 crops; use 7")
    return FasterRCNN(config, build_backbone(config.backbone, pretrained))
