"""The whole trace of a photo as an ONNX graph: what the course's pages run on a reader's own photo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor

from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.export import EXAMPLE, ExportableDetector, check_request, record
from rcnn_tutorial.model import FasterRCNN, Trace

LARGE = 1000  # numbers in a tensor that is worth a node of its own


def export_trace(detector: FasterRCNN, path: str | Path) -> int:
    """Write a detector as an ONNX file that gives every stage's tensors; returns its size in bytes.

    In: "pixels" (height, width, 4) uint8, RGB and a fourth that is not looked at, as a canvas gives them; "count" ()
    int64, the most proposals, if fewer than the detector's own. Out: the tensors of `named_tensors`; whole numbers as
    int32. Raises what `export_onnx` raises.
    """
    check_request(path, detector.config.crop_pooling)
    examples = {"pixels": torch.zeros(*EXAMPLE, 4, dtype=torch.uint8), "count": torch.tensor(100)}
    network = TracedDetector(detector)
    with torch.inference_mode():
        names = list(named_tensors(network.trace_pixels(*examples.values())))
    anything = torch.export.Dim.DYNAMIC
    proto = record(network, examples, names, ({0: anything, 1: anything}, {})).model_proto
    proto.metadata_props.add(key="classes", value=json.dumps(detector.classes))
    halve_weights(proto)
    data = proto.SerializeToString()
    write_atomically(path, data)
    return len(data)


class TracedDetector(ExportableDetector):
    """A detector of one photo that gives all tensors on the way. Batch norms are not folded: see `halve_weights`."""

    def __init__(self, detector: FasterRCNN):
        super().__init__(detector, folded=False)

    def forward(self, pixels: Tensor, count: Tensor) -> tuple[Tensor, ...]:
        """pixels: (H, W, 4) uint8. count: () most proposals. Returns the values of `named_tensors`."""
        tensors = named_tensors(self.trace_pixels(pixels, count)).values()
        return tuple(tensor if tensor.is_floating_point() else tensor.int() for tensor in tensors)

    def trace_pixels(self, pixels: Tensor, count: Tensor) -> Trace:
        """The trace of a photo. pixels: (H, W, 4) uint8. count: () most proposals."""
        return self.trace(pixels[..., :3].permute(2, 0, 1).float() / 255, count)


def named_tensors(trace: Trace) -> dict[str, Tensor]:
    """Every stage's tensors of the one photo of a trace, without the batch's dimension, under their names in Trace.

    Left out are `available` and `proposals.valid`, which are True throughout, and `proposed.rois`, the proposals.
    """
    (found,), proposals, proposed = trace.detections, trace.proposals, trace.proposed
    return {
        "preprocessed.images": trace.preprocessed.images[0],  # (3, h, w) normalized and scaled
        "preprocessed.sizes": trace.preprocessed.sizes[0],  # (2,) h and w
        "preprocessed.original_sizes": trace.preprocessed.original_sizes[0],  # (2,) height and width of the photo
        "preprocessed.scales": trace.preprocessed.scales[0],  # () scaled pixels per pixel of the photo
        "features": trace.features[0],  # (channels, H, W)
        "anchors": trace.anchors,  # (N, 4) scaled pixels, N = H * W * A
        "rpn.scores": trace.rpn.scores[0],  # (N, 2) logits: background, foreground
        "rpn.coefficients": trace.rpn.coefficients[0],  # (N, 4)
        "rpn.foreground": trace.rpn.foreground[0],  # (N,) probability
        "proposals.boxes": proposals.boxes[0],  # (R, 4) scaled pixels, best first
        "proposals.scores": proposals.scores[0],  # (R,)
        "proposals.anchor_indices": proposals.anchor_indices[0],  # (R,)
        "proposed.crops": proposed.crops,  # (R, channels, size, size)
        "proposed.fc7": proposed.fc7[0],  # (R, D)
        "proposed.scores": proposed.scores[0],  # (R, C + 1) logits
        "proposed.coefficients": proposed.coefficients[0],  # (R, C + 1, 4) class by class, normalized
        "proposed.probabilities": proposed.probabilities[0],  # (R, C + 1)
        "detections.boxes": found.boxes,  # (D, 4) pixels of the photo, best first
        "detections.labels": found.labels,  # (D,) class 1..C
        "detections.scores": found.scores,  # (D,)
        "detections.roi_indices": found.roi_indices,  # (D,)
    }


def halve_weights(proto: onnx.ModelProto) -> None:
    """Store as float16, with a cast behind it, every large tensor that loses nothing by it.

    The bundled detectors' kernels were saved as float16, so the file is half as large and gives the same numbers.
    Folding batch norms would have changed the kernels; the runtime folds them itself when it opens the file.
    """
    for weights in proto.graph.initializer:
        if weights.data_type != onnx.TensorProto.FLOAT or np.prod(weights.dims) < LARGE:
            continue
        values = onnx.numpy_helper.to_array(weights)
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name = weights.name
        weights.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}.half"))
        cast = onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT)
        proto.graph.node.insert(0, cast)
