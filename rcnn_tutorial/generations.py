"""Three generations of detectors on one network, timed: R-CNN (2014), Fast R-CNN (2015), Faster R-CNN (2015).

They share head, tail, classification layer and suppression, and differ in who proposes and in what is cut:

    R-CNN         selective search    pixels: head and tail see every proposal's warped piece of the photo
    Fast R-CNN    selective search    features: the head sees the photo once, the tail every proposal's crop of the map
    Faster R-CNN  the RPN             features

`Run.seconds` has the parts of PARTS: finding the proposals (by the RPN too), the head on the whole photo, and all that
is done for each region: crop or warp, tail (and head, in R-CNN), classification, suppression.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.boxes import box_iou, clip, decode, encode
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.stages.anchors import generate_anchors, inside_features
from rcnn_tutorial.stages.inference import Detections, detect, inference_layer
from rcnn_tutorial.stages.preprocessing import Preprocessed, normalize, preprocess
from rcnn_tutorial.stages.proposal import Proposals, proposal_layer
from rcnn_tutorial.stages.proposal_target import denormalize_coefficients
from rcnn_tutorial.stages.rcnn import fit_boxes, fit_ridge, rcnn_detect, warp

PARTS = ("proposals", "network", "per region")
TOGETHER = 50  # warped pieces that pass the network at a time, which bounds the memory
BACKGROUND = 0.3  # a proposal whose IoU with all objects is lower is an example of background, ...
FOREGROUND = 0.5  # ... one with at least this of its object's class, ...
CLOSE = 0.6  # ... and one with at least this of how to move a box to it (R-CNN paper, appendix C)

Propose = Callable[[Tensor], Tensor]  # an image (3, H, W) -> boxes (R, 4) in its pixels, best first


class Run(NamedTuple):
    """What a detector found in one image, and how long each part took."""

    detections: Detections
    proposals: Tensor  # (R, 4) in pixels of the image
    seconds: dict[str, float]  # of each of PARTS


class Refit(NamedTuple):
    """Linear layers fitted to features of warped pieces: what R-CNN has in place of the network's own."""

    classifier: Tensor  # (D + 1, C + 1), see `stages.rcnn.fit_ridge`
    regression: Tensor  # (D + 1, C + 1, 4), see `stages.rcnn.fit_boxes`


class Stopwatch:
    """Seconds of each part, from `with watch("network"):`; a part that never ran has 0."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Add the time of what is inside to a part."""
        started = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - started


@torch.no_grad()
def rcnn(model: FasterRCNN, image: Tensor, propose: Propose, layers: Refit | None, context: int = 16) -> Run:
    """R-CNN: the network sees every proposal as a picture of its own.

    model: in eval mode. image: (3, H, W), RGB in [0, 1]. layers: of `refit`; None for the network's own classification
    layer, which has never seen a warped piece. context: pixels around a proposal of 224, see `stages.rcnn.warp`.
    """
    watch = Stopwatch()
    with watch("proposals"):
        rois = propose(image)  # (R, 4)
    with watch("per region"):
        features = warped_features(model, image, rois, context)  # (R, D)
        size = (image.shape[1], image.shape[2])
        if layers is None:
            found = detect(*own_classifier(model, features, rois, size), model.config.inference)
        else:
            found = rcnn_detect(features, rois, *layers, size, model.config.inference)
    return Run(found, rois, watch.seconds)


@torch.no_grad()
def fast_rcnn(model: FasterRCNN, image: Tensor, propose: Propose) -> Run:
    """Fast R-CNN: one feature map for all proposals. The same as `model.trace([image], proposals=...)`, timed."""
    watch = Stopwatch()
    with watch("proposals"):
        rois = propose(image)  # (R, 4)
    with watch("network"):
        preprocessed = preprocess([image], model.config.preprocessing)
        features, _ = model.extract_features(preprocessed.images)  # (1, channels, rows, columns)
    with watch("per region"):
        found = classified(model, features, preprocessed, as_proposals(rois, preprocessed))
    return Run(found, rois, watch.seconds)


@torch.no_grad()
def faster_rcnn(model: FasterRCNN, image: Tensor) -> Run:
    """Faster R-CNN: a small network proposes, from the same feature map. The same as `model.trace([image])`, timed."""
    watch = Stopwatch()
    with watch("network"):
        preprocessed = preprocess([image], model.config.preprocessing)
        features, cells = model.extract_features(preprocessed.images)  # (1, channels, rows, columns)
    with watch("proposals"):
        rows, columns = features.shape[-2:]
        anchors = generate_anchors(rows, columns, model.stride, model.config.anchors, features.device)  # (N, 4)
        available = inside_features((rows, columns), cells.to(features.device), model.anchors_per_cell)  # (1, N)
        config = model.config.proposals
        proposals = proposal_layer(model.rpn(features), anchors, available, preprocessed.sizes, config, training=False)
    with watch("per region"):
        found = classified(model, features, preprocessed, proposals)
    rois = proposals.boxes[0][proposals.valid[0]] / preprocessed.scales  # (R, 4)
    return Run(found, rois, watch.seconds)


def classified(model: FasterRCNN, features: Tensor, preprocessed: Preprocessed, proposals: Proposals) -> Detections:
    """What Fast and Faster R-CNN do for every region of one image: crop, tail, classification layer, suppression."""
    outputs = model.classify(features, proposals.boxes)
    options = model.config.inference, model.config.proposal_targets
    return inference_layer(outputs, proposals.valid, preprocessed, *options)[0]


def as_proposals(rois: Tensor, preprocessed: Preprocessed) -> Proposals:
    """Boxes (R, 4) of one image in its own pixels as `model.trace(proposals=...)` takes them, all equally sure.

    If there is none, one row of zeros stands for it that is not valid: a crop of nothing cannot be computed.
    """
    boxes = rois * preprocessed.scales if len(rois) else rois.new_zeros(1, 4)  # (R, 4) scaled pixels
    valid = torch.full((1, len(boxes)), len(rois) > 0, device=rois.device)  # (1, R)
    return Proposals(boxes[None], valid.to(boxes.dtype), torch.full_like(valid, -1, dtype=torch.long), valid)


def warped_features(model: FasterRCNN, image: Tensor, rois: Tensor, context: int = 16) -> Tensor:
    """The network's feature vector of each proposal's warped pixels, (R, D), as large as the tail's crops are."""
    size = model.stride * model.config.crop_pooling.size  # pixels of a piece whose feature map has a crop's size
    context = context * size // 224  # the paper's 16 pixels are of about 224
    found = [rois.new_zeros(0, model.classification.cls_score_net.in_features)]
    for some in rois.split(TOGETHER) if len(rois) else ():
        pieces = normalize(
            warp(image, some, size, context, model.config.preprocessing.mean), model.config.preprocessing
        )
        found.append(model.tail(model.before_crop(model.head(pieces))))  # (R, D)
    return torch.cat(found)


def own_classifier(model: FasterRCNN, features: Tensor, rois: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Boxes (R, C + 1, 4) and probabilities (R, C + 1) of the network's own layers, from features (R, D)."""
    scores, coefficients = model.classification(features)
    boxes = decode(denormalize_coefficients(coefficients, model.config.proposal_targets), rois[:, None])
    return clip(boxes, rois.new_tensor(size)), scores.softmax(dim=-1)


@torch.no_grad()
def refit(
    model: FasterRCNN, data: Iterable[tuple[Tensor, dict]], propose: Propose, context: int = 16, penalty: float = 0.01
) -> Refit:
    """Fit R-CNN's linear layers to warped pieces of images with known objects. model: in eval mode, left as it is.

    data: pairs (image, target), see `rcnn_tutorial.targets`. Examples are the objects' own boxes and all proposals,
    without those that are neither on an object nor off it (IoU from 0.3 to 0.5). Boxes learn from IoU 0.6 on.
    """
    examples = []
    for image, target in data:
        rois = torch.cat([target["boxes"].as_subclass(Tensor), propose(image)])  # (R, 4)
        labels, coefficients, overlaps = assign(rois, target)
        used = (overlaps >= FOREGROUND) | (overlaps < BACKGROUND)  # (R,)
        features = warped_features(model, image, rois[used], context)
        examples.append((features, labels[used], coefficients[used], overlaps[used]))
    if not examples:
        raise ConfigError("refit: no image to learn from: pass at least one pair (image, target)")
    features, labels, coefficients, overlaps = (torch.cat(column) for column in zip(*examples, strict=True))
    classes, close = len(model.classes), overlaps >= CLOSE
    return Refit(
        fit_ridge(features, labels, classes, penalty),
        fit_boxes(features[close], labels[close], coefficients[close], classes, penalty),
    )


def assign(rois: Tensor, target: dict) -> tuple[Tensor, Tensor, Tensor]:
    """Each ROI's label (R,), 0 below an IoU of 0.5, its coefficients (R, 4) and its best IoU with an object (R,)."""
    boxes, labels = target["boxes"].as_subclass(Tensor), target["labels"]
    if not len(boxes):
        return rois.new_zeros(len(rois), dtype=torch.long), torch.zeros_like(rois), rois.new_zeros(len(rois))
    overlaps, owners = box_iou(rois, boxes).max(dim=1)  # (R,) each
    return torch.where(overlaps >= FOREGROUND, labels[owners], 0), encode(boxes[owners], rois), overlaps
