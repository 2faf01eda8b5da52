"""Torchvision's Faster R-CNN put together from one of our models: same weights, anchors, samples and thresholds."""

import copy

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN as TorchvisionFasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from rcnn_tutorial.backbones import Backbone
from rcnn_tutorial.config import AnchorConfig, Config
from rcnn_tutorial.fast.inference import fold_batch_norm
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.stages.anchors import base_anchors
from rcnn_tutorial.stages.classification import ClassificationLayer
from rcnn_tutorial.stages.rpn import RegionProposalNetwork


def build_peer(model: FasterRCNN, backbone: Backbone | None = None) -> TorchvisionFasterRCNN:
    """Torchvision's detector with copies of the model's networks; everything between them is torchvision's own.

    backbone: head and tail to take instead of the model's, whose frozen batch norms are merged into convolutions.
    It computes the same detections as a model that pools by RoIAlign (`crop_pooling.method = "align"`). A trained model
    with another pooling gives similar ones.
    """
    config = model.config
    head, tail = (model.head, model.tail) if backbone is None else (backbone.head, backbone.tail)
    head = copy.deepcopy(head)
    head.out_channels = model.rpn.rpn_net.in_channels  # where torchvision looks for it
    return TorchvisionFasterRCNN(
        head,
        min_size=config.preprocessing.target_size,
        max_size=config.preprocessing.max_size,
        image_mean=config.preprocessing.mean,
        image_std=config.preprocessing.std,
        rpn_anchor_generator=PeerAnchors(config.anchors, model.stride),
        rpn_head=PeerRPNHead(model.rpn),
        box_roi_pool=MultiScaleRoIAlign(["0"], output_size=config.crop_pooling.size, sampling_ratio=-1),
        box_head=copy.deepcopy(tail),
        box_predictor=PeerPredictor(model.classification),
        size_divisible=1,  # no padding of a single image, as in ours
        **_settings(config),
    )


def tune(detector: nn.Module, *fixed: nn.Module) -> nn.Module:
    """What anyone can do to a detector of torchvision, and this package does to its own. Returns the detector, changed.

    Its weights lie in channels_last order, which on a CPU is the faster one, and the batch norms in the parts that are
    `fixed` (frozen in training; for inference the whole detector) are folded into the convolutions before them.
    """
    for part in fixed:
        fold_batch_norm(part)
    return detector.to(memory_format=torch.channels_last)


def _settings(config: Config) -> dict:
    """The thresholds and counts of our config under torchvision's names."""
    proposals, anchors, rois = config.proposals, config.anchor_targets, config.proposal_targets
    return {
        "rpn_pre_nms_top_n_train": proposals.train_pre_nms_top_n,
        "rpn_post_nms_top_n_train": proposals.train_post_nms_top_n,
        "rpn_pre_nms_top_n_test": proposals.test_pre_nms_top_n,
        "rpn_post_nms_top_n_test": proposals.test_post_nms_top_n,
        "rpn_nms_thresh": proposals.nms_threshold,
        "rpn_fg_iou_thresh": anchors.positive_overlap,
        "rpn_bg_iou_thresh": anchors.negative_overlap,
        "rpn_batch_size_per_image": anchors.batch_size,
        "rpn_positive_fraction": anchors.foreground_fraction,
        "box_fg_iou_thresh": rois.foreground_threshold,
        "box_bg_iou_thresh": rois.background_high,
        "box_batch_size_per_image": rois.batch_size,
        "box_positive_fraction": rois.foreground_fraction,
        "bbox_reg_weights": tuple(1 / std for std in rois.target_stds),
        "box_score_thresh": config.inference.score_threshold,
        "box_nms_thresh": config.inference.nms_threshold,
        "box_detections_per_img": config.inference.max_detections,
    }


class PeerAnchors(AnchorGenerator):
    """torchvision's generator with our shapes and stride (its own is the image's side over the grid's, floored)."""

    def __init__(self, config: AnchorConfig, stride: int):
        super().__init__(sizes=(config.scales,), aspect_ratios=(config.ratios,))
        self.cell_anchors = [base_anchors(config).float()]
        self.stride = stride

    def grid_anchors(self, grid_sizes: list, strides: list) -> list[Tensor]:
        """Anchors of the feature map, as torchvision lays them out."""
        return super().grid_anchors(grid_sizes, [[self.stride, self.stride]])


class PeerRPNHead(nn.Module):
    """Our three convolutions. torchvision wants one logit an anchor: the difference of our two is the same."""

    def __init__(self, rpn: RegionProposalNetwork):
        super().__init__()
        self.conv = nn.Sequential(copy.deepcopy(rpn.rpn_net), nn.ReLU())
        self.scores = copy.deepcopy(rpn.scores)
        self.coefficients = copy.deepcopy(rpn.coefficients)

    def forward(self, features: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """features: one (B, channels, h, w). Returns objectness (B, A, h, w) and coefficients (B, 4A, h, w)."""
        hidden = self.conv(features[0])
        background, foreground = self.scores(hidden).chunk(2, dim=1)  # (B, A, h, w) each
        return [foreground - background], [self.coefficients(hidden)]


class PeerPredictor(nn.Module):
    """Our two linear layers."""

    def __init__(self, classification: ClassificationLayer):
        super().__init__()
        self.layers = copy.deepcopy(classification)

    def forward(self, fc7: Tensor) -> tuple[Tensor, Tensor]:
        """fc7: (N, D). Returns scores (N, C + 1) and coefficients (N, 4 * (C + 1))."""
        scores, coefficients = self.layers(fc7)
        return scores, coefficients.flatten(1)
