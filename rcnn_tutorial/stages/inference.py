"""From the classifier's outputs to a short list of detections (post: "Implementation Details: Inference")."""

from typing import NamedTuple

from torch import Tensor
from torchvision.ops import batched_nms

from rcnn_tutorial.boxes import clip, decode
from rcnn_tutorial.config import InferenceConfig, ProposalTargetConfig
from rcnn_tutorial.stages.classification import RoiOutputs
from rcnn_tutorial.stages.preprocessing import Preprocessed
from rcnn_tutorial.stages.proposal_target import denormalize_coefficients


class Detections(NamedTuple):
    """The objects found in one image, best first, in the pixels of the image as it was given."""

    boxes: Tensor  # (D, 4)
    labels: Tensor  # (D,) class 1..C
    scores: Tensor  # (D,) probability of the class
    roi_indices: Tensor  # (D,) the ROI each came from


def class_boxes(outputs: RoiOutputs, preprocessed: Preprocessed, normalization: ProposalTargetConfig) -> Tensor:
    """Every ROI's box as every class would have it: (B, R, C + 1, 4), clipped, in original pixels."""
    coefficients = denormalize_coefficients(outputs.coefficients, normalization)  # (B, R, C + 1, 4)
    boxes = decode(coefficients, outputs.rois[:, :, None])  # (B, R, C + 1, 4)
    boxes = boxes / preprocessed.scales[:, None, None, None]
    return clip(boxes, preprocessed.original_sizes[:, None, None])


def detect(boxes: Tensor, probabilities: Tensor, config: InferenceConfig, valid: Tensor | None = None) -> Detections:
    """Threshold, suppress within each class, keep the best of all classes; for one image.

    boxes: (R, C + 1, 4). probabilities: (R, C + 1). valid: (R,), False for padded ROIs.
    """
    candidates = probabilities[:, 1:] > config.score_threshold  # (R, C): column 0, background, is no detection
    if valid is not None:
        candidates &= valid[:, None]
    rois, labels = candidates.nonzero(as_tuple=True)  # (K,) each
    labels = labels + 1
    boxes, scores = boxes[rois, labels], probabilities[rois, labels]  # (K, 4), (K,)
    keep = batched_nms(boxes, scores, labels, config.nms_threshold)[: config.max_detections]  # (D,)
    return Detections(boxes[keep], labels[keep], scores[keep], rois[keep])


def inference_layer(
    outputs: RoiOutputs,
    valid: Tensor,
    preprocessed: Preprocessed,
    config: InferenceConfig,
    normalization: ProposalTargetConfig,
) -> list[Detections]:
    """Detections of every image. valid: (B, R), False for padded ROIs. normalization: how targets were scaled."""
    boxes = class_boxes(outputs, preprocessed, normalization)  # (B, R, C + 1, 4)
    images = zip(boxes, outputs.probabilities, valid, strict=True)
    return [detect(candidates, probabilities, config, rows) for candidates, probabilities, rows in images]
