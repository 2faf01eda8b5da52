"""The detector as an ONNX file, for phones, browsers and other languages: a photo of any size in, detections out.

The stages run as they are where a graph can hold them: networks, arithmetic on boxes, crop pooling. Written out here,
for one photo, is what they leave to Python's numbers and lists: the size of the scaled photo, the two suppressions.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.onnx import ONNXProgram
from torchvision.ops import nms

from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.boxes import clip, decode
from rcnn_tutorial.config import CropPoolingConfig, PreprocessingConfig
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.extras import require
from rcnn_tutorial.model import FasterRCNN, Trace
from rcnn_tutorial.stages.anchors import generate_anchors
from rcnn_tutorial.stages.classification import RoiOutputs
from rcnn_tutorial.stages.inference import Detections, class_boxes
from rcnn_tutorial.stages.preprocessing import Preprocessed, normalize
from rcnn_tutorial.stages.proposal import Proposals
from rcnn_tutorial.stages.rpn import RPNOutputs

OUTPUTS = ("boxes", "labels", "scores")
EXAMPLE = (64, 96)  # pixels of the photo that the graph is recorded with


def export_onnx(detector: FasterRCNN, path: str | Path) -> int:
    """Write a detector as an ONNX file, whole or not at all; returns its size in bytes.

    In: "image" (3, height, width), RGB floats in [0, 1]. Out: "boxes" (D, 4) in the photo's own pixels, "labels" (D,),
    "scores" (D,): what `detector([image])[0]` gives, but for rounding.
    The class names lie in the file's metadata, under "classes", as a JSON list.

    Raises ConfigError where the packages of the extra `onnx` are missing, for another ending than .onnx, and for
    RoIPool and crops of one value, which torch's exporter cannot translate; DataError where the file cannot be written.
    """
    check_request(path, detector.config.crop_pooling)
    example = torch.zeros(3, *EXAMPLE)
    anything = torch.export.Dim.DYNAMIC
    program = record(ExportableDetector(detector), {"image": example}, OUTPUTS, ({1: anything, 2: anything},))
    proto = program.model_proto
    proto.metadata_props.add(key="classes", value=json.dumps(detector.classes))
    data = proto.SerializeToString()
    write_atomically(path, data)
    return len(data)


def record(network: nn.Module, examples: dict[str, Tensor], outputs: Sequence[str], dynamic: tuple) -> ONNXProgram:
    """The graph of a network that is called with `examples`, by name; `dynamic`: which of their dimensions vary."""
    with torch.inference_mode():
        network(*examples.values())  # what `devices.constant` keeps is made here, not while tensors have no numbers
    # Warnings are of one library about another. Whether oneDNN convolves depends on sizes, and torch 2.11 would know it
    # for all photos at once: so it does not.
    with warnings.catch_warnings(action="ignore"), torch.backends.mkldnn.flags(enabled=False):
        program = torch.onnx.export(
            network,
            tuple(examples.values()),
            input_names=list(examples),
            output_names=outputs,
            dynamic_shapes=dynamic,
            dynamo=True,
            verbose=False,
        )
    return program


def check_request(path: str | Path, pooling: CropPoolingConfig | None = None) -> None:
    """Raise ConfigError unless a detector with this pooling can be exported to `path` with what is installed."""
    if Path(path).suffix.lower() != ".onnx":
        raise ConfigError(f"{path}: name a file that ends in .onnx")
    require_onnx("an ONNX file")
    if pooling and pooling.method == "pool":
        raise ConfigError("crop_pooling.method = 'pool': torch cannot export RoIPool; train with crop or align")
    if pooling and (pooling.method, pooling.size, pooling.max_pool) == ("crop", 1, False):
        raise ConfigError("crop_pooling.size = 1: torch cannot export a crop of one value; train with 2, or with align")


def require_onnx(command: str) -> None:
    """Raise ConfigError, with the line to type, where what records a graph is missing. command: what needs it."""
    require("onnx", command, "onnx", "onnxscript")


class ExportableDetector(nn.Module):
    """A detector of one photo, in operations that ONNX knows. folded: merge its batch norms into the convolutions."""

    def __init__(self, detector: FasterRCNN, folded: bool = True):
        super().__init__()
        # Another order of the weights in memory would make torch 2.11 ask for sizes that it cannot know.
        own = detector.for_inference() if folded else copy.deepcopy(detector).eval().requires_grad_(False)
        self.detector = own.to("cpu", torch.float32).to(memory_format=torch.contiguous_format)
        self.config = detector.config
        self.cell: Tensor  # (A, 4) the anchors of the first cell
        self.register_buffer("cell", generate_anchors(1, 1, detector.stride, self.config.anchors))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """image: (3, H, W), RGB in [0, 1]. Returns boxes (D, 4), labels (D,) and scores (D,), the best first."""
        (found,) = self.trace(image).detections or []  # one photo's
        return found.boxes, found.labels, found.scores

    def trace(self, image: Tensor, count: Tensor | None = None) -> Trace:
        """`FasterRCNN.trace` of one photo. image: (3, H, W), RGB in [0, 1]. count: () most proposals, if fewer."""
        preprocessed = preprocess_photo(image, self.config.preprocessing)
        features = self.detector.head(preprocessed.images[0][None])  # (1, channels, h, w)
        cells = torch.tensor(features.shape[-2:])[None]  # (1, 2)
        anchors = self.anchors(*features.shape[-2:])  # (N, 4)
        rpn = self.detector.rpn(features)
        proposals = self.propose(rpn, anchors, preprocessed.sizes, count)
        proposed = self.detector.classify(features, proposals.boxes)
        found = self.suppress(proposed, preprocessed)
        everywhere = torch.ones_like(rpn.foreground, dtype=torch.bool)  # (1, N)
        trace = Trace(preprocessed, features, cells, anchors, everywhere, rpn, proposals)
        return replace(trace, proposed=proposed, detections=[found])

    def propose(self, rpn: RPNOutputs, anchors: Tensor, sizes: Tensor, count: Tensor | None = None) -> Proposals:
        """`proposal_layer` for one photo. anchors: (N, 4). sizes: (1, 2). count: () most proposals, if fewer."""
        before, after = self.config.proposals.top_n(training=False)
        scores, order = rpn.foreground[0].sort(descending=True)  # (N,) each
        scores, order = scores[:before], order[:before]  # (K,) each
        boxes = clip(decode(rpn.coefficients[0, order], anchors[order]), sizes)  # (K, 4)
        keep = nms(boxes, scores, self.config.proposals.nms_threshold)[:after]  # (R,)
        if count is not None:
            keep = keep[torch.arange(keep.shape[0]) < count]  # a slice would need a number
        torch._check(keep.shape[0] >= 1)  # the best box stays, which the recorder cannot know
        valid = torch.ones_like(keep, dtype=torch.bool)
        return Proposals(*(part[None] for part in (boxes[keep], scores[keep], order[keep], valid)))

    def anchors(self, rows: int, columns: int) -> Tensor:
        """`generate_anchors`, its cell given: (rows * columns * A, 4)."""
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")  # (rows, columns) each
        shifts = torch.stack([x, y, x, y], dim=-1) * self.detector.stride  # (rows, columns, 4)
        return (shifts[:, :, None] + self.cell).reshape(-1, 4)

    def suppress(self, outputs: RoiOutputs, preprocessed: Preprocessed) -> Detections:
        """`inference_layer` for one photo; one suppression for all classes, whose boxes are moved apart for it."""
        config = self.config.inference
        boxes = class_boxes(outputs, preprocessed, self.config.proposal_targets)[0]  # (R, C + 1, 4)
        probabilities = outputs.probabilities[0]  # (R, C + 1)
        rois, labels = (probabilities[:, 1:] > config.score_threshold).nonzero().unbind(dim=1)  # (K,) each
        labels = labels + 1
        boxes, scores = boxes[rois, labels], probabilities[rois, labels]  # (K, 4), (K,)
        step = preprocessed.original_sizes.max() + 1  # wider than any box
        keep = nms(boxes + labels[:, None] * step, scores, config.nms_threshold)[: config.max_detections]  # (D,)
        return Detections(boxes[keep], labels[keep], scores[keep], rois[keep])


def preprocess_photo(image: Tensor, config: PreprocessingConfig) -> Preprocessed:
    """`preprocess` for one photo (3, H, W), its sizes computed by tensors, so that a graph has them for every photo."""
    size = torch.tensor(image.shape[-2:])  # (2,)
    short, long = size.min().double(), size.max().double()  # double, as Python's numbers are
    scale = config.target_size / short  # as `scale_for` has it
    scale = torch.where((scale * long).round() > config.max_size, config.max_size / long, scale)
    height, width = (size * scale).round().clamp(min=1).long().unbind()
    image = normalize(image, config)
    image = stretch(image.transpose(1, 2), height, scale).transpose(1, 2)  # (3, height, W)
    image = stretch(image, width, scale)  # (3, height, width)
    return Preprocessed([image], torch.stack([height, width])[None], size[None], scale[None].float())


def stretch(image: Tensor, length: Tensor, scale: Tensor) -> Tensor:
    """`resize` along the last axis: `length` samples between neighboring pixels, `scale` of them a pixel.

    image: (..., W). length, scale: (). Returns (..., length).
    """
    count = length.item()
    torch._check(count >= 1)  # what the recorder cannot know
    position = ((torch.arange(count) + 0.5) * (1 / scale).float() - 0.5).clamp(min=0)  # (length,) in pixels
    left, last = position.floor().long(), image.shape[-1] - 1
    share = position - left  # (length,) of the right neighbor
    return image[..., left.clamp(max=last)] * (1 - share) + image[..., (left + 1).clamp(max=last)] * share
